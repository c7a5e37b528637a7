"""`onhook phone` called by SIPp and by baresip, before the server is ever called by it."""

import json
import signal
import wave

import numpy as np

from case import Failed, Run, case, check, free_port
from server import NUMBER
import sound

BARESIP = """\
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module aufile.so
module aubridge.so
module account.so
module_app menu.so
sip_listen 127.0.0.1:{port}
audio_source aufile,{source}
audio_player aubridge,silence
audio_alert aubridge,silence
rtp_ports {rtp}-{rtp_end}
"""


class Phone:
    def __init__(self, run: Run, *options):
        self.run = run
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = open(run.folder / "phone.json", "wb")
        self.process = run.spawn(
            "phone", run.onhook, "phone", "--listen", self.address, "--ring", "200ms", "--json", *options, stdout=self.log
        )
        run.listening(self.process, self.port)

    def events(self) -> list[dict]:
        return [json.loads(line) for line in (self.run.folder / "phone.json").read_text().splitlines()]

    def ends(self, count: int) -> list[dict]:
        def probe():
            ended = [event for event in self.events() if event["event"] == "ended"]
            return ended if len(ended) >= count else None

        return self.run.until(f"{count} calls end at the phone", probe, within=20)

    def switch_off(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.run.ended("phone")


def sipp(run: Run, phone: Phone, transport: str, calls: int, *scenario) -> int:
    """SIPp as the caller; returns its exit code."""
    process = run.spawn(
        "sipp", "sipp", phone.address, *scenario, "-s", NUMBER, "-i", "127.0.0.1", "-p", free_port(), "-t", f"{transport[0]}1",
        "-m", calls, "-r", calls, "-d", 300, "-nostdin", "-timeout", "20s", "-timeout_error",
    )  # fmt: skip
    return run.ended("sipp", within=25) if process else 1


for transport in ("udp", "tcp"):

    def many_calls(run: Run, transport=transport) -> str:
        phone = Phone(run)
        check("SIPp's exit code", sipp(run, phone, transport, 50, "-sn", "uac"), 0)
        ended = phone.ends(50)
        check("how they ended", {event["why"] for event in ended}, {"the caller hung up"})
        check("the phone's exit code", phone.switch_off(), 0)
        return f"{len(ended)} calls answered and hung up"

    case(f"phone/sipp-{transport}")(many_calls)


@case("phone/sipp-busy")
def busy(run: Run) -> str:
    phone = Phone(run, "--busy")
    if sipp(run, phone, "udp", 3, "-sn", "uac") == 0:
        raise Failed("SIPp's calls were answered")
    return ", ".join(sorted({event["why"] for event in phone.ends(3)}))


@case("phone/switched-off")
def switched_off(run: Run) -> str:
    """Ctrl-C at the phone while SIPp holds calls open: SIPp expects to hang up itself, so it notes a BYE it did not want."""
    phone = Phone(run)
    run.spawn(
        "sipp", "sipp", phone.address, "-sn", "uac", "-s", NUMBER, "-i", "127.0.0.1", "-p", free_port(), "-m", 3, "-r", 3,
        "-d", 60_000, "-nostdin", "-aa", "-default_behaviors", "all",
    )  # fmt: skip
    acked = lambda: sum(event["event"] == "acked" for event in phone.events()) == 3  # noqa: E731
    run.until("three calls are up", acked)
    check("the phone's exit code", phone.switch_off(), 0)
    return ", ".join(sorted({event["why"] for event in phone.ends(3)}))


for codec, name, rate in (("PCMU", "PCMU/8000", 8000), ("PCMA", "PCMA/8000", 8000), ("G722", "G722/16000", 16_000)):

    def hears_baresip(run: Run, codec=codec, name=name, rate=rate) -> str:
        phone = Phone(run, "--save", run.folder / "heard.wav", "--hang-up-after", "4s")
        # baresip's file source takes one rate, the codec's.
        source, message = run.folder / "message.wav", sound.resampled(sound.samples(3), sound.RATE, rate)
        with wave.open(str(source), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes((message / np.abs(message).max() * 20_000).astype("<i2").tobytes())
        folder = run.folder / "baresip"
        folder.mkdir()
        rtp = free_port()
        (folder / "config").write_text(BARESIP.format(port=free_port(), source=source, rtp=rtp, rtp_end=rtp + 20))
        (folder / "accounts").write_text(f"<sip:caller@127.0.0.1>;regint=0;audio_codecs={name}/1\n")
        (folder / "contacts").touch()
        run.spawn("baresip", "baresip", "-f", folder, "-e", f"/dial sip:{NUMBER}@{phone.address}", "-t", 15)
        phone.ends(1)
        answered = next(event for event in phone.events() if event["event"] == "answered")
        check("the codec", answered["codec"], codec)
        heard, heard_rate = sound.read(run.folder / "heard.wav")
        check("the rate it is saved at", heard_rate, rate)
        # What baresip sends is as long as the call; the message is its beginning.
        likeness = sound.likeness(heard[: 3 * rate], message)
        if likeness < 0.9:
            raise Failed(f"likeness {likeness:.3f} of what baresip played and what the phone heard")
        return f"{codec} heard, likeness over 0.9"

    case(f"phone/baresip-{codec.lower()}")(hears_baresip)
