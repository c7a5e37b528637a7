"""The server is killed while calls are up; the next one hangs up every phone, and the old ids say so."""

from case import Failed, Run, case, check
from kamailio import Kamailio
from phone import Phone
from server import Onhook
from sipp import CREDENTIALS, Sipp

AT_ONCE = 10
CALLS = "max_live_per_mailbox = 1000\n"


def killed(server: Onhook, calls: list, state: str) -> str:
    """Kills it with `calls` in `state`, starts it again, and follows them to their end."""
    for call in calls:
        call.until(state)
    server.kill()
    server.start()
    for call in calls:
        call.client = server.client()
        ended = call.until("Disconnected")
        check("how it ended", ended.cause, "None")
    return f"{len(calls)} {state}, killed, Disconnected/None"


def at_sipp(run: Run, scenario: str, state: str, wanted: list[str], proxied: bool = False) -> str:
    phone = Sipp(run, scenario, calls=AT_ONCE)
    next_hop = Kamailio(run, phone, "MD5").uri if proxied else phone.uri
    server = Onhook(run, next_hop, CREDENTIALS, calls=CALLS)
    seen = killed(server, [server.play() for _ in range(AT_ONCE)], state)
    check("SIPp's exit code", run.ended("sipp"), 0)
    names = [message.name for message in phone.messages() if message.ours]
    # More than one is no fault: a server may die after it has sent, and before it has noted it.
    short = {name: names.count(name) for name in wanted if names.count(name) < AT_ONCE}
    if short:
        raise Failed(f"not every phone was told: {short} of {AT_ONCE}")
    return f"{seen} | {' '.join(wanted)} to each phone"


@case("crash/sipp")
def up(run: Run) -> str:
    return at_sipp(run, "answer", "Connected", ["BYE"])


@case("crash/sipp-ringing")
def ringing(run: Run) -> str:
    return at_sipp(run, "no-answer", "Alerted", ["CANCEL", "ACK"])


@case("crash/kamailio")
def behind_a_proxy(run: Run) -> str:
    return at_sipp(run, "answer", "Connected", ["BYE"], proxied=True)


@case("crash/onhook-phone")
def at_our_own_phone(run: Run) -> str:
    phone = Phone(run)
    server = Onhook(run, f"sip:{phone.address}", calls=CALLS)
    seen = killed(server, [server.play() for _ in range(AT_ONCE)], "Connected")
    why = {event["why"] for event in phone.ends(AT_ONCE)}
    check("the phone's exit code", phone.switch_off(), 0)
    return f"{seen} | {', '.join(sorted(why))}"
