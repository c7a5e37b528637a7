"""The configuration the documentation shows is configuration onhook takes."""

import re
from pathlib import Path

from case import Failed, Run, case

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("docs/*.md"), *ROOT.glob("README.md")]


@case("docs/configuration")
def configuration(run: Run) -> str:
    checked = 0
    for page in sorted(PAGES):
        for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            checked += 1
            for file in re.findall(r'^password_file = "(.*)"', block, re.MULTILINE):
                (run.folder / file).write_text("change-me\n")
            example = run.folder / f"{page.stem}-{checked}.toml"
            example.write_text(block)
            run.call("check-config", run.onhook, "check-config", example)
    if not checked:
        raise Failed("no page shows any configuration")
    return "every page's configuration is accepted"
