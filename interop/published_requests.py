"""The DisconnectPhoneCall requests that Microsoft's documentation prints, sent as printed, end a live call.

The two editions spell some namespaces `https://`, each in its own way. Only the id in them is replaced. The answer is the
printed one, its namespaces in `http://`, with our own version numbers.
"""

from pathlib import Path

from lxml import etree

from case import Run, case, check
from server import Onhook
from sipp import Sipp, hear

PRINTED = Path(__file__).parent.parent / "crates" / "ews" / "tests" / "fixtures"
PRINTED_ID = b"OWVl4NWb3N29t"
VERSION_INFO = "{http://schemas.microsoft.com/exchange/services/2006/types}ServerVersionInfo"


def outline(document: bytes) -> list:
    """Every element with its attributes and words; of the server's version only which attributes it has."""
    elements = etree.fromstring(document).iter()
    return [
        (e.tag, sorted(e.attrib) if e.tag == VERSION_INFO else sorted(e.attrib.items()), (e.text or "").strip())
        for e in elements
    ]


def as_printed(run: Run, edition: str) -> str:
    phone = Sipp(run, "answer")
    server = Onhook(run, phone.uri)
    call = server.play()
    call.until("Connected")
    hear(run, phone)
    request = (PRINTED / f"{edition}.request.xml").read_bytes()
    check("places for the id", request.count(PRINTED_ID), 1)
    answer = server.client().post(request.replace(PRINTED_ID, call.id.encode()))
    check("HTTP status", answer.status, 200)
    printed = (PRINTED / f"{edition}.response.xml").read_bytes().replace(b"https://", b"http://")
    check("the answer", outline(answer.body), outline(printed))
    ended = call.info()
    check("how it ended", (ended.state, ended.cause), ("Disconnected", "None"))
    return f"{answer.code}, {ended.state}/{ended.cause} | " + phone.finish("INVITE> <100 <200 ACK> BYE> <200")


@case("published/exchange-2010")
def exchange_2010(run: Run) -> str:
    return as_printed(run, "exchange-2010-documentation")


@case("published/client-developer")
def client_developer(run: Run) -> str:
    return as_printed(run, "exchange-client-developer-documentation")
