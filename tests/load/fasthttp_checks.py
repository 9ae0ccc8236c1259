"""Send the same requests with both clients, in a process of its own, since Locust patches its process.

    python -m tests.load.fasthttp_checks PORT TLS_URL CA_BUNDLE MODE...

Prints what each mode of the fake token server came to with the built-in client and with Locust's, as JSON, and what
the server at TLS_URL came to where its certificate is trusted, and where it is not.
"""

from __future__ import annotations

from locust.contrib import fasthttp  # isort: skip  patches the process, so it comes first

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.load.fasthttp_transport import FastHttpTransport
from iam_loadtest.load.transport import Transport, TransportSettings, settings_of
from iam_loadtest.load.transports import transports
from iam_loadtest.scenario.target import Target

assert fasthttp
SETTINGS = TransportSettings(timeout_s=20, connect_timeout_s=20)
QUICK = replace(SETTINGS, timeout_s=0.5)
"""For servers that never come to an end."""
ENDLESS = frozenset({"slow", "drip"})


def request_of(url: str, mode: str) -> Request:
    """What is asked in a mode: pages are visited, everything else is a token request."""
    headers = {"Accept": "application/json"}
    if mode.startswith("pages/"):
        return Request("login_page", url + mode, headers, b"", "GET", visit=Visit(CookieJar()))
    return Request("issue", f"{url}{mode}/token", headers, b"grant_type=client_credentials")


def came_to(response: Response) -> list[object]:
    """What counts in results; details may differ in their words."""
    if response.failure is not None:
        return [str(response.failure)]
    return [response.status, response.body.decode(), response.backend, response.retry_after]


def send(make: Callable[[int], Transport], request: Request) -> list[list[object]]:
    """Twice, so that a kept connection is used where there is one."""
    transport = make(0)
    try:
        return [came_to(transport.send(request)) for _ in range(2)]
    finally:
        transport.close()


def both(settings: TransportSettings) -> list[Callable[[int], Transport]]:
    """The built-in client, and Locust's."""
    return [transports(settings), transports(replace(settings, client="fasthttp"))]


def main() -> None:
    url = f"http://127.0.0.1:{sys.argv[1]}/"
    found = {}
    made = both(SETTINGS)
    assert isinstance(made[1](0), FastHttpTransport)
    for mode in sys.argv[4:]:
        clients = both(QUICK) if mode in ENDLESS else made
        found[mode] = [send(make, request_of(url, mode)) for make in clients]
    for address in ("http://127.0.0.1:1/token", "http://nothing.invalid/token"):
        found[address] = [send(make, Request("issue", address, {}, b"a=1")) for make in made]
    for bundle in (sys.argv[3], None):
        secured = both(settings_of(Target(ca_bundle=bundle, timeout_s=20), Path()))
        found[f"bundle {bundle}"] = [send(make, Request("issue", sys.argv[2], {}, b"a=1")) for make in secured]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
