"""How the generator talks to the IAM."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.fields import DurationS, Name, Noun, Switch, Url
from iam_loadtest.scenario.proxy import ProxyRef


def _check_address(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        raise ValueError("must be an IP address, such as 192.0.2.7 or 2001:db8::7") from None


def _check_host(host: str) -> str:
    if not host or any(character in "/:@?# " for character in host):
        raise ValueError("must be a host's name alone, such as iam.example.org")
    return host.lower()


def _check_origin(url: str) -> str:
    if urlsplit(url).path.strip("/"):
        raise ValueError("must name no path; requests keep the paths that discovery gives")
    return url.rstrip("/")


HostName = Annotated[str, AfterValidator(_check_host)]
Address = Annotated[str, AfterValidator(_check_address)]
Client = Literal["built-in", "fasthttp"]
NodeUrl = Annotated[Url, AfterValidator(_check_origin)]


class Target(Noun):
    """How the generator talks to the IAM."""

    timeout_s: DurationS = Field(default=60, alias="timeout", gt=0, description="time limit of one request")
    connect_timeout_s: DurationS = Field(default=10, alias="connect_timeout", gt=0, description="time limit to connect")
    tls_timeout_s: DurationS = Field(
        default=10, alias="tls_timeout", gt=0, description="time limit of the TLS handshake"
    )
    verify_tls: Switch = Field(default=True, description="check the server's certificate")
    ca_bundle: str | None = Field(default=None, description="PEM file of further certificate authorities")
    client_certificate: str | None = Field(default=None, description="PEM file shown to servers that ask who we are")
    client_key: str | None = Field(default=None, description="PEM file of its key, where that is another file")
    resolve: Mapping[HostName, Annotated[tuple[Address, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="addresses of hosts, instead of asking DNS"
    )
    proxy: ProxyRef | None = Field(default=None, description="HTTP proxy: URL, or ${ENV} that holds it")
    backend_header: str = Field(default="X-Backend", description="response header that names the serving node")
    nodes: Mapping[Name, NodeUrl] = Field(
        default_factory=dict, description="where single nodes answer, past the balancer, for probes between them"
    )
    token_endpoint: Url | None = Field(default=None, description="where discovery does not say it")
    refresh_tokens: str | None = Field(
        default=None, description="file of refresh tokens for steps with request: pre_issued, each used once"
    )
    health: Url | None = Field(default=None, description="awaited before a trial; the discovery document if left out")
    health_timeout_s: DurationS = Field(default=60, alias="health_timeout", description="how long health is awaited")
    transport: Client = Field(
        default="built-in", description="HTTP client of the load: the built-in one, or Locust's FastHttpUser's"
    )


def require_one_client(target: Target) -> None:
    """Raise UserError where a target asks for what Locust's client cannot do."""
    if target.transport != "fasthttp":
        return
    for key in ("proxy", "resolve"):
        if getattr(target, key):
            raise UserError(f"target.{key} is given with transport: fasthttp, which cannot do it; remove one of them.")
