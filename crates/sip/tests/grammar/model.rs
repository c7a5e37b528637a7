//! A message as its parts, and the ways to write it down.

use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::values::{self, Address, MAY, MUST, Text};

/// What a valid message says, marks for blanks included.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) start: Start,
    pub(crate) vias: Vec<String>,
    pub(crate) sent_by: String,
    pub(crate) branch: String,
    pub(crate) from: Address,
    pub(crate) from_tag: String,
    pub(crate) to: Address,
    pub(crate) to_tag: Option<String>,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) method: String,
    pub(crate) contacts: Vec<Address>,
    pub(crate) record_route: Vec<Address>,
    pub(crate) others: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) enum Start {
    /// The Request-URI, and whether it is one that is served.
    Request(String, bool),
    Response(u16, String),
}

/// How the same message may be written otherwise: dice that are rolled where there is a choice.
#[derive(Clone, Debug)]
pub(crate) struct Spelling(pub(crate) Vec<u8>);

/// Names that mean something have a compact form or are looked at; an extension has neither.
fn extension() -> Text {
    values::token()
        .prop_filter("no header that is known", |name| {
            let name = name.to_ascii_lowercase();
            name.len() > 1 && !KNOWN.contains(&name.as_str())
        })
        .boxed()
}

const KNOWN: [&str; 10] = [
    "via", "from", "to", "cseq", "call-id", "contact", "route", "require", "allow", "event",
];

pub(crate) fn model() -> impl Strategy<Value = Model> {
    let parameters = || vec(values::generic_param(), 0..3).prop_map(|parameters| parameters.concat());
    let method = prop_oneof![
        select(vec!["INVITE", "BYE", "OPTIONS", "REGISTER", "ACK", "CANCEL", "INFO"]).prop_map(str::to_owned),
        values::token().prop_filter("no version", |token| !token.starts_with("SIP")),
    ];
    let start = prop_oneof![
        4 => values::sip_uri(false).prop_map(|uri| Start::Request(uri, true)),
        1 => values::absolute_uri().prop_map(|uri| Start::Request(uri, false)),
        3 => (100_u16..700, "([!-~äß電]{1,5}( [!-~äß電]{1,5}){0,2})?").prop_map(|(status, reason)| Start::Response(status, reason)),
    ];
    let sent_by = (values::host(), option::of(any::<u16>()))
        .prop_map(|(host, port)| port.map_or(host.clone(), |port| format!("{host}{MAY}:{MAY}{port}")));
    let branch = prop_oneof![
        values::token().prop_map(|token| format!("z9hG4bK{token}")),
        values::token(),
    ];
    let via = || {
        let protocol = select(vec!["UDP", "TCP", "TLS", "SCTP", "x-Own"]);
        (protocol, values::host(), parameters()).prop_map(|(protocol, host, parameters)| {
            format!("SIP{MAY}/{MAY}2.0{MAY}/{MAY}{protocol}{MUST}{host}{parameters}")
        })
    };
    let top = (
        select(vec!["UDP", "TCP", "TLS"]),
        sent_by,
        parameters(),
        branch,
        parameters(),
    );
    let identity = (
        values::address(parameters().boxed()),
        values::token(),
        values::address(parameters().boxed()),
        option::of(values::token()),
        values::call_id(),
        0_u32..=u32::MAX >> 1,
    );
    let lists = (
        vec(values::address(parameters().boxed()), 0..3),
        vec(
            values::address(parameters().boxed()).prop_filter("<>", |hop| hop.text.contains('<')),
            0..3,
        ),
        vec((extension(), values::text()), 0..4),
        vec(any::<u8>(), 0..20),
    );
    (start, method, top, vec(via(), 0..3), identity, lists).prop_map(
        |(start, method, top, further, identity, lists)| {
            let (protocol, sent_by, before, branch, after) = top;
            let (from, from_tag, to, to_tag, call_id, cseq) = identity;
            let (contacts, record_route, others, body) = lists;
            let tagged = |mut address: Address, tag: &str| {
                address.text += &values::parameter("tag", tag);
                address
            };
            let branch_parameter = values::parameter("branch", &branch);
            let top = format!("SIP{MAY}/{MAY}2.0{MAY}/{MAY}{protocol}{MUST}{sent_by}{before}{branch_parameter}{after}");
            Model {
                start,
                vias: std::iter::once(top).chain(further).collect(),
                sent_by: plain(&sent_by),
                branch,
                from: tagged(from, &from_tag),
                from_tag,
                to: to_tag.iter().fold(to, |to, tag| tagged(to, tag)),
                to_tag,
                call_id,
                cseq,
                method,
                contacts,
                record_route,
                others,
                body,
            }
        },
    )
}

