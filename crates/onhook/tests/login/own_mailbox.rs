//! What the caller's own address and ids are good for: `ActingAs` of GetServiceConfiguration, and ConvertId.

use ews::{AlternateId, ConvertId, GetServiceConfiguration, IdFormat, ServerVersion, ServiceConfiguration, Subject};

use crate::house::{Answer, House, PASSWORD, basic};

const DOMAIN: &str = "[login]\ndomains = [\"example.com\"]\n";

async fn configuration(house: &House, user: &str, acting_as: &str) -> Answer {
    let asked = GetServiceConfiguration {
        acting_as: Some(acting_as.to_owned()),
        requested: vec![ServiceConfiguration::UnifiedMessagingConfiguration],
    };
    let document = asked.encode(ServerVersion::EXCHANGE_2013);
    house.ask(&basic(user, PASSWORD), &document).await
}

#[tokio::test(flavor = "multi_thread")]
async fn acting_as_one_s_own_address_is_acting_as_oneself() {
    let house = House::plain(DOMAIN).await;
    for own in ["alice", "Alice", "alice@example.com", " ALICE@Example.COM "] {
        let told = configuration(&house, "alice", own).await;
        assert!(told.body.contains("UmEnabled"), "{own}: {}", told.body);
    }
    for other in [
        "bob@example.com",
        "nobody@example.com",
        "alice@evil.example",
        "alice@evil.example@example.com",
        "@example.com",
        "",
    ] {
        let told = configuration(&house, "alice", other).await;
        assert!(told.body.contains("ErrorInvalidArgument"), "{other}: {}", told.body);
    }
    let house = House::plain("").await;
    let told = configuration(&house, "alice", "alice@example.com").await;
    assert!(
        told.body.contains("ErrorInvalidArgument"),
        "whose domain that is, nobody said"
    );
}

/// The answer to one id, in the words of the schema.
async fn converted(house: &House, format: IdFormat, id: &str, destination_format: IdFormat) -> String {
    let asked = ConvertId {
        destination_format,
        source_ids: vec![AlternateId {
            format,
            subject: Subject::Mailbox {
                id: id.to_owned(),
                mailbox: "alice@example.com".to_owned(),
            },
        }],
    };
    let document = asked.encode(ServerVersion::EXCHANGE_2013);
    let answer = house.ask(&basic("alice", PASSWORD), &document).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (_, message) = answer.body.split_once("<ConvertIdResponseMessage ").unwrap();
    message.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_one_s_own_is_the_same_in_each_format_that_has_it() {
    let house = House::plain("").await;
    let own = house.item("alice");
    let formats = [IdFormat::EwsId, IdFormat::EwsLegacyId, IdFormat::OwaId];
    for from in formats {
        for to in formats {
            let told = converted(&house, from, own, to).await;
            let id = format!(
                "xsi:type=\"t:AlternateIdType\" Format=\"{}\" Id=\"{own}\" Mailbox=\"alice@example.com\"/>",
                to.name()
            );
            assert!(
                told.starts_with("ResponseClass=\"Success\"") && told.contains(&id),
                "{told}"
            );
        }
        for to in [IdFormat::EntryId, IdFormat::HexEntryId, IdFormat::StoreId] {
            let told = converted(&house, from, own, to).await;
            assert!(told.contains("ErrorUnsupportedTypeForConversion"), "{told}");
        }
    }
    for (id, from, code) in [
        ("", IdFormat::EwsId, "ErrorInvalidIdEmpty"),
        ("DUMMY", IdFormat::EwsId, "ErrorInvalidIdMalformed"),
        (own, IdFormat::EntryId, "ErrorInvalidIdMalformed"),
        (own, IdFormat::HexEntryId, "ErrorInvalidIdMalformed"),
        (own, IdFormat::StoreId, "ErrorInvalidIdMalformed"),
    ] {
        let told = converted(&house, from, id, IdFormat::EwsId).await;
        assert!(told.contains(code), "{id} {from:?}: {told}");
    }
}

/// Promise 7, for messages.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_s_id_converts_as_an_unknown_one_does() {
    let house = House::plain("").await;
    let unknown = "AAAAAAAAAAAAAAAAAAAAAA";
    for to in [IdFormat::EwsId, IdFormat::OwaId, IdFormat::EntryId] {
        let of_bob = converted(&house, IdFormat::EwsId, house.item("bob"), to).await;
        let of_nobody = converted(&house, IdFormat::EwsId, unknown, to).await;
        assert!(of_bob.contains("ErrorItemNotFound"), "{of_bob}");
        assert_eq!(of_bob, of_nobody);
    }
}
