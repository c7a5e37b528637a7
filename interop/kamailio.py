"""Kamailio as the proxy between onhook and the phone: digest on the INVITE, Record-Route, and a SIPp behind it."""

from pathlib import Path

from case import Run, case, check, free_port
from server import NUMBER, Onhook
from sipp import CREDENTIALS, Sipp, hear

# Timer F, after which an OPTIONS counts as lost, is 64 times T1.
QUICK = '[sip.timers]\nt1 = "50ms"\n'
CONFIG = Path(__file__).parent / "kamailio.cfg"


class Kamailio:
    def __init__(self, run: Run, phone: Sipp, algorithm: str, port: int | None = None):
        self.port = port or free_port()
        self.uri = f"sip:127.0.0.1:{self.port}"
        process = run.spawn(
            "kamailio", "kamailio", "-f", CONFIG, "-DD", "-E", "-Y", run.folder, "-m", 64, "-M", 8,
            "-A", f"PORT={self.port}", "-A", f'PHONE="{phone.uri}"', "-A", f'ALGORITHM="{algorithm}"',
        )  # fmt: skip
        run.listening(process, self.port)


def through(run: Run, algorithm: str) -> str:
    phone = Sipp(run, "ring-then-answer")
    proxy = Kamailio(run, phone, algorithm)
    call = Onhook(run, proxy.uri, CREDENTIALS).play()
    call.until("Alerted")
    call.until("Connected")
    hear(run, phone)
    call.hang_up()
    ended = call.info()
    check("ended", (ended.state, ended.cause), ("Disconnected", "None"))
    wire = phone.finish("INVITE> <100 <180 <200 ACK> BYE> <200")
    for name in ("INVITE", "ACK", "BYE"):
        check(f"the {name} came through the proxy", len(phone.only(name).headers("Via")), 2)
    check("credentials behind the proxy", phone.only("INVITE").headers("Proxy-Authorization"), [])
    check("CSeq: the INVITE was challenged once", phone.only("INVITE").header("CSeq"), "2 INVITE")
    return f"{algorithm}, Alerted, Connected, {ended.state}/{ended.cause} | {wire}"


@case("kamailio/md5")
def with_md5(run: Run) -> str:
    return through(run, "MD5")


@case("kamailio/sha256")
def with_sha256(run: Run) -> str:
    return through(run, "SHA-256")


@case("kamailio/wrong-secret")
def wrong_secret(run: Run) -> str:
    phone = Sipp(run, "answer")
    proxy = Kamailio(run, phone, "MD5")
    call = Onhook(run, proxy.uri, CREDENTIALS.replace("secret", "wrong")).play()
    ended = call.until("Disconnected")
    check("what reached the phone", phone.ladder(), "")
    return str(ended)


@case("kamailio/down-then-up", limit=120)
def down_then_up(run: Run) -> str:
    """No call is tried while OPTIONS finds nobody; the proxy is used as soon as it is there."""
    phone = Sipp(run, "answer")
    port = free_port()
    server = Onhook(run, f"sip:127.0.0.1:{port}", f"{CREDENTIALS}\n{QUICK}", keepalive="1s")
    logged = lambda words: words in (run.folder / "onhook.log").read_text()
    run.until("onhook says that the trunk is down", lambda: logged("trunk down"), within=20)
    refused = server.client().play(server.item, NUMBER)
    Kamailio(run, phone, "MD5", port)
    run.until("onhook says that the trunk is up", lambda: logged("trunk up"), within=20)
    call = server.play()
    call.until("Connected")
    call.hang_up()
    return f"down: {refused.code}, up: {call.info().state} | " + phone.finish("INVITE> <100 <200 ACK> BYE> <200")
