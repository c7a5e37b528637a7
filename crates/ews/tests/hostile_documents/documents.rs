//! Documents of 64 KiB that are made to cost as much as they can, and one that is not.

/// The longest body the door takes by default.
pub(crate) const SIZE: usize = 64 * 1024;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// An envelope with `block` in its header and a request in its body.
fn with_block(block: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{SOAP}'><s:Header>{block}</s:Header><s:Body><m:DisconnectPhoneCall \
         xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'><m:PhoneCallId Id='x'/>\
         </m:DisconnectPhoneCall></s:Body></s:Envelope>"
    )
}

/// `before`, as many of `part` as there is room for, and `after`, in a header.
fn filled(before: &str, part: impl Fn(usize) -> String, after: &str) -> String {
    let room = SIZE - with_block("").len() - before.len() - after.len();
    let mut block = before.to_owned();
    let end = before.len() + room;
    for number in 0.. {
        let part = part(number);
        if block.len() + part.len() > end {
            break;
        }
        block.push_str(&part);
    }
    with_block(&(block + after))
}

/// What nobody objects to: elements with an attribute and a text each.
pub(crate) fn benign() -> String {
    filled(
        "",
        |_| "<a xmlns='urn:x' b='a value'>some text of an element</a>".into(),
        "",
    )
}

fn numbered(before: &'static str, after: &'static str) -> impl Fn(usize) -> String {
    move |number| format!("{before}{number}{after}")
}

fn repeated(part: &'static str) -> impl Fn(usize) -> String {
    move |_| part.to_owned()
}

/// Name and document.
pub(crate) fn hostile() -> Vec<(&'static str, String)> {
    let long = "x".repeat(200);
    let namespaces =
        |count: usize| -> String { (0..count).map(|at| format!(" xmlns:p{at}='urn:{at}{long}'")).collect() };
    let attributes: String = (0..64).map(|at| format!(" a{at}=''")).collect();
    let of_one_namespace: String = (0..60).map(|at| format!(" p:a{at}=''")).collect();
    let half = "x".repeat(SIZE / 2);
    vec![
        ("nesting", filled("", repeated("<a>"), "")),
        (
            "nesting that ends",
            filled("", |_| "<a>".repeat(29) + &"</a>".repeat(29), ""),
        ),
        ("empty elements", filled("", repeated("<a/>"), "")),
        ("attributes of one element", filled("<a", numbered(" a", "=''"), "/>")),
        ("64 attributes each", filled("", |_| format!("<a{attributes}/>"), "")),
        ("one attribute again and again", filled("<a", repeated(" a=''"), "/>")),
        (
            "namespaces of one element",
            filled("<a", numbered(" xmlns:p", "='urn:x'"), "/>"),
        ),
        (
            "31 namespaces each",
            filled("", |_| format!("<a{}/>", namespaces(31)), ""),
        ),
        (
            "one namespace again and again",
            filled("<a", repeated(" xmlns:p='urn:x'"), "/>"),
        ),
        (
            "elements of a namespace with a long name",
            filled(&format!("<p:a xmlns:p='urn:{half}'>"), repeated("<p:b/>"), "</p:a>"),
        ),
        (
            "attributes of a namespace with a long name",
            filled(
                &format!("<p:a xmlns:p='urn:{half}'>"),
                |_| format!("<p:b{of_one_namespace}/>"),
                "</p:a>",
            ),
        ),
        (
            "attributes before their long namespace",
            filled(
                "",
                |_| format!("<p:a{of_one_namespace} xmlns:p='{}'/>", "x".repeat(SIZE - 2048)),
                "",
            ),
        ),
        (
            "elements of a namespace with the longest name",
            filled(
                &format!("<p:a xmlns:p='{}'>", "x".repeat(256)),
                repeated("<p:b/>"),
                "</p:a>",
            ),
        ),
        ("a long name", filled("<", repeated("a"), "/>")),
        ("a long name in an unbound prefix", filled("<", repeated("a"), ":b/>")),
        ("a long attribute name", filled("<a ", repeated("b"), "=''/>")),
        ("a long value", filled("<a b='", repeated("x"), "'/>")),
        ("a value of line ends", filled("<a b='", repeated("\r\n"), "'/>")),
        ("a value of entities", filled("<a b='", repeated("&lt;"), "'/>")),
        ("a long text", filled("<a>", repeated("x"), "</a>")),
        ("a text of line ends", filled("<a>", repeated("\r\n"), "</a>")),
        ("a text of entities", filled("<a>", repeated("&lt;"), "</a>")),
        (
            "a text of character references",
            filled("<a>", repeated("&#1114109;"), "</a>"),
        ),
        ("a name of an entity", filled("<a>&", repeated("x"), ";</a>")),
        ("a reference without end", filled("<a>", repeated("&"), "</a>")),
        ("digits of a reference", filled("<a>&#", repeated("0"), "65;</a>")),
        ("comments", filled("", repeated("<!---->"), "")),
        ("a long comment", filled("<!--", repeated("- "), "-->")),
        ("a comment without end", filled("<!--", repeated("<!--"), "")),
        (
            "sections of characters",
            filled("<a>", repeated("<![CDATA[]]>"), "</a>"),
        ),
        ("a section without end", filled("<a><![CDATA[", repeated("]]"), "</a>")),
        ("processing instructions", filled("", repeated("<?a?>"), "")),
        (
            "a document type",
            format!("<!DOCTYPE a [{}]>", "<!ENTITY a 'b'>".repeat(SIZE / 16)),
        ),
        (
            "brackets of a document type",
            format!("<!DOCTYPE a {}", "[<".repeat(SIZE / 2 - 8)),
        ),
        ("a tag without end", filled("<a ", repeated("b='>' "), "")),
        ("angle brackets", filled("", repeated("<"), "")),
        ("ends without starts", filled("", repeated("</a>"), "")),
        ("lines before an error", filled("", repeated("\n"), "<a></b>")),
        ("spaces", " ".repeat(SIZE)),
        ("no text at all", "\u{FFFD}".repeat(SIZE / 3)),
    ]
}
