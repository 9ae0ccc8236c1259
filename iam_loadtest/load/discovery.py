"""Ask a provider where its endpoints are: one request per process, before its users start."""

from __future__ import annotations

from dataclasses import replace

import orjson

from iam_loadtest.errors import UserError
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.redirect import without_secrets
from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.load.transport import Transport, TransportSettings
from iam_loadtest.oidc.discovery import DiscoveryError, Endpoints, discovery_url, parse_discovery
from iam_loadtest.oidc.redact import redact

TIMEOUT_S = 10.0


def find_endpoints(setup: LoadSetup, settings: TransportSettings) -> Endpoints:
    """The endpoints of the setup's issuer; raises UserError in one line where it does not say them.

    A token endpoint in the scenario's target needs no discovery.
    """
    if setup.target.token_endpoint:
        return Endpoints(setup.issuer, setup.target.token_endpoint)
    limit_s = min(settings.timeout_s, TIMEOUT_S)
    limited = replace(settings, timeout_s=limit_s, connect_timeout_s=limit_s, tls_timeout_s=limit_s)
    transport = HttpTransport(Network(limited))
    try:
        return ask(setup.issuer, transport, _remedy(setup))
    finally:
        transport.close()


def ask(issuer: str, transport: Transport, remedy: str) -> Endpoints:
    """The endpoints in the issuer's discovery document; raises UserError that ends with ``remedy``."""
    url = discovery_url(issuer)
    response = transport.send(Request("discovery", url, {"Accept": "application/json"}, b"", "GET"))
    try:
        return parse_discovery(_document(response), issuer)
    except DiscoveryError as error:
        raise UserError(f"{url}: {error}; {remedy}") from error


def _document(response: Response) -> object:
    if response.failure is not None:
        raise DiscoveryError(f"no answer ({response.failure}: {redact(response.detail)})")
    if 300 <= response.status < 400:
        there = without_secrets(response.location)
        raise DiscoveryError(f"the answer has status {response.status}, a redirect to {there}, which is not followed")
    if response.status != 200:
        raise DiscoveryError(f"the answer has status {response.status}, not 200")
    try:
        return orjson.loads(response.body)
    except ValueError as error:
        raise DiscoveryError("the answer is not JSON") from error


def _remedy(setup: LoadSetup) -> str:
    if setup.is_embedded:
        return "start the built-in IAM with `iam-loadtest iam`, or name another issuer with --issuer."
    return "check the issuer, and that it is reachable from here."
