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

/// As many of `part` as there is room for, in a body: what an operation keeps of them.
fn asked(before: &str, part: impl Fn(usize) -> String, after: &str) -> String {
    let namespaces = "xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages' \
                      xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'";
    let opened = format!("<s:Envelope xmlns:s='{SOAP}' {namespaces}><s:Body>{before}");
    let closed = format!("{after}</s:Body></s:Envelope>");
    let mut document = opened;
    for number in 0.. {
        let part = part(number);
        if document.len() + part.len() + closed.len() > SIZE {
            break;
        }
        document.push_str(&part);
    }
    document + &closed
}

/// Name and document.
pub(crate) fn hostile() -> Vec<(&'static str, String)> {
    let long = "x".repeat(200);
    let namespaces =
        |count: usize| -> String { (0..count).map(|at| format!(" xmlns:p{at}='urn:{at}{long}'")).collect() };
    let attributes: String = (0..64).map(|at| format!(" a{at}=''")).collect();
    let of_one_namespace: String = (0..60).map(|at| format!(" p:a{at}=''")).collect();
    let half = "x".repeat(SIZE / 2);
    let nested = |tags: &str| format!("<a{tags}>").repeat(29);
    let last_of_many: String = (0..63).map(|at| format!(" p0:a{at}=''")).collect();
    let of_each: String = (0..63).map(|at| format!(" p{}:a{at}=''", at % 30)).collect();
    let play = "<m:PlayOnPhone><m:ItemId Id='x'/><m:DialString>";
    let played = "</m:DialString></m:PlayOnPhone>";
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
        (
            "attributes of the first of 31 namespaces",
            filled(
                &format!(
                    "<a{}>",
                    (0..31).map(|at| format!(" xmlns:p{at}='urn:{at}'")).collect::<String>()
                ),
                |_| format!("<b{last_of_many}/>"),
                "</a>",
            ),
        ),
        (
            "attributes of 30 namespaces by turns",
            filled(&format!("<a{}>", namespaces(30)), |_| format!("<b{of_each}/>"), "</a>"),
        ),
        (
            "a prefix declared at every depth",
            filled("", |_| nested(" xmlns:p='urn:x' p:b=''") + &"</a>".repeat(29), ""),
        ),
        (
            "prefixes declared again and again at the limit of depth",
            filled(
                "<a><a><a><a><a>",
                |_| format!("<b{}/>", " xmlns:p='urn:x'".to_owned() + &of_one_namespace),
                "</a></a></a></a></a>",
            ),
        ),
        (
            "values in a default namespace each",
            filled("", |_| format!("<a xmlns='{}' b='&#9;&#10;'/>", "x".repeat(250)), ""),
        ),
        ("a dial string of references", asked(play, repeated("&#x31;"), played)),
        ("a dial string of entities", asked(play, repeated("&lt;"), played)),
        (
            "a dial string in sections",
            asked(play, repeated("<![CDATA[1]]>"), played),
        ),
        (
            "a dial string between comments",
            asked(play, repeated("1<!---->"), played),
        ),
        ("a long dial string", asked(play, repeated("1"), played)),
        (
            "an id of references",
            asked(
                "<m:DisconnectPhoneCall><m:PhoneCallId Id='",
                repeated("&#x10FFFF;"),
                "'/></m:DisconnectPhoneCall>",
            ),
        ),
        (
            "ids to be converted",
            asked(
                "<m:ConvertId DestinationFormat='EwsId'><m:SourceIds>",
                repeated("<t:AlternateId Format='EwsId' Id='' Mailbox=''/>"),
                "</m:SourceIds></m:ConvertId>",
            ),
        ),
        (
            "kinds of configuration",
            asked(
                "<m:GetServiceConfiguration><m:RequestedConfiguration>",
                repeated("<m:ConfigurationName>MailTips</m:ConfigurationName>"),
                "</m:RequestedConfiguration></m:GetServiceConfiguration>",
            ),
        ),
        ("spaces", " ".repeat(SIZE)),
        ("no text at all", "\u{FFFD}".repeat(SIZE / 3)),
    ]
}
