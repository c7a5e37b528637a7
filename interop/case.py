"""A case: one thing shown to work with a program nobody here wrote, in bounded time.

A case is a function that takes a `Run`, raises when something is not as it should be, and returns in
one line what it saw. That line is the result the baseline keeps. Every case runs in a process of its own (see
`run.py`), so what it starts ends with it.
"""

import random
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CASES: dict[str, "Case"] = {}


class Failed(AssertionError):
    """What was seen is not what should have been."""


@dataclass(frozen=True)
class Case:
    name: str
    limit: float
    body: Callable[["Run"], str]


def case(name: str, limit: float = 90):
    """Registers a function as the case `name`, which may take `limit` seconds."""

    def register(body):
        assert name not in CASES, f"two cases are called {name}"
        CASES[name] = Case(name, limit, body)
        return body

    return register


def check(what: str, seen, wanted):
    if seen != wanted:
        raise Failed(f"{what}: saw {seen!r}, wanted {wanted!r}")


class Run:
    """One run of one case: its folder, its time, and the processes it started."""

    def __init__(self, case: Case, folder: Path, onhook: Path):
        self.folder = folder
        self.onhook = onhook
        self.ends = time.monotonic() + case.limit
        self.started: list[tuple[str, subprocess.Popen]] = []

    def left(self) -> float:
        return max(0.1, self.ends - time.monotonic())

    def spawn(self, name: str, *command, **options) -> subprocess.Popen:
        """Starts a peer; what it prints goes to `<name>.log` in the case's folder."""
        with open(self.folder / f"{name}.log", "ab") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT, "cwd": self.folder} | options
            process = subprocess.Popen([str(word) for word in command], **options)
        self.started.append((name, process))
        return process

    def call(self, name: str, *command, given: str = "", **options) -> str:
        """Runs a command to its end and returns its standard output."""
        done = subprocess.run(
            [str(word) for word in command],
            input=given, capture_output=True, text=True, timeout=self.left(), cwd=self.folder, **options,
        )
        with open(self.folder / f"{name}.log", "a") as log:
            log.write(f"{done.stdout}{done.stderr}")
        if done.returncode:
            raise Failed(f"{name} exited with {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}")
        return done.stdout

    def until(self, what: str, probe, within: float = 10):
        """Asks `probe` until its answer is true, and returns that answer."""
        ends = min(time.monotonic() + within, self.ends)
        while True:
            if answer := probe():
                return answer
            if time.monotonic() >= ends:
                raise Failed(f"waited {within:g} s in vain: {what}")
            time.sleep(0.02)

    def listening(self, process: subprocess.Popen, port: int, protocol: str = "udp"):
        """Waits until somebody has bound `port`; fails at once when `process`, who should, has ended."""

        def probe():
            if process.poll() is not None:
                raise Failed(f"{process.args[0]} ended with {process.returncode} before it listened; see {self.folder}")
            rows = Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]
            return any(row.split()[1].endswith(f":{port:04X}") for row in rows)

        self.until(f"{process.args[0]} listens on {protocol} port {port}", probe)

    def ended(self, name: str, within: float = 15) -> int:
        """Waits for the process called `name` to end by itself and returns its exit code."""
        process = next(process for known, process in self.started if known == name)
        try:
            return process.wait(min(within, self.left()))
        except subprocess.TimeoutExpired:
            raise Failed(f"{name} did not end within {within:g} s; see {self.folder / name}.log") from None

    def close(self):
        """Ends what still runs, the latest first."""
        for _, process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(3)


BLOCK = 8
claims = []


def free_port() -> int:
    """The first of eight ports that are free, for peers that cannot ask the system for one themselves.

    SIPp takes four for sound, whatever it is told. The block lies below the ports the system gives out by itself and those
    onhook uses for sound, and is claimed by a name in the kernel for as long as this process lives, so that no other case
    takes it before its owner does.
    """
    while True:
        port = random.randrange(10_000, 16_000, BLOCK)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0onhook-interop-{port}")
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                for one in range(port, port + BLOCK):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind(("127.0.0.1", one))
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        return port
