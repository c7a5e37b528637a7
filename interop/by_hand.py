"""What the README has a newcomer type, typed: three terminals, and Ctrl-C in the third."""

import re
import signal
from pathlib import Path

from case import Failed, Run, case, check, free_port
from server import PASSWORD

ROOT = Path(__file__).parent.parent
# What may be taken on the machine that runs this, in the README's words.
HTTP, PHONE = "127.0.0.1:8080", "127.0.0.1:5061"


def typed_and_shown(block: str) -> list[tuple[str, str]]:
    """The commands of a block, with the lines that belong to them, each with the output that is shown."""
    pairs: list[tuple[str, str]] = []
    goes_on = False
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            pairs.append((line[2:], ""))
        elif goes_on:
            pairs[-1] = (pairs[-1][0] + line, "")
        else:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + line)
            continue
        command = pairs[-1][0]
        goes_on = command.endswith("\\\n") or ("<<'END'" in command and not command.endswith("\nEND\n"))
    return pairs


def terminals() -> tuple[str, list[list[tuple[str, str]]]]:
    """What is typed in every terminal, and then what in each."""
    text = re.search(r"^## Try it by hand\n(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)[1]
    everywhere, *each = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    [(command, _)] = typed_and_shown(everywhere)
    return command, [typed_and_shown(block) for block in each]


@case("docs/by-hand")
def by_hand(run: Run) -> str:
    everywhere, (first, second, third) = terminals()
    # A checkout that was built, as far as the commands look at it.
    (run.folder / "crates").symlink_to(ROOT / "crates")
    (run.folder / "target/release").mkdir(parents=True)
    (run.folder / "target/release/onhook").symlink_to(run.onhook.resolve())
    http, phone = free_port(), free_port()

    def shell(command: str) -> list[str]:
        command = command.replace(HTTP, f"127.0.0.1:{http}").replace(PHONE, f"127.0.0.1:{phone}")
        return ["bash", "-c", f"set -e; {everywhere}{command}"]

    item_id = ""
    for command, shown in first[:-1]:
        if command.startswith("cargo build"):
            continue
        printed = run.call("first", *shell(f"exec 2>&1\n{command}"), given=f"{PASSWORD}\n")
        if command.startswith("cat"):
            with open(run.folder / "onhook.toml", "a") as config:
                config.write(f'[http]\nlisten = "127.0.0.1:{http}"\n[sip]\nlisten = ["udp:127.0.0.1:0"]\n')
        if "voicemail add" in command:
            item_id, shown_id = printed.strip(), shown.strip()
        elif shown:
            check(command, printed, shown)
    last = first[-1][0]
    check("the last command of the first terminal", last, "onhook serve\n")
    server = run.spawn("server", *shell(f"exec {last}"))
    run.listening(server, http, "tcp")
    listener = run.spawn("phone", *shell(f"exec {second[0][0]}"))
    run.listening(listener, phone)
    # The server was there first, and has asked in vain whether the phone is.
    run.until("the server has found the phone", lambda: "trunk up" in (run.folder / "server.log").read_text())

    typed = third[0][0]
    if shown_id not in typed:
        raise Failed(f"the third terminal plays another item than {shown_id}: {typed}")
    (run.folder / "password").write_text(f"{PASSWORD}\n")
    with open(run.folder / "password") as password:
        client = run.spawn("client", *shell(f"exec {typed.replace(shown_id, item_id)}"), stdin=password)
    run.until("the message is played", lambda: "playing" in (run.folder / "client.log").read_text())
    # The client may know that the phone is connected before the first sound has left.
    run.until("the message is heard", lambda: "hears the caller" in (run.folder / "phone.log").read_text())
    client.send_signal(signal.SIGINT)
    code = run.ended("client")
    run.until("the phone was hung up", lambda: "the caller hung up" in (run.folder / "phone.log").read_text())
    listener.send_signal(signal.SIGINT)
    check("the phone ends with", run.ended("phone"), 0)
    if not (run.folder / "heard.wav").stat().st_size > 44:
        raise Failed("the phone saved nothing of what it heard")
    return f"the README's commands ring a phone, and Ctrl-C hangs it up (exit code {code})"
