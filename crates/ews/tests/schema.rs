//! Everything we send is valid by the schemas we serve, as libxml2 sees it; and what we refuse, it refuses.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ews::wsdl::{messages_xsd, services_wsdl, types_xsd};
use ews::{DecodeOptions, ResponseCode, ServerVersion, decode, examples};

/// A folder with the served schemas, an envelope around them, and `documents`.
fn folder(name: &str, documents: &[(String, String)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let schemas = [
        (
            "Services.wsdl",
            services_wsdl(Some("http://localhost/EWS/Exchange.asmx")).as_str(),
        ),
        ("messages.xsd", messages_xsd()),
        ("types.xsd", types_xsd()),
        ("envelope.xsd", include_str!("fixtures/envelope.xsd")),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()));
    for (name, text) in schemas.iter().chain(documents) {
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

fn xmllint(folder: &Path, arguments: &[&str], files: impl IntoIterator<Item = String>) -> Output {
    Command::new("xmllint")
        .current_dir(folder)
        .args(["--noout", "--nonet"])
        .args(arguments)
        .args(files)
        .output()
        .expect("xmllint could not be run: `make setup` installs it (Debian: libxml2-utils)")
}

fn assert_valid(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_document_we_send_is_valid() {
    let documents: Vec<_> = examples()
        .into_iter()
        .map(|example| (format!("{}.xml", example.name), example.document))
        .collect();
    assert!(documents.len() > 5 * ResponseCode::ALL.len());
    let folder = folder("examples", &documents);
    let names = documents.into_iter().map(|(name, _)| name);
    assert_valid(&xmllint(&folder, &["--schema", "envelope.xsd"], names));
}

#[test]
fn the_service_description_is_well_formed() {
    let folder = folder("description", &[]);
    assert_valid(&xmllint(&folder, &[], ["Services.wsdl".to_owned()]));
}

/// Requests with something wrong: a validator and we agree that they are.
#[test]
fn a_validator_refuses_what_we_refuse() {
    let bodies = [
        "<m:DisconnectPhoneCall/>",
        "<m:DisconnectPhoneCall><m:PhoneCallId/></m:DisconnectPhoneCall>",
        "<m:DisconnectPhoneCall><m:PhoneCallId Id='x' Key='y'/></m:DisconnectPhoneCall>",
        "<m:DisconnectPhoneCall><m:PhoneCallId Id='x'>y</m:PhoneCallId></m:DisconnectPhoneCall>",
        "<m:DisconnectPhoneCall><t:PhoneCallId Id='x'/></m:DisconnectPhoneCall>",
        "<m:DisconnectPhoneCall Id='x'><m:PhoneCallId Id='x'/></m:DisconnectPhoneCall>",
        "<m:DisconnectPhoneCall>text<m:PhoneCallId Id='x'/></m:DisconnectPhoneCall>",
        "<m:PlayOnPhone><m:ItemId Id='x'/></m:PlayOnPhone>",
        "<m:PlayOnPhone><m:DialString/><m:ItemId Id='x'/></m:PlayOnPhone>",
        "<m:PlayOnPhone><m:ItemId Id='x'/><m:DialString><m:b/></m:DialString></m:PlayOnPhone>",
        "<m:GetServiceConfiguration/>",
        "<m:GetServiceConfiguration><m:RequestedConfiguration/></m:GetServiceConfiguration>",
        "<m:GetServiceConfiguration><m:RequestedConfiguration><m:ConfigurationName>X</m:ConfigurationName></m:RequestedConfiguration></m:GetServiceConfiguration>",
        "<m:GetServiceConfiguration><m:ActingAs><t:RoutingType>x</t:RoutingType><t:Name/></m:ActingAs><m:RequestedConfiguration><m:ConfigurationName/></m:RequestedConfiguration></m:GetServiceConfiguration>",
        "<m:ConvertId DestinationFormat='EwsId'/>",
        "<m:ConvertId DestinationFormat='EwsId'><m:SourceIds/></m:ConvertId>",
        "<m:ConvertId DestinationFormat='EwsId'><m:SourceIds><t:AlternateId Format='EwsId' Id=''/></m:SourceIds></m:ConvertId>",
        "<m:ConvertId DestinationFormat='EwsId'><m:SourceIds><t:AlternateId Format='EwsId' Id='x' Mailbox=''/></m:SourceIds></m:ConvertId>",
        "<m:ConvertId><m:SourceIds><t:AlternateId Format='EwsId' Id='' Mailbox='x'/></m:SourceIds></m:ConvertId>",
        "<m:GetItem/>",
    ];
    let documents: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| {
            let document = format!(
                "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
                 xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages' \
                 xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'><s:Header>\
                 <t:RequestServerVersion Version='Exchange2013'/></s:Header><s:Body>{body}</s:Body></s:Envelope>"
            );
            (format!("{index}.xml"), document)
        })
        .collect();
    let folder = folder("refused", &documents);
    for (name, document) in documents {
        let theirs = xmllint(&folder, &["--schema", "envelope.xsd"], [name]);
        assert_eq!(theirs.status.code(), Some(3), "xmllint accepts {document}");
        assert!(
            decode(document.as_bytes(), &DecodeOptions::default()).is_err(),
            "we accept {document}"
        );
    }
}

#[test]
fn the_schema_lists_the_codes_and_versions_there_are() {
    for code in ResponseCode::ALL {
        assert!(messages_xsd().contains(&format!("<xs:enumeration value=\"{}\"/>", code.name())));
    }
    // One more for NoError.
    assert_eq!(
        messages_xsd().matches("<xs:enumeration").count(),
        ResponseCode::ALL.len() + 1
    );
    for version in ServerVersion::all() {
        assert!(types_xsd().contains(&format!("<xs:enumeration value=\"{}\"/>", version.name())));
    }
}

#[test]
fn the_description_names_an_address_only_when_there_is_one() {
    assert!(!services_wsdl(None).contains("wsdl:service"));
    let with_address = services_wsdl(Some("https://example.org/EWS/Exchange.asmx?a=1&b=2"));
    assert!(with_address.contains("<soap:address location=\"https://example.org/EWS/Exchange.asmx?a=1&amp;b=2\"/>"));
    assert!(with_address.trim_end().ends_with("</wsdl:definitions>"));
}