pub(crate) fn spelling() -> impl Strategy<Value = Spelling> {
    vec(any::<u8>(), 40..80).prop_map(Spelling)
}

/// A value without the blanks that may be left out.
pub(crate) fn plain(value: &str) -> String {
    value.replace(MAY, "").replace(MUST, " ")
}

impl Model {
    pub(crate) fn start_line(&self) -> String {
        match &self.start {
            Start::Request(uri, _) => format!("{} {uri} SIP/2.0", self.method),
            Start::Response(status, reason) => format!("SIP/2.0 {status} {reason}"),
        }
    }

    /// Name, compact name, and the entries of each header; those of a list may share a line.
    fn headers(&self) -> Vec<(String, &'static str, Vec<String>)> {
        let texts = |addresses: &[Address]| addresses.iter().map(|address| address.text.clone()).collect::<Vec<_>>();
        let mut headers = vec![
            ("Via".to_owned(), "v", self.vias.clone()),
            ("From".to_owned(), "f", vec![self.from.text.clone()]),
            ("To".to_owned(), "t", vec![self.to.text.clone()]),
            ("Call-ID".to_owned(), "i", vec![self.call_id.clone()]),
            (
                "CSeq".to_owned(),
                "",
                vec![format!("{}{MUST}{}", self.cseq, self.method)],
            ),
            ("Contact".to_owned(), "m", texts(&self.contacts)),
            ("Record-Route".to_owned(), "", texts(&self.record_route)),
        ];
        let others = self.others.iter();
        headers.extend(others.map(|(name, value)| (name.clone(), "", vec![value.clone()])));
        headers.push(("Content-Length".to_owned(), "l", vec![self.body.len().to_string()]));
        headers
    }

    /// The message in the one spelling that is printed.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let mut text = self.start_line() + "\r\n";
        for (name, _, entries) in self.headers() {
            for entry in entries {
                text += &format!("{name}: {}\r\n", plain(&entry));
            }
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The same message, otherwise: compact names, any case, folded, in another order, several values a line.
    pub(crate) fn spelled(&self, spelling: &Spelling) -> Vec<u8> {
        let mut dice = Dice {
            octets: &spelling.0,
            at: 0,
        };
        let mut lines: Vec<(String, String)> = Vec::new();
        for (name, compact, entries) in self.headers() {
            let mut values: Vec<String> = Vec::new();
            for entry in entries {
                match values.last_mut() {
                    Some(last) if dice.roll(2) == 0 => *last += &format!("{MAY},{MAY}{entry}"),
                    _ => values.push(entry),
                }
            }
            for value in values {
                let name = match dice.roll(4) {
                    0 if !compact.is_empty() => compact.to_owned(),
                    1 => name.to_ascii_uppercase(),
                    2 => name.to_ascii_lowercase(),
                    _ => name.clone(),
                };
                lines.push((name, value));
            }
        }
        // Whole headers change places; lines of one keep their order.
        let turn = dice.roll(lines.len());
        let is_list =
            |name: &str| ["via", "v", "contact", "m", "record-route"].contains(&name.to_ascii_lowercase().as_str());
        let (lists, mut singles): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(name, _)| is_list(name));
        let most = singles.len().max(1);
        singles.rotate_left(turn % most);
        let mut text = self.start_line() + "\r\n";
        let mut both = (lists.into_iter(), singles.into_iter());
        loop {
            let next = if dice.roll(2) == 0 {
                both.0.next().or_else(|| both.1.next())
            } else {
                both.1.next().or_else(|| both.0.next())
            };
            let Some((name, value)) = next else { break };
            text += &format!("{name}{}:{}", [" ", "\t", "", ""][dice.roll(4)], dice.blanks(false));
            for character in value.chars() {
                match character {
                    MAY => text += dice.blanks(false),
                    MUST => text += dice.blanks(true),
                    other => text.push(other),
                }
            }
            text += ["", "", " ", "\r\n "][dice.roll(4)];
            text += "\r\n";
        }
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

struct Dice<'d> {
    octets: &'d [u8],
    at: usize,
}

impl Dice<'_> {
    /// Less than `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.at += 1;
        usize::from(self.octets[self.at % self.octets.len()]) % sides
    }

    fn blanks(&mut self, at_least_one: bool) -> &'static str {
        let blanks = [" ", "\t", "  ", "\r\n ", " \t\r\n\t\t", "", "", ""];
        blanks[self.roll(if at_least_one { 5 } else { blanks.len() })]
    }
}
