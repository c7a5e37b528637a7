"""exchangelib, which knows no phone operations, with the three small service classes it takes to teach it them.

Neither the authentication scheme nor the server's version is told: exchangelib finds both out by itself.
"""

from exchangelib import Configuration, Credentials
from exchangelib.protocol import FailFast, Protocol
from exchangelib.services.common import EWSService
from exchangelib.util import MNS, TNS, create_element
from exchangelib.version import EXCHANGE_2010

from case import Run
from clients import register
from ews import CallInformation


class PhoneService(EWSService):
    supported_from = EXCHANGE_2010

    def call(self, **words):
        return self._elems_to_objs(self._get_elements(payload=self.get_payload(**words)))

    def _elem_to_obj(self, elem):
        return elem

    def get_payload(self, phone_call_id):
        payload = create_element(f"m:{self.SERVICE_NAME}")
        payload.append(create_element("m:PhoneCallId", attrs={"Id": phone_call_id}))
        return payload


class PlayOnPhone(PhoneService):
    SERVICE_NAME = "PlayOnPhone"

    def get_payload(self, item_id, dial_string):
        payload = create_element(f"m:{self.SERVICE_NAME}")
        payload.append(create_element("m:ItemId", attrs={"Id": item_id}))
        number = create_element("m:DialString")
        number.text = dial_string
        payload.append(number)
        return payload

    @classmethod
    def _get_elements_in_container(cls, container):
        return container.findall(f"{{{MNS}}}PhoneCallId")


class GetPhoneCallInformation(PhoneService):
    SERVICE_NAME = "GetPhoneCallInformation"
    element_container_name = f"{{{MNS}}}PhoneCallInformation"

    @classmethod
    def _get_elements_in_container(cls, container):
        return [container]


class DisconnectPhoneCall(PhoneService):
    SERVICE_NAME = "DisconnectPhoneCall"
    returns_elements = False


class Exchangelib:
    def __init__(self, run: Run, url: str, user: str, password: str):
        # No shared protocol: it would outlive a wrong password.
        self.protocol = Protocol(
            config=Configuration(
                service_endpoint=f"{url}/EWS/Exchange.asmx",
                credentials=Credentials(user, password),
                retry_policy=FailFast(),
            )
        )

    def play(self, item: str, number: str) -> str:
        return PlayOnPhone(protocol=self.protocol).get(item_id=item, dial_string=number).get("Id")

    def info(self, call: str) -> CallInformation:
        told = GetPhoneCallInformation(protocol=self.protocol).get(phone_call_id=call)
        code = told.findtext(f"{{{TNS}}}SIPResponseCode")
        return CallInformation(
            told.findtext(f"{{{TNS}}}PhoneCallState"),
            told.findtext(f"{{{TNS}}}ConnectionFailureCause"),
            told.findtext(f"{{{TNS}}}SIPResponseText"),
            code and int(code),
        )

    def disconnect(self, call: str):
        DisconnectPhoneCall(protocol=self.protocol).get(phone_call_id=call)


register("exchangelib", Exchangelib)
