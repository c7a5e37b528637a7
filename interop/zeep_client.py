"""zeep, driven by nothing but the WSDL the server serves."""

import requests
import zeep

from case import Run
from clients import register
from ews import CallInformation


class EwsError(Exception):
    """zeep returns answers of ResponseClass Error like any other; a program has to look."""


class Zeep:
    def __init__(self, run: Run, url: str, user: str, password: str):
        session = requests.Session()
        session.auth = (user, password)
        transport = zeep.Transport(session=session, timeout=10, operation_timeout=10)
        self.service = zeep.Client(f"{url}/EWS/Services.wsdl", transport=transport).service

    def checked(self, answer):
        # An operation with output headers comes back as both parts.
        body = getattr(answer, "body", answer)
        if body.ResponseClass != "Success":
            raise EwsError(f"{body.ResponseCode}: {body.MessageText}")
        return body

    def play(self, item: str, number: str) -> str:
        return self.checked(self.service.PlayOnPhone(ItemId={"Id": item}, DialString=number)).PhoneCallId.Id

    def info(self, call: str) -> CallInformation:
        told = self.checked(self.service.GetPhoneCallInformation(PhoneCallId={"Id": call})).PhoneCallInformation
        return CallInformation(
            told.PhoneCallState, told.ConnectionFailureCause, told.SIPResponseText, told.SIPResponseCode
        )

    def disconnect(self, call: str):
        self.checked(self.service.DisconnectPhoneCall(PhoneCallId={"Id": call}))


register("zeep", Zeep)
