"""baresip as the phone: it answers by itself and records what it decodes, and that must be the message that was stored."""

from pathlib import Path

import numpy as np

from case import Failed, Run, case, check, free_port
from server import NUMBER, Onhook
import sound

CONFIG = """\
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module aubridge.so
module sndfile.so
{more}module account.so
module_app menu.so
sip_listen 127.0.0.1:{port}
audio_source aubridge,silence
audio_player aubridge,silence
audio_alert aubridge,silence
audio_buffer 20-160
rtp_ports {rtp}-{rtp_end}
snd_path {folder}
"""

ACCOUNT = "<sip:{number}@127.0.0.1:{port}>;regint=0;answermode=auto;audio_codecs={codec}/1{more}\n"


class Baresip:
    def __init__(self, run: Run, codec: str, config: str = "", account: str = ""):
        self.run = run
        self.folder = run.folder / "baresip"
        self.folder.mkdir()
        self.port, rtp = free_port(), free_port()
        (self.folder / "config").write_text(
            CONFIG.format(port=self.port, folder=self.folder, rtp=rtp, rtp_end=rtp + 20, more=config)
        )
        (self.folder / "accounts").write_text(ACCOUNT.format(number=NUMBER, port=self.port, codec=codec, more=account))
        (self.folder / "contacts").touch()
        process = run.spawn("baresip", "baresip", "-f", self.folder)
        self.uri = f"sip:127.0.0.1:{self.port}"
        # One port further: baresip has no other place for TLS.
        self.tls_uri = f"sip:127.0.0.1:{self.port + 1};transport=tls"
        run.listening(process, self.port)

    def recording(self) -> Path:
        """What baresip decoded."""
        found = list(self.folder.glob("dump-*-dec.wav"))
        if len(found) != 1:
            raise Failed(f"baresip made {len(found)} recordings")
        return found[0]


def heard_what_was_stored(run: Run, kind: str, codec: str, rate: int) -> str:
    phone = Baresip(run, f"{codec}/{rate}")
    stored = sound.message(run.folder / "message.wav", seconds=3)
    server = Onhook(run, phone.uri, message=sound.mp3(run, stored) if kind == "mp3" else stored)
    return plays(run, phone, server, rate)


def plays(run: Run, phone: Baresip, server: Onhook, rate: int) -> str:
    call = server.play()
    call.until("Connected")
    ended = call.until("Disconnected")
    check("how it ended", ended.cause, "None")
    run.until("baresip closes its recording", lambda: list(phone.folder.glob("dump-*-dec.wav")))
    heard, heard_rate = sound.read(phone.recording())
    check("the rate baresip heard", heard_rate, rate)
    if len(heard) < 2.8 * rate:
        raise Failed(f"baresip heard {len(heard) / rate:.2f} s of 3 s")
    # The best that a channel of this rate can carry is the band-limited message.
    likeness = sound.likeness(heard, sound.resampled(sound.samples(3), sound.RATE, rate))
    with open(run.folder / "likeness.txt", "w") as log:
        log.write(f"{likeness:.4f}\n")
    if likeness < 0.9:
        raise Failed(f"likeness {likeness:.3f} of what was heard and what was stored")
    return f"{ended.state}/{ended.cause}, likeness over 0.9"


def vouched_for(run: Run) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 with its key in one file, and the authority that signed it."""
    ca, key, both = run.folder / "ca.pem", run.folder / "ca.key", run.folder / "phone.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    run.call("openssl", *new, "-subj", "/CN=authority", "-keyout", key, "-out", ca)
    signed = ["-CA", ca, "-CAkey", key, "-subj", "/CN=phone", "-addext", "subjectAltName=IP:127.0.0.1"]
    leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]
    run.call("openssl", *new, *signed, *leaf, "-keyout", run.folder / "phone.key", "-out", run.folder / "phone.crt")
    both.write_text((run.folder / "phone.crt").read_text() + (run.folder / "phone.key").read_text())
    return both, ca


@case("baresip/srtp")
def srtp(run: Run) -> str:
    """Over TLS, with SRTP required on both sides: baresip's own implementation hears what was stored."""
    certificate, ca = vouched_for(run)
    config = f"module srtp.so\nsip_certificate {certificate}\n"
    phone = Baresip(run, "PCMU/8000", config, ";mediaenc=srtp-mand")
    stored = sound.message(run.folder / "message.wav", seconds=3)
    trunk = f'srtp = "require"\n[sip.tls]\nca = "{ca}"\n'
    return plays(run, phone, Onhook(run, phone.tls_uri, trunk=trunk, message=stored), 8000)


@case("baresip/can-fail")
def can_fail(run: Run) -> str:
    """The comparison refuses what is not the message, or else the other cases show nothing."""
    stored = sound.samples(3)
    others = {
        "silence": stored * 0,
        "backwards": stored[::-1],
        "its halves swapped": np.roll(stored, len(stored) // 2),
        "another message": sound.samples(6)[len(stored) :],
    }
    for what, heard in others.items():
        if sound.likeness(heard, stored) > 0.7:
            raise Failed(f"{what} passes for the message")
    return f"refused: {', '.join(others)}"


for kind in ("wav", "mp3"):
    for codec, rate in (("PCMU", 8000), ("G722", 16000)):

        def body(run, kind=kind, codec=codec, rate=rate):
            return heard_what_was_stored(run, kind, codec, rate)

        case(f"baresip/{kind}-{codec.lower()}")(body)
