"""The configuration the documentation shows is configuration onhook takes."""

import re
import shutil
from pathlib import Path

from case import Failed, Run, case

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("docs/*.md"), *ROOT.glob("README.md")]


@case("docs/configuration")
def configuration(run: Run) -> str:
    checked = 0
    # Whatever certificates, keys and revocation lists a page names are there.
    key, certificate, revoked = (run.folder / name for name in ("some.key", "some.crt", "some.crl"))
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    run.call("openssl", *new, "-subj", "/CN=example.com", "-keyout", key, "-out", certificate)
    (run.folder / "ca.cnf").write_text("[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\n")
    (run.folder / "index.txt").touch()
    (run.folder / "number").write_text("01\n")
    sign = ["ca", "-config", "ca.cnf", "-gencrl", "-crldays", "2", "-keyfile", key, "-cert", certificate]
    run.call("openssl", "openssl", *sign, "-out", revoked)
    for page in sorted(PAGES):
        before = ""
        for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            checked += 1
            for file in re.findall(r'^\w*password_file = "(.*)"', block, re.MULTILINE):
                (run.folder / file).write_text("change-me\n")
            for file in re.findall(r'^(?:cert|ca|client_ca) = "(.*?)"', block, re.MULTILINE):
                shutil.copy(certificate, run.folder / file)
            for file in re.findall(r'^client_crl = "(.*?)"', block, re.MULTILINE):
                shutil.copy(revoked, run.folder / file)
            for file in re.findall(r'^key = "(.*?)"', block, re.MULTILINE):
                shutil.copy(key, run.folder / file)
            example = run.folder / f"{page.stem}-{checked}.toml"
            # A block stands alone, or goes on where the one before it on its page has ended.
            try:
                example.write_text(block)
                run.call("check-config", run.onhook, "check-config", example)
            except Failed:
                example.write_text(before + block)
                run.call("check-config", run.onhook, "check-config", example)
            before = block
    minimal = (ROOT / "onhook.minimal.toml").read_text()
    if f"```toml\n{minimal}```" not in (ROOT / "README.md").read_text():
        raise Failed("the README shows another onhook.minimal.toml than there is")
    if not checked:
        raise Failed("no page shows any configuration")
    return "every page's configuration is accepted"
