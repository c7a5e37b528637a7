"""Runs the interop cases and compares their results with the baseline.

One line a case, then `N passed, N failed`. A case passes when its result is the one in `baseline.txt`, so a case
that suddenly works fails too, until `--bless` (`make interop-baseline`) says that this is meant. What a case left behind is in
`build/interop/<case>/`.
"""

import argparse
import fnmatch
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from case import CASES, Case, Run
import sipp, kamailio, baresip, phone, crash, published_requests, schema_cases, zeep_client, exchangelib_client, node_ews, reuse, documentation, by_hand  # noqa: E401,F401

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.txt"
LOGS = HERE.parent / "build" / "interop"


def run_one(case: Case, onhook: Path) -> int:
    """In the case's own process: runs it and leaves its result in its folder."""
    run = Run(case, LOGS / case.name, onhook)
    try:
        result = f"ok: {case.body(run)}"
    except Exception as failure:
        traceback.print_exc()
        result = f"failed: {failure or type(failure).__name__}"
    finally:
        run.close()
    (run.folder / "result.txt").write_text(result.replace(str(run.folder), "…"))
    return 0


def result_of(case: Case, onhook: Path) -> tuple[str, float]:
    """Starts the case's process, gives it its time, and ends whatever it leaves."""
    folder = LOGS / case.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    command = [sys.executable, __file__, "--onhook", str(onhook), "--one", case.name]
    with open(folder / "case.log", "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        process.wait(case.limit + 10)
    except subprocess.TimeoutExpired:
        (folder / "result.txt").write_text(f"failed: took longer than {case.limit:g} s")
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    left = folder / "result.txt"
    result = left.read_text() if left.exists() else f"failed: no result; see {folder}/case.log"
    return " ".join(result.split()), time.monotonic() - began


def baseline() -> dict[str, str]:
    lines = BASELINE.read_text().splitlines() if BASELINE.exists() else []
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def bless(results: dict[str, str]):
    kept = {name: result for name, result in baseline().items() if name in CASES}
    lines = [f"{name} {result}" for name, result in sorted((kept | results).items())]
    heading = "# What each interop case saw. Changed only on purpose: make interop-baseline.\n"
    BASELINE.write_text(heading + "\n".join(lines) + "\n")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("patterns", nargs="*", default=["*"], help="cases to run, such as 'sipp/*'; all when none is named")
    arguments.add_argument("--onhook", type=Path, default=HERE.parent / "target" / "debug" / "onhook", help="the program under test")
    arguments.add_argument("--jobs", type=int, default=3, help="how many cases run at the same time")
    arguments.add_argument("--list", action="store_true", help="names the cases and runs none")
    arguments.add_argument("--bless", action="store_true", help="makes what was seen the baseline")
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        return run_one(CASES[given.one], given.onhook.resolve())
    chosen = [case for case in CASES.values() if any(fnmatch.fnmatch(case.name, pattern) for pattern in given.patterns)]
    if given.list or not chosen:
        print("\n".join(CASES), file=sys.stdout if given.list else sys.stderr)
        return 0 if given.list else 2
    known = baseline()
    results, passed = {}, 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for case, (result, seconds) in zip(chosen, pool.map(lambda case: result_of(case, given.onhook), chosen)):
            results[case.name] = result
            as_known = given.bless or known.get(case.name) == result
            passed += as_known
            print(f"{'ok  ' if as_known else 'FAIL'} {case.name} ({seconds:.1f} s) {result}", flush=True)
            if not as_known:
                print(f"     the baseline says: {known.get(case.name, 'nothing of this case')}", flush=True)
    if given.bless:
        bless(results)
    print(f"\n{passed} passed, {len(chosen) - passed} failed")
    return 0 if passed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
