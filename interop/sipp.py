"""SIPp as the phone: a scenario file a case, and both views of it, the one of EWS and the one on the wire."""

import re
import statistics
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5, sha256
from pathlib import Path

from case import Failed, Run, case, check, free_port
from server import NUMBER, Onhook
from sound import Ear, message

SCENARIOS = Path(__file__).parent / "sipp"
TRUNK_USER, TRUNK_PASSWORD = "onhook", "trunk-secret"
CREDENTIALS = f'username = "{TRUNK_USER}"\npassword = "{TRUNK_PASSWORD}"\n'


@dataclass(frozen=True)
class Message:
    """One SIP message as SIPp logged it; `ours` when onhook sent it."""

    at: float
    ours: bool
    text: str

    @property
    def start(self) -> str:
        return self.text.split("\n", 1)[0].strip()

    @property
    def name(self) -> str:
        """The method, or the status code."""
        first, second = self.start.split(" ")[:2]
        return second if first.startswith("SIP/") else first

    def headers(self, name: str) -> list[str]:
        head = self.text.split("\n\n", 1)[0]
        return re.findall(rf"^{name}\s*:\s*(.*)$", head, re.IGNORECASE | re.MULTILINE)

    def header(self, name: str) -> str:
        return (self.headers(name) or [""])[0].strip()

    def __str__(self):
        return f"{self.name}>" if self.ours else f"<{self.name}"


class Sipp:
    def __init__(self, run: Run, scenario: str, transport: str = "udp", calls: int = 1):
        self.run = run
        self.ear = Ear()
        self.port = free_port()
        self.uri = f"sip:127.0.0.1:{self.port}" + (";transport=tcp" if transport == "tcp" else "")
        self.log = run.folder / "sipp-messages.log"
        process = run.spawn(
            "sipp", "sipp", "-sf", SCENARIOS / f"{scenario}.xml", "-i", "127.0.0.1", "-p", self.port,
            "-t", f"{transport[0]}1", "-mi", "127.0.0.1", "-mp", free_port(), "-key", "ear", self.ear.port, "-m", calls, "-nostdin",
            "-timeout", "100s", "-timeout_error", "-trace_msg", "-message_file", self.log,
            "-trace_err", "-error_file", run.folder / "sipp-errors.log",
        )  # fmt: skip
        run.listening(process, self.port, transport)

    def messages(self) -> list[Message]:
        """Everything on the wire so far, each retransmission once."""
        parts = re.split(r"^-{20,} (\S+ \S+)\n", self.log.read_text(), flags=re.MULTILINE)[1:]
        seen: dict[str, Message] = {}
        for stamp, part in zip(parts[::2], parts[1::2]):
            head, _, text = part.partition("\n\n")
            if text.strip():
                at = datetime.fromisoformat(stamp).timestamp()
                seen.setdefault(text, Message(at, "received" in head, text))
        return list(seen.values())

    def only(self, name: str, index: int = 0) -> Message:
        found = [message for message in self.messages() if message.name == name]
        if len(found) <= index:
            raise Failed(f"no {name} number {index + 1} on the wire: {self.ladder()}")
        return found[index]

    def ladder(self) -> str:
        """The messages in order. Whether we say 100 to a request is between two hops, and left out."""
        return " ".join(str(message) for message in self.messages() if str(message) != "100>")

    def finish(self, wanted: str) -> str:
        """Waits until SIPp is satisfied, and compares the ladder."""
        code = self.run.ended("sipp")
        errors = self.run.folder / "sipp-errors.log"
        if code:
            said = errors.read_text().strip()[:600] if errors.exists() else ""
            raise Failed(f"SIPp exited with {code}: {said} [{self.ladder()}]")
        check("the wire", self.ladder(), wanted)
        return wanted


def hear(run: Run, phone: Sipp, packets: int = 10):
    """Waits for that many RTP packets: 20 ms of PCMU each, in sequence. On a machine that stalls, time may be left out."""
    run.until(f"{packets} RTP packets", lambda: len(phone.ear.packets) >= packets)
    some = phone.ear.packets[:packets]
    check("payload types", {packet.payload_type for packet in some}, {0})
    check("sequence steps", {(b.sequence - a.sequence) % 65536 for a, b in zip(some, some[1:])}, {1})
    steps = [(b.timestamp - a.timestamp) % 2**32 for a, b in zip(some, some[1:])]
    check("the usual timestamp step", (statistics.median(steps), min(steps)), (160, 160))


def answered(run: Run, scenario: str, wanted: str, transport: str = "udp", trunk: str = "") -> tuple[Sipp, str]:
    """Plays, follows to Connected, listens, hangs up: the flow most cases share."""
    phone = Sipp(run, scenario, transport)
    call = Onhook(run, phone.uri, trunk).play()
    check("connected", str(call.until("Connected")), "Connected/None")
    hear(run, phone)
    call.hang_up()
    ended = call.info()
    check("ended", (ended.state, ended.cause), ("Disconnected", "None"))
    wire = phone.finish(wanted)
    check("the dialled number", phone.only("INVITE").start, f"INVITE sip:{NUMBER}@127.0.0.1:{phone.port} SIP/2.0")
    return phone, f"Connected, Disconnected/None | {wire}"


