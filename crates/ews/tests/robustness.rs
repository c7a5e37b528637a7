//! Whatever comes in, decoding ends without a panic, and what is accepted is XML; what we encode, we decode to the same
//! (promise 9).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use ews::{
    AlternateId, ConvertId, DecodeOptions, DisconnectPhoneCall, GetPhoneCallInformation, GetServiceConfiguration,
    IdFormat, ItemId, Operation, PhoneCallId, PlayOnPhone, ServerVersion, Subject, decode, examples,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

static EXAMPLES: LazyLock<Vec<ews::Example>> = LazyLock::new(examples);

/// Text XML can hold, with much of what needs care.
const TEXT: &str = "[ -~\\t\\n\\r<>&\"'éλ中\u{10000}]{0,40}";

#[derive(Clone, Debug)]
enum Edit {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, String),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || any::<prop::sample::Index>();
    let fragment = "[<>/&;:='\"!?\\[\\]-]{1,4}|<!\\[CDATA\\[|&#[x0-9]{1,4};|xmlns(:[a-z])?=''|</[a-z]>";
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (at(), fragment).prop_map(|(at, text)| Edit::Insert(at, text)),
        (at(), 1..40usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (at(), 1..80usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn apply(document: &mut Vec<u8>, edit: Edit) {
    if document.is_empty() {
        return;
    }
    match edit {
        Edit::Replace(at, byte) => {
            let at = at.index(document.len());
            document[at] = byte;
        }
        Edit::Insert(at, text) => {
            let at = at.index(document.len());
            document.splice(at..at, text.into_bytes());
        }
        Edit::Remove(at, length) => {
            let at = at.index(document.len());
            document.drain(at..document.len().min(at + length));
        }
        Edit::Repeat(at, length) => {
            let at = at.index(document.len());
            let part = document[at..document.len().min(at + length)].to_vec();
            document.splice(at..at, part);
        }
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let id = || TEXT.prop_map(PhoneCallId);
    let format = || prop::sample::select(IdFormat::ALL.to_vec());
    let mailbox = TEXT.prop_filter("no mailbox is called nothing", |mailbox| !mailbox.is_empty());
    let subject = prop_oneof![
        (TEXT, mailbox).prop_map(|(id, mailbox)| Subject::Mailbox { id, mailbox }),
        (TEXT, prop::option::of(TEXT)).prop_map(|(folder_id, item_id)| Subject::PublicFolder { folder_id, item_id }),
    ];
    let source_id = (format(), subject).prop_map(|(format, subject)| AlternateId { format, subject });
    let requested = prop::sample::select(ews::ServiceConfiguration::ALL.to_vec());
    prop_oneof![
        (TEXT, prop::option::of(TEXT), TEXT).prop_map(|(id, change_key, dial_string)| {
            Operation::PlayOnPhone(PlayOnPhone {
                item_id: ItemId { id, change_key },
                dial_string,
            })
        }),
        id().prop_map(|phone_call_id| Operation::DisconnectPhoneCall(DisconnectPhoneCall { phone_call_id })),
        id().prop_map(|phone_call_id| Operation::GetPhoneCallInformation(GetPhoneCallInformation { phone_call_id })),
        (prop::option::of(TEXT), prop::collection::vec(requested, 1..4)).prop_map(|(acting_as, requested)| {
            Operation::GetServiceConfiguration(GetServiceConfiguration { acting_as, requested })
        }),
        (format(), prop::collection::vec(source_id, 1..4)).prop_map(|(destination_format, source_ids)| {
            Operation::ConvertId(ConvertId {
                destination_format,
                source_ids,
            })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_edited_documents_never_panics(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let mut document = EXAMPLES[which.index(EXAMPLES.len())].document.clone().into_bytes();
        for edit in edits {
            apply(&mut document, edit);
        }
        let _ = decode(&document, &DecodeOptions::default());
        let _ = PlayOnPhone::decode_response(&document);
        let _ = GetPhoneCallInformation::decode_response(&document);
        let _ = DisconnectPhoneCall::decode_response(&document);
        let _ = GetServiceConfiguration::decode_response(&document);
    }

    #[test]
    fn requests_survive_the_wire(operation in operation()) {
        let document = operation.encode(ServerVersion::EXCHANGE_2013);
        let request = decode(document.as_bytes(), &DecodeOptions { strict_namespaces: true }).unwrap();
        prop_assert_eq!(request.operation, operation);
        prop_assert_eq!(request.server_version, Some(ServerVersion::EXCHANGE_2013));
    }
}

/// quick-xml is forgiving; what it forgives has to be refused by us. libxml2 is the judge.
#[test]
fn what_is_accepted_of_edited_requests_is_well_formed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("accepted");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut runner = TestRunner::deterministic();
    let requests = Operation::examples().len();
    let edits = prop::collection::vec(edit(), 1..4);
    let mut accepted = Vec::new();
    for index in 0..6_000 {
        let mut document = EXAMPLES[index % requests].document.clone().into_bytes();
        let edits = edits.new_tree(&mut runner).unwrap().current();
        edits.into_iter().for_each(|edit| apply(&mut document, edit));
        if decode(&document, &DecodeOptions::default()).is_ok() {
            let name = format!("{index}.xml");
            fs::write(folder.join(&name), &document).unwrap();
            accepted.push(name);
        }
    }
    assert!(accepted.len() > 20, "the edits leave too little intact to tell");
    let judged = Command::new("xmllint")
        .current_dir(&folder)
        .args(["--noout", "--nonet"])
        .args(&accepted)
        .output()
        .expect("xmllint could not be run: `make setup` installs it (Debian: libxml2-utils)");
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
}
