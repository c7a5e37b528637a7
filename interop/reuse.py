"""Clients that keep their connections over a challenge: curl, Java's HttpURLConnection and Apache's HttpClient lose no request.

None of them sends credentials before it was asked for them, so each request here is two, one right behind the other's 401.
`REUSE_REQUESTS` says how many, over HTTP and again over HTTPS; `make client-test` asks for many.
"""

import os
from pathlib import Path

from baresip import vouched_for
from case import Failed, Run, case, check
from ews import ENVELOPE, NAMESPACES
from server import PASSWORD, USER, Onhook

REQUESTS = int(os.environ.get("REUSE_REQUESTS", 200))
LIMIT = 180 + REQUESTS / 20
JARS = ":".join(f"/usr/share/java/{name}.jar" for name in ("httpclient", "httpcore", "commons-logging", "commons-codec"))
UNKNOWN = '<m:DisconnectPhoneCall><m:PhoneCallId Id="AAAAAAAAAAAAAAAAAAAAAA"/></m:DisconnectPhoneCall>'
# With these, curl has one connection for all its requests.
ON_ONE_CONNECTION = 1000


def served(run: Run):
    """A server over HTTP and HTTPS; its two addresses, the authority, and a file with a request."""
    certificate, authority = vouched_for(run)
    tls = f'\n[[http.tls]]\nlisten = "127.0.0.1:0"\ncert = "{certificate}"\nkey = "{run.folder / "phone.key"}"\n'
    server = Onhook(run, "sip:127.0.0.1:9", http=tls)
    document = run.folder / "request.xml"
    document.write_text(ENVELOPE.format(body=UNKNOWN, version="Exchange2013", **NAMESPACES))
    addresses = (f"{server.url}/EWS/Exchange.asmx", f"https://{server.bound['https'][0]}/EWS/Exchange.asmx")
    return addresses, authority, document


def curl(run: Run, *options) -> str:
    addresses, authority, document = served(run)
    for address in addresses:
        left = REQUESTS
        while left > 0:
            count = min(left, ON_ONE_CONNECTION)
            left -= count
            command = ["curl", "--silent", "--show-error", "--anyauth", "--user", f"{USER}:{PASSWORD}", "--cacert", authority]
            command += ["--header", "Content-Type: text/xml; charset=utf-8", "--data-binary", f"@{document}", *options]
            command += ["--output", "/dev/null", "--write-out", "%{http_code} %{num_connects}\\n", f"{address}?[1-{count}]"]
            answers = [tuple(map(int, line.split())) for line in run.call("curl", *command).splitlines()]
            check("answers", [status for status, _ in answers], [200] * count)
            # curl repeats what was lost on a connection that it had used before, and has a new one then.
            check("connections", sum(connections for _, connections in answers), 1)
    return "over HTTP and HTTPS none lost, on one connection"


@case("curl/anyauth", LIMIT)
def curl_anyauth(run: Run) -> str:
    return curl(run)


@case("curl/anyauth-expect", LIMIT)
def curl_anyauth_expect(run: Run) -> str:
    return curl(run, "--header", "Expect: 100-continue")


@case("curl/anyauth-chunked", LIMIT)
def curl_anyauth_chunked(run: Run) -> str:
    return curl(run, "--header", "Transfer-Encoding: chunked")


def java(run: Run, client: str) -> str:
    addresses, authority, document = served(run)
    source = Path(__file__).parent / "java" / "Reuse.java"
    told = run.call("java", "java", "-cp", JARS, source, client, USER, PASSWORD, document, REQUESTS, authority, *addresses)
    counts = told.splitlines()
    if len(counts) != len(addresses) or any(int(count.split()[0]) < REQUESTS for count in counts):
        raise Failed(told)
    return "over HTTP and HTTPS none lost"


@case("java/url-connection", LIMIT)
def url_connection(run: Run) -> str:
    return java(run, "url-connection")


@case("java/apache", LIMIT)
def apache(run: Run) -> str:
    return java(run, "apache")