@case("sipp/answer")
def answer(run: Run) -> str:
    return answered(run, "answer", "INVITE> <100 <200 ACK> BYE> <200")[1]


@case("sipp/tcp")
def tcp(run: Run) -> str:
    return answered(run, "answer", "INVITE> <100 <200 ACK> BYE> <200", "tcp")[1]


@case("sipp/ring-then-answer")
def ring_then_answer(run: Run) -> str:
    phone = Sipp(run, "ring-then-answer")
    call = Onhook(run, phone.uri).play()
    check("ringing", call.until("Alerted").cause, "None")
    call.until("Connected")
    hear(run, phone)
    call.hang_up()
    return f"Alerted, Connected, {call.info().state} | " + phone.finish("INVITE> <100 <180 <200 ACK> BYE> <200")


@case("sipp/end-of-message")
def end_of_message(run: Run) -> str:
    phone = Sipp(run, "answer")
    server = Onhook(run, phone.uri, message=message(run.folder / "short.wav", seconds=1))
    call = server.play()
    ended = call.until("Disconnected")
    check("how it ended", (ended.state, ended.cause), ("Disconnected", "None"))
    wire = phone.finish("INVITE> <100 <200 ACK> BYE> <200")
    heard = sum(packet.payload_type == 0 for packet in phone.ear.packets)
    if not 50 <= heard <= 52:
        raise Failed(f"a message of 1 s is 50 packets, {heard} came")
    return f"{ended.state}/{ended.cause} | {wire}"


def refused(run: Run, scenario: str, wanted: str, status: str) -> str:
    phone = Sipp(run, scenario)
    call = Onhook(run, phone.uri).play()
    check("how it ended", str(call.until("Disconnected")), wanted)
    return f"{wanted} | " + phone.finish(f"INVITE> <100 <{status} ACK>")


@case("sipp/busy")
def busy(run: Run) -> str:
    return refused(run, "busy", "Disconnected/UserBusy 486 Busy Here", "486")


@case("sipp/decline")
def decline(run: Run) -> str:
    return refused(run, "decline", "Disconnected/Other 603 Decline", "603")


@case("sipp/not-found")
def not_found(run: Run) -> str:
    return refused(run, "not-found", "Disconnected/Unavailable 404 Not Found", "404")


@case("sipp/no-answer")
def no_answer(run: Run) -> str:
    phone = Sipp(run, "no-answer")
    call = Onhook(run, phone.uri, ring_limit="1s").play()
    call.until("Alerted")
    ended = call.until("Disconnected")
    check("how it ended", ended.cause, "NoAnswer")
    return f"Alerted, {ended} | " + phone.finish("INVITE> <180 CANCEL> <200 <487 ACK>")


@case("sipp/hang-up-while-ringing")
def hang_up_while_ringing(run: Run) -> str:
    phone = Sipp(run, "no-answer")
    call = Onhook(run, phone.uri).play()
    call.until("Alerted")
    call.hang_up()
    ended = call.until("Disconnected")
    check("how it ended", ended.cause, "None")
    return f"Alerted, {ended.state}/{ended.cause} | " + phone.finish("INVITE> <180 CANCEL> <200 <487 ACK>")


def check_digest(message: Message, header: str, algorithm: str):
    """Computes the credentials in `message` anew (RFC 7616 §3.4.1, qop=auth) and compares."""
    credentials = message.header(header)
    part = {name.lower(): value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^\s,]+)', credentials)}
    digest = lambda text: {"MD5": md5, "SHA-256": sha256}[algorithm](text.encode()).hexdigest()
    method, uri = message.start.split(" ")[:2]
    check("digest", credentials.split(" ")[0], "Digest")
    check("digest algorithm", part["algorithm"], algorithm)
    check("digest uri", part["uri"], uri)
    check("digest opaque", part["opaque"], "5ccc")
    check("nonce count", (part["qop"], part["nc"]), ("auth", "00000001"))
    secret = digest(f"{TRUNK_USER}:{part['realm']}:{TRUNK_PASSWORD}")
    wanted = digest(":".join((secret, part["nonce"], part["nc"], part["cnonce"], "auth", digest(f"{method}:{uri}"))))
    check("digest response", part["response"], wanted)


def challenged(run: Run, scenario: str, algorithm: str) -> str:
    phone, seen = answered(
        run, scenario, "INVITE> <401 ACK> INVITE> <200 ACK> BYE> <200", trunk=CREDENTIALS
    )  # fmt: skip
    first, second = phone.only("INVITE"), phone.only("INVITE", 1)
    check("credentials before they are asked for", first.headers("Authorization"), [])
    check_digest(second, "Authorization", algorithm)
    check("CSeq", [first.header("CSeq"), second.header("CSeq")], ["1 INVITE", "2 INVITE"])
    if first.header("Via") == second.header("Via"):
        raise Failed("the second INVITE has the branch of the first")
    return f"{algorithm}, {seen}"


