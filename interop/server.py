"""`onhook serve` as the tests start it: its own folder, system-chosen ports, one user, one message."""

import json
from pathlib import Path

from case import Run
from ews import Ews
import sound

NUMBER = "1001"
USER = "alice"
PASSWORD = "Correct-Horse-9"

SIP_LISTEN = 'listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]'
CONFIG = """\
[http]
listen = "127.0.0.1:0"
{http}
[sip]
{sip_listen}

[[trunk]]
name = "pbx"
next_hop = "{next_hop}"
keepalive = "{keepalive}"
{trunk}
[store]
path = "onhook.db"

[calls]
ring_limit = "{ring_limit}"
disconnect_wait = "2s"
# Cases call one number again and again.
max_live_per_trunk = 1000
starts_per_second_per_trunk = 1000
starts_per_minute_per_mailbox = 1000
starts_per_hour_per_mailbox = 1000
minutes_per_day_per_mailbox = 100000
starts_per_minute_per_address = 1000
starts_per_ten_minutes_per_number = 1000
{calls}
[dial]
allow = ["^[0-9]{{2,6}}$"]
"""


class Onhook:
    """A running server with one user (`USER`) and one voice message (`item`)."""

    def __init__(
        self,
        run: Run,
        next_hop: str,
        trunk: str = "",
        keepalive: str = "0s",
        ring_limit: str = "30s",
        message: Path | None = None,
        calls: str = "",
        http: str = "",
    ):
        self.run = run
        self.config = run.folder / "onhook.toml"
        self.config.write_text(
            CONFIG.format(sip_listen=SIP_LISTEN, next_hop=next_hop, trunk=trunk, keepalive=keepalive, ring_limit=ring_limit, calls=calls, http=http)
        )
        self.cli("user", "add", USER, given=f"{PASSWORD}\n")
        self.item = self.voicemail(message or sound.message(run.folder / "message.wav"))
        self.start()

    def cli(self, *words, given: str = "") -> str:
        return self.run.call("onhook-cli", self.run.onhook, *words, "--config", self.config, given=given)

    def voicemail(self, file: Path) -> str:
        """Stores a message for `USER` and returns its ItemId."""
        return self.cli("voicemail", "add", "--mailbox", USER, file).strip()

    def start(self):
        ready = self.run.folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.process = self.run.spawn("onhook", self.run.onhook, "serve", "--config", self.config, "--ready-file", ready)
        text = self.run.until("onhook says it is ready", lambda: self.ready_text(ready))
        self.bound = json.loads(text)
        self.url = f"http://{self.bound['http'][0]}"

    def kill(self):
        """As a power cut does: nothing is said to anybody. What is started then has the same SIP ports, as a file with ports has."""
        self.process.kill()
        self.process.wait()
        listen = f"listen = {json.dumps(self.bound['sip'])}"
        self.config.write_text(self.config.read_text().replace(SIP_LISTEN, listen))

    def ready_text(self, ready: Path) -> str:
        if self.process.poll() is not None:
            raise AssertionError(f"onhook serve exited with {self.process.returncode}; see {self.run.folder}/onhook.log")
        text = ready.read_text() if ready.exists() else ""
        return text if text.rstrip().endswith("}") else ""

    def client(self, user: str = USER, password: str = PASSWORD) -> Ews:
        return Ews(self.run, self.url, user, password)

    def play(self, number: str = NUMBER) -> "Call":
        """Has the message played to `number`, with the plainest of clients."""
        client = self.client()
        return Call(self.run, client, client.play(self.item, number).phone_call_id)


class Call:
    """A call as EWS shows it."""

    def __init__(self, run: Run, client: Ews, phone_call_id: str):
        self.run = run
        self.client = client
        self.id = phone_call_id

    def info(self):
        return self.client.info(self.id).call_information

    def until(self, state: str, within: float = 10):
        """Follows the call until its state is `state`; returns what EWS then says of it."""

        def probe():
            seen.append(self.info())
            return seen[-1] if seen[-1].state == state else None

        seen = []
        try:
            return self.run.until(f"the call is {state}", probe, within)
        except AssertionError as failure:
            raise type(failure)(f"{failure}; it is {seen[-1]}") from None

    def hang_up(self):
        answer = self.client.disconnect(self.id)
        if answer.code != "NoError":
            raise AssertionError(f"DisconnectPhoneCall: {answer.code} {answer.text}")
        return answer
