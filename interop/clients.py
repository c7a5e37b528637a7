"""What every EWS client is asked to show: the whole flow, and five ways for it to go wrong.

A client is an object with `play(item, number)`, which returns a PhoneCallId, `info(id)`, which returns a `CallInformation`, and
`disconnect(id)`. What it raises is kept, word for word, as the result: it is what somebody who uses that client would see.
"""

from case import Failed, Run, case, check
from server import NUMBER, PASSWORD, USER, Onhook
from sipp import Sipp

# Well formed, but nobody was given it.
UNKNOWN = "AAAAAAAAAAAAAAAAAAAAAA"


def shown(what, *arguments) -> str:
    """How the client shows that this does not work."""
    try:
        result = what(*arguments)
    except Exception as error:  # noqa: BLE001 whatever the client raises is the result
        return f"{type(error).__name__}: {error}"
    raise Failed(f"no error, but {result!r}")


def register(name: str, connect):
    """Registers the cases of one client; `connect(run, url, user, password)` makes it."""

    def started(run: Run, scenario: str):
        phone = Sipp(run, scenario)
        server = Onhook(run, phone.uri)
        return phone, server, connect(run, server.url, USER, PASSWORD)

    def ended(run: Run, client, call: str):
        return run.until("the call is Disconnected", lambda: (i := client.info(call)).state == "Disconnected" and i)

    @case(f"{name}/flow")
    def flow(run: Run) -> str:
        phone, server, client = started(run, "ring-then-answer")
        call = client.play(server.item, NUMBER)
        run.until("the call is Alerted", lambda: client.info(call).state == "Alerted")
        run.until("the call is Connected", lambda: client.info(call).state == "Connected")
        check("while it is up", str(client.info(call)), "Connected/None")
        client.disconnect(call)
        last = ended(run, client, call)
        return f"Alerted, Connected, {last.state}/{last.cause} | " + phone.finish("INVITE> <100 <180 <200 ACK> BYE> <200")

    @case(f"{name}/busy")
    def busy(run: Run) -> str:
        phone, server, client = started(run, "busy")
        last = ended(run, client, client.play(server.item, NUMBER))
        check("how it ended", str(last), "Disconnected/UserBusy 486 Busy Here")
        return f"{last} | " + phone.finish("INVITE> <100 <486 ACK>")

    @case(f"{name}/wrong-password")
    def wrong_password(run: Run) -> str:
        server = Onhook(run, "sip:127.0.0.1:9")
        return shown(lambda: connect(run, server.url, USER, "wrong").play(server.item, NUMBER)).replace(server.url, "…")

    @case(f"{name}/unknown-call")
    def unknown_call(run: Run) -> str:
        client = connect(run, Onhook(run, "sip:127.0.0.1:9").url, USER, PASSWORD)
        followed, ended = shown(client.info, UNKNOWN), shown(client.disconnect, UNKNOWN)
        check("the two operations", followed, ended)
        return ended

    @case(f"{name}/unknown-item")
    def unknown_item(run: Run) -> str:
        client = connect(run, Onhook(run, "sip:127.0.0.1:9").url, USER, PASSWORD)
        return shown(client.play, UNKNOWN, NUMBER)

    @case(f"{name}/refused-number")
    def refused_number(run: Run) -> str:
        server = Onhook(run, "sip:127.0.0.1:9")
        client = connect(run, server.url, USER, PASSWORD)
        return shown(client.play, server.item, "00900123456")
