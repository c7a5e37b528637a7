"""node-ews, unmodified, which fetches WSDL and schemas from the server before its first call."""

import json
import select
import subprocess
from pathlib import Path

from case import Failed, Run
from clients import register
from ews import CallInformation


class NodeEwsError(Exception):
    """What node-ews rejects its promise with, or an answer of ResponseClass Error, which it resolves with."""


class NodeEws:
    def __init__(self, run: Run, url: str, user: str, password: str):
        self.run = run
        self.folder = run.folder / "node-ews"
        self.folder.mkdir()
        self.process = run.spawn(
            "node-ews", "node", Path(__file__).parent / "node" / "client.js", url, user, password, self.folder,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip

    def ask(self, operation: str, **arguments) -> dict:
        self.process.stdin.write(json.dumps([operation, arguments]) + "\n")
        if not select.select([self.process.stdout], [], [], self.run.left())[0]:
            raise Failed(f"node-ews does not answer {operation}")
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise NodeEwsError(f"{answer['error']['name']}: {answer['error']['message']}")
        result = answer["result"]
        if result["attributes"]["ResponseClass"] != "Success":
            raise NodeEwsError(f"{result['ResponseCode']}: {result['MessageText']}")
        return result

    def play(self, item: str, number: str) -> str:
        answer = self.ask("PlayOnPhone", ItemId={"attributes": {"Id": item}}, DialString=number)
        return answer["PhoneCallId"]["attributes"]["Id"]

    def info(self, call: str) -> CallInformation:
        told = self.ask("GetPhoneCallInformation", PhoneCallId={"attributes": {"Id": call}})["PhoneCallInformation"]
        code = told.get("SIPResponseCode")
        return CallInformation(
            told["PhoneCallState"], told["ConnectionFailureCause"], told.get("SIPResponseText"), code and int(code)
        )

    def disconnect(self, call: str):
        self.ask("DisconnectPhoneCall", PhoneCallId={"attributes": {"Id": call}})


register("node-ews", NodeEws)
