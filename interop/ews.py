"""The plainest EWS client: text in, text out. Every answer it gets is validated against both sets of schemas."""

import base64
import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr, escape

from lxml import etree

from case import Failed, Run
import schemas

NAMESPACES = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "e": "http://schemas.microsoft.com/exchange/services/2006/errors",
}

ENVELOPE = """\
<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="{s}" xmlns:m="{m}" xmlns:t="{t}">
<s:Header><t:RequestServerVersion Version="{version}"/></s:Header>
<s:Body>{body}</s:Body>
</s:Envelope>"""


@dataclass(frozen=True)
class CallInformation:
    state: str
    cause: str
    text: str | None
    code: int | None

    def __str__(self):
        sip = "" if self.code is None else f" {self.code} {self.text}"
        return f"{self.state}/{self.cause}{sip}"


class Answer:
    """One HTTP answer of the server, and what its SOAP body says."""

    def __init__(self, status: int, headers, body: bytes):
        self.status = status
        self.headers = headers
        self.body = body
        self.xml = etree.fromstring(body) if "xml" in headers.get("Content-Type", "") else None

    def find(self, path: str):
        return None if self.xml is None else self.xml.find(path, NAMESPACES)

    def words(self, path: str) -> str | None:
        found = self.find(path)
        return None if found is None else found.text

    @property
    def code(self) -> str | None:
        """The response code: of the answer, or else of the fault."""
        return self.words("s:Body/*/m:ResponseCode") or self.words("s:Body/s:Fault/detail/e:ResponseCode")

    @property
    def text(self) -> str | None:
        return self.words("s:Body/*/m:MessageText") or self.words("s:Body/s:Fault/faultstring")

    @property
    def phone_call_id(self) -> str:
        found = self.find("s:Body/m:PlayOnPhoneResponse/m:PhoneCallId")
        if found is None:
            raise Failed(f"PlayOnPhone: HTTP {self.status} {self.code} {self.text}")
        return found.get("Id")

    @property
    def call_information(self) -> CallInformation:
        base = "s:Body/m:GetPhoneCallInformationResponse/m:PhoneCallInformation/t:"
        state = self.words(f"{base}PhoneCallState")
        if state is None:
            raise Failed(f"GetPhoneCallInformation: HTTP {self.status} {self.code} {self.text}")
        code = self.words(f"{base}SIPResponseCode")
        return CallInformation(
            state, self.words(f"{base}ConnectionFailureCause"), self.words(f"{base}SIPResponseText"), code and int(code)
        )


class Ews:
    def __init__(self, run: Run, url: str, user: str, password: str):
        self.run = run
        self.address = urlsplit(url).netloc
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Content-Type": "text/xml; charset=utf-8", "Authorization": f"Basic {token}"}

    def request(self, method: str, path: str, body: bytes = b"", headers: dict | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=min(10, self.run.left()))
        try:
            connection.request(method, path, body, self.headers if headers is None else headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, envelope: bytes) -> Answer:
        """Sends an envelope as it is. The answer has been validated."""
        with open(self.run.folder / "ews.log", "ab") as log:
            log.write(b"> " + envelope + b"\n")
            answer = self.request("POST", "/EWS/Exchange.asmx", envelope)
            log.write(b"< %d " % answer.status + answer.body + b"\n")
        if answer.xml is not None:
            schemas.published().validate(answer.body)
            schemas.served(self).validate(answer.body)
        return answer

    def ask(self, body: str, version: str = "Exchange2013") -> Answer:
        return self.post(ENVELOPE.format(body=body, version=version, **NAMESPACES).encode())

    def play(self, item: str, number: str) -> Answer:
        return self.ask(
            f"<m:PlayOnPhone><m:ItemId Id={quoteattr(item)}/><m:DialString>{escape(number)}</m:DialString></m:PlayOnPhone>"
        )

    def info(self, phone_call_id: str) -> Answer:
        return self.ask(
            f"<m:GetPhoneCallInformation><m:PhoneCallId Id={quoteattr(phone_call_id)}/></m:GetPhoneCallInformation>"
        )

    def disconnect(self, phone_call_id: str) -> Answer:
        return self.ask(f"<m:DisconnectPhoneCall><m:PhoneCallId Id={quoteattr(phone_call_id)}/></m:DisconnectPhoneCall>")
