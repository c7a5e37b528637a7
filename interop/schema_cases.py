"""Every operation and every error that can be caused from outside: the right code, and an answer valid by both schemas.

`Ews.post` validates each answer, so it is enough to cause it.
"""

from ews import NAMESPACES, Ews
from case import Failed, Run, case, check
from server import NUMBER, Onhook
import schemas
from sound import Ear

# Well formed, but nobody was given it.
UNKNOWN = "AAAAAAAAAAAAAAAAAAAAAA"


def server(run: Run) -> tuple[Onhook, Ews]:
    """A server whose trunk leads to a port where nobody answers, so that calls stay up as long as they are wanted."""
    onhook = Onhook(run, f"sip:127.0.0.1:{Ear().port}")
    return onhook, onhook.client()


def said(**answers) -> str:
    return ", ".join(f"{label.replace('_', ' ')}: {answer.status} {answer.code}" for label, answer in answers.items())


def envelope(header: str, body: str) -> bytes:
    names = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())
    return f"<s:Envelope {names}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>".encode()


@case("schemas/play-on-phone")
def play_on_phone(run: Run) -> str:
    onhook, client = server(run)
    play = lambda number, item=onhook.item: client.play(item, number)
    return said(
        good=play(NUMBER),
        good_again=play(NUMBER),
        one_too_many=play(NUMBER),
        not_allowed=play("00900123456"),
        empty_number=play(""),
        letters=play("call me"),
        too_long=play("1" * 200),
        bad_SIP_address=play("sip:@"),
        other_SIP_address=play("sip:1001@192.0.2.1"),
        unknown_item=play(NUMBER, UNKNOWN),
        empty_item=play(NUMBER, ""),
        malformed_item=play(NUMBER, "not base64 at all!"),
    )


@case("schemas/phone-call-information")
def phone_call_information(run: Run) -> str:
    onhook, client = server(run)
    return said(good=client.info(onhook.play().id), unknown=client.info(UNKNOWN), empty=client.info(""))


@case("schemas/disconnect-phone-call")
def disconnect_phone_call(run: Run) -> str:
    onhook, client = server(run)
    call = onhook.play()
    return said(
        good=client.disconnect(call.id),
        again=client.disconnect(call.id),
        unknown=client.disconnect(UNKNOWN),
        empty=client.disconnect(""),
    )


@case("schemas/other-operations")
def other_operations(run: Run) -> str:
    onhook, client = server(run)
    configuration = client.ask(
        "<m:GetServiceConfiguration><m:RequestedConfiguration><m:ConfigurationName>UnifiedMessagingConfiguration"
        "</m:ConfigurationName></m:RequestedConfiguration></m:GetServiceConfiguration>"
    )
    convert = lambda item: client.ask(
        f'<m:ConvertId DestinationFormat="OwaId"><m:SourceIds><t:AlternateId Format="EwsId" Id="{item}" '
        'Mailbox="alice@example.com"/></m:SourceIds></m:ConvertId>'
    )
    probe = convert("AAA=")
    enabled = configuration.words(".//t:PlayOnPhoneEnabled")
    version = probe.find("s:Header/t:ServerVersionInfo")
    if version is None:
        raise Failed("the answer to ConvertId carries no ServerVersionInfo")
    converted = convert(onhook.item).find(".//m:AlternateId")
    check("the converted id", converted is not None and converted.get("Id"), onhook.item)
    asked = said(GetServiceConfiguration=configuration)
    return f"{asked} PlayOnPhoneEnabled {enabled}, ConvertId: {probe.status} {version.get('Version')}"


@case("schemas/faults")
def faults(run: Run) -> str:
    _, client = server(run)
    hang_up = f'<m:DisconnectPhoneCall><m:PhoneCallId Id="{UNKNOWN}"/></m:DisconnectPhoneCall>'
    return said(
        not_well_formed=client.post(b"<s:Envelope"),
        no_body_at_all=client.post(b""),
        empty_body=client.post(envelope("", "")),
        two_operations=client.post(envelope("", hang_up + hang_up)),
        unknown_operation=client.ask("<m:HangUpEverything/>"),
        operation_not_served=client.ask('<m:FindFolder Traversal="Shallow"/>'),
        missing_child=client.ask("<m:DisconnectPhoneCall/>"),
        wrong_order=client.ask('<m:PlayOnPhone><m:DialString>1</m:DialString><m:ItemId Id="x"/></m:PlayOnPhone>'),
        unknown_version=client.ask(hang_up, version="Exchange2099"),
        version_without_phones=client.ask(hang_up, version="Exchange2007_SP1"),
        header_not_understood=client.post(envelope('<x:Y xmlns:x="urn:x" s:mustUnderstand="1"/>', hang_up)),
    )


@case("schemas/every-request")
def every_request(run: Run) -> str:
    """Each request of the published schema is served, or is refused as one that is not; what is no request is a violation."""
    _, client = server(run)
    requests = schemas.published_requests()
    codes = {name: client.ask(f"<m:{name}/>").code for name in requests}
    # Served: an empty request lacks something.
    served = sorted(name for name, code in codes.items() if code == "ErrorSchemaValidation")
    refused = [name for name, code in codes.items() if code == "ErrorInvalidOperation"]
    check("requests with an answer of their own", len(served) + len(refused), len(requests))
    check("a response", client.ask("<m:GetItemResponse/>").code, "ErrorSchemaValidation")
    return f"served: {', '.join(served)}; not served: {len(refused)}"


@case("schemas/can-fail")
def can_fail(run: Run) -> str:
    """The validators refuse answers that are wrong, or else the other cases show nothing."""
    _, client = server(run)
    good = client.info(UNKNOWN).body.decode()
    wrong = {
        "a code of our own": good.replace("ErrorInvalidPhoneCallId", "ErrorPhoneOnFire"),
        "an unknown element": good.replace("</s:Body>", "<Extra/></s:Body>").replace("</soap:Body>", "<Extra/></soap:Body>"),
        "an unknown class": good.replace('"Error"', '"Fine"'),
    }
    for what, answer in wrong.items():
        if answer == good:
            raise Failed(f"the answer has no place for {what}: {good}")
        for validator in (schemas.published(), schemas.served(client)):
            try:
                validator.validate(answer.encode())
            except Failed:
                continue
            raise Failed(f"the {validator.name} schemas accept {what}")
    return f"refused: {', '.join(wrong)}"