@case("sipp/challenge-md5")
def challenge_md5(run: Run) -> str:
    return challenged(run, "challenge-md5", "MD5")


@case("sipp/challenge-sha256")
def challenge_sha256(run: Run) -> str:
    return challenged(run, "challenge-sha256", "SHA-256")


@case("sipp/challenge-both")
def challenge_both(run: Run) -> str:
    return challenged(run, "challenge-both", "SHA-256")


@case("sipp/challenge-bye")
def challenge_bye(run: Run) -> str:
    phone, seen = answered(
        run, "challenge-bye", "INVITE> <200 ACK> BYE> <407 BYE> <200", trunk=CREDENTIALS
    )  # fmt: skip
    check_digest(phone.only("BYE", 1), "Proxy-Authorization", "MD5")
    return seen


@case("sipp/register")
def register(run: Run) -> str:
    registrar = Sipp(run, "register")
    Onhook(run, registrar.uri, f"{CREDENTIALS}register = true\n")
    wire = registrar.finish("REGISTER> <401 REGISTER> <200")
    check_digest(registrar.only("REGISTER", 1), "Authorization", "SHA-256")
    return f"SHA-256 | {wire}"


@case("sipp/record-route")
def record_route(run: Run) -> str:
    phone, seen = answered(run, "record-route", "INVITE> <180 <200 ACK> BYE> <200")
    route = [f"<sip:{name}@127.0.0.1:{phone.port};lr>" for name in ("p1", "p2")]
    for name in ("ACK", "BYE"):
        request = phone.only(name)
        check(f"{name}'s route", [hop.strip() for line in request.headers("Route") for hop in line.split(",")], route)
        check(f"{name}'s target", request.start.split(" ")[1], f"sip:phone@127.0.0.1:{phone.port};transport=UDP")
    return f"Route p1 p2, {seen}"


@case("sipp/remote-bye")
def remote_bye(run: Run) -> str:
    phone = Sipp(run, "remote-bye")
    call = Onhook(run, phone.uri).play()
    call.until("Connected")
    ended = call.until("Disconnected")
    check("how it ended", ended.cause, "None")
    call.hang_up()
    return f"Connected, {ended.state}/{ended.cause} | " + phone.finish("INVITE> <200 ACK> <BYE 200>")


def held(run: Run, scenario: str, wanted: str) -> str:
    """The phone holds the call for 0.9 s: nothing may be sent then, and the message goes on afterwards."""
    phone = Sipp(run, scenario)
    call = Onhook(run, phone.uri).play()
    call.until("Connected")
    hear(run, phone)
    ours = lambda: [message for message in phone.messages() if message.ours and message.name == "200"]
    run.until("the phone takes the call back", lambda: len(ours()) == 2)
    resumed = ours()[1].at
    run.until("sound after the hold", lambda: phone.ear.between(resumed, float("inf")) >= 10)
    check("state", call.info().state, "Connected")
    call.hang_up()
    wire = phone.finish(wanted)
    directions = [re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", message.text, re.M)[1] for message in ours()]
    check("our answers", directions, ["recvonly", "sendrecv"])
    # SIPp notes a message only after it has sent it, and may be stopped in between: what it notes of the second request may come after the sound.
    held_since = ours()[0].at
    check("RTP packets while held", phone.ear.between(held_since + 0.1, held_since + 0.85), 0)
    return f"held and resumed, {call.info().state} | {wire}"


@case("sipp/hold-resume")
def hold_resume(run: Run) -> str:
    return held(run, "hold-resume", "INVITE> <200 ACK> <INVITE 200> <ACK <INVITE 200> <ACK BYE> <200")


@case("sipp/update")
def update(run: Run) -> str:
    return held(run, "update", "INVITE> <200 ACK> <UPDATE 200> <UPDATE 200> BYE> <200")


@case("sipp/session-timer")
def session_timer(run: Run) -> str:
    phone = Sipp(run, "session-timer")
    call = Onhook(run, phone.uri).play()
    call.until("Connected")
    run.until("the phone has refreshed", lambda: any(message.name == "UPDATE" for message in phone.messages()))
    hear(run, phone)
    call.hang_up()
    wire = phone.finish("INVITE> <422 ACK> INVITE> <200 ACK> <UPDATE 200> BYE> <200")
    asked = [(phone.only("INVITE", index).header("Session-Expires"), phone.only("INVITE", index).header("Min-SE")) for index in (0, 1)]
    check("the interval asked for", asked, [("300", "90"), ("600", "600")])
    refreshed = next(message for message in phone.messages() if message.ours and message.name == "200")
    told = refreshed.header("Session-Expires"), refreshed.header("Require")
    check("our answer to the refresh", told, ("600;refresher=uac", "timer"))
    return f"{told[0]}, {call.info().state} | {wire}"
