"""The test message, an ear that counts RTP, and the comparison of what was heard with what was stored."""

import socket
import struct
import threading
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from case import Run

RATE = 16_000
# When a packet reached this machine, not when somebody had time to read it: the option of Linux that Python has no name for, and its answer.
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@ll")


def samples(seconds: float) -> np.ndarray:
    """Something like speech: syllables of gliding tones between 300 and 3,000 Hz, never twice the same."""
    random = np.random.default_rng(1876)
    parts, length = [], 0
    while length < seconds * RATE:
        duration = int(random.uniform(0.08, 0.25) * RATE)
        glide = np.linspace(*random.uniform(300, 3000, 2), duration)
        parts.append(np.sin(2 * np.pi * np.cumsum(glide) / RATE) * np.hanning(duration) * random.uniform(0.3, 0.8))
        parts.append(np.zeros(int(random.uniform(0.01, 0.08) * RATE)))
        length += len(parts[-2]) + len(parts[-1])
    return np.concatenate(parts)[: int(seconds * RATE)]


def message(path: Path, seconds: float = 20) -> Path:
    """Writes the test message as a 16-bit mono WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples(seconds) * 32767).astype("<i2").tobytes())
    return path


def mp3(run: Run, wav: Path) -> Path:
    """The same message as an MP3 file, by LAME."""
    run.call("lame", "lame", "--quiet", "-b", "64", wav, wav.with_suffix(".mp3"))
    return wav.with_suffix(".mp3")


def read(path: Path) -> tuple[np.ndarray, int]:
    """The samples of a recording, its channels mixed, and its rate. The header of a file still being written may be wrong."""
    data = path.read_bytes()
    channels, rate = struct.unpack_from("<HI", data, data.index(b"fmt ") + 10)
    body = data[data.index(b"data") + 8 :]
    width = 2 * channels
    sound = np.frombuffer(body[: len(body) // width * width], dtype="<i2").astype(float)
    return sound.reshape(-1, channels).mean(axis=1), rate


def resampled(sound: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Band-limited to the lower of the two rates."""
    if rate == to:
        return sound
    spectrum = np.fft.rfft(sound)
    length = len(sound) * to // rate
    wanted = np.zeros(length // 2 + 1, dtype=complex)
    shared = min(len(spectrum), len(wanted))
    wanted[:shared] = spectrum[:shared]
    return np.fft.irfft(wanted, length)


def likeness(heard: np.ndarray, stored: np.ndarray) -> float:
    """How much `heard` is like `stored`, 0 to 1: the median of the peaks of the normalised cross-correlation, window by window.

    In windows, because a phone or a busy machine may leave out or stretch a moment. What stands out of order counts nothing.
    """
    window = len(stored) // 12
    size = 1 << (len(stored) + window).bit_length()
    spectrum = np.fft.rfft(stored, size)
    energy = np.concatenate(([0.0], np.cumsum(stored**2)))
    peaks, place = [], 0
    for start in range(0, len(heard) - window + 1, window):
        piece = heard[start : start + window]
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(stored) - window]
        loudness = np.sqrt(energy[window:-1] - energy[: -window - 1])
        norm = np.linalg.norm(piece) * loudness
        best = int(np.argmax(np.where(norm > 0, product / np.maximum(norm, 1e-12), 0)))
        peaks.append(float(product[best] / norm[best]) if best >= place and norm[best] > 0 else 0.0)
        place = max(place, best)
    return float(np.median(peaks)) if peaks else 0.0


@dataclass(frozen=True)
class Packet:
    at: float
    payload_type: int
    sequence: int
    timestamp: int


class Ear:
    """A bound UDP port that notes every RTP packet it gets, named in the SDP of a SIPp that knows nothing of it."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.packets: list[Packet] = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data, [(_, _, came)], *_ = self.socket.recvmsg(2048, socket.CMSG_SPACE(TIMESPEC.size))
            if len(data) >= 12 and data[0] >> 6 == 2:
                payload_type, sequence, timestamp = struct.unpack_from("!xBHI", data)
                seconds, nanoseconds = TIMESPEC.unpack(came)
                at = seconds + nanoseconds / 1e9
                self.packets.append(Packet(at, payload_type & 0x7F, sequence, timestamp))

    def between(self, start: float, end: float) -> int:
        """How many packets came in that stretch of wall-clock time."""
        return sum(start <= packet.at < end for packet in list(self.packets))
