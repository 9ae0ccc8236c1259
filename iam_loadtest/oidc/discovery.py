"""The discovery document (OpenID Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

_AUTHENTICATED = ("token", "introspection", "revocation")
_MAX_SHOWN = 200
_NAME = re.compile(r"[!-~]{1,100}")
"""Of a grant or a method, as registries have them; anything else is not one and is not repeated to anybody."""
_URL = re.compile(r"[!-~]{1,2000}")
"""RFC 3986 has no other characters in a URL; what is in the path stands in a request's first line and in messages."""

_WHERE_MEANT = "where that is meant, name target.token_endpoint, which needs no discovery"
_OF_TOKENS = "id_token_signing_alg_values_supported"
_OF_ASSERTIONS = tuple(f"{name}_endpoint_auth_signing_alg_values_supported" for name in _AUTHENTICATED)


class DiscoveryError(ValueError):
    """The document cannot be used; the text says why, without naming where it came from."""


@dataclass(frozen=True)
class Endpoints:
    """Where a provider answers. Optional endpoints are None where the provider has none.

    ``mutual_tls`` are the aliases for clients that show a certificate, as they stand in the document: not checked yet.
    ``auth_methods`` and ``grants`` are what it says to offer, nothing where it does not say.
    """

    issuer: str
    token: str
    jwks: str | None = None
    introspection: str | None = None
    userinfo: str | None = None
    revocation: str | None = None
    authorization: str | None = None
    device_authorization: str | None = None
    mutual_tls: tuple[tuple[str, str], ...] = ()
    auth_methods: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()

    def for_mutual_tls(self) -> Endpoints:
        """Where clients that show a certificate go (RFC 8705 section 5); raises DiscoveryError for another host."""
        here = {key: _same_origin(url, f"mtls_endpoint_aliases.{key}", self.issuer) for key, url in self.mutual_tls}
        return replace(
            self,
            token=here.get("token_endpoint", self.token),
            introspection=here.get("introspection_endpoint", self.introspection),
            revocation=here.get("revocation_endpoint", self.revocation),
            device_authorization=here.get("device_authorization_endpoint", self.device_authorization),
        )


def discovery_url(issuer: str) -> str:
    """Where the document of an issuer stands: the trailing slash counts once."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def parse_discovery(document: object, issuer: str) -> Endpoints:
    """The endpoints in a document for ``issuer``.

    Raises DiscoveryError where the document names another issuer, an endpoint is on another host or loses TLS, since a
    secret sent there would be sent to somebody else, and where nothing would have to be signed.
    """
    if not isinstance(document, Mapping):
        raise DiscoveryError("the discovery document is not a JSON object")
    named = document.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise DiscoveryError(
            f"the discovery document is of issuer {_shown(named)}; if that one is meant, write it as the issuer"
        )
    _refuse_unsigned(document)
    return Endpoints(
        issuer=named,
        token=_same_origin(_required(document, "token_endpoint"), "token_endpoint", issuer),
        jwks=_optional(document, "jwks_uri", issuer),
        introspection=_optional(document, "introspection_endpoint", issuer),
        userinfo=_optional(document, "userinfo_endpoint", issuer),
        revocation=_optional(document, "revocation_endpoint", issuer),
        authorization=_optional(document, "authorization_endpoint", issuer),
        device_authorization=_optional(document, "device_authorization_endpoint", issuer),
        auth_methods=_texts(document, "token_endpoint_auth_methods_supported"),
        grants=_texts(document, "grant_types_supported"),
        mutual_tls=tuple(_aliases(document.get("mtls_endpoint_aliases"))),
    )


def _refuse_unsigned(document: Mapping[str, Any]) -> None:
    """Discovery section 3: none must not be offered for client assertions. INDIGO IAM offers it for ID tokens among
    others, which is allowed and harmless here: no token without a signature is ever taken for good.
    """
    for key in _OF_ASSERTIONS:
        if "none" in _algorithms(document, key):
            raise DiscoveryError(f"{key} holds 'none': anybody could be any client, so its answers mean nothing")
    if set(_algorithms(document, _OF_TOKENS)) == {"none"}:
        raise DiscoveryError(f"{_OF_TOKENS} holds 'none' alone: nothing that it signs could be verified")


def _algorithms(document: Mapping[str, Any], key: str) -> list[str]:
    return [name.lower() for name in _texts(document, key)]


def _texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = document.get(key)
    return tuple(filter(_is_name, found)) if isinstance(found, list) else ()


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _required(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise DiscoveryError(f"the discovery document has no {key}")
    return value


def _optional(document: Mapping[str, Any], key: str, issuer: str) -> str | None:
    return _same_origin(_required(document, key), key, issuer) if document.get(key) else None


def _aliases(aliases: object) -> Iterator[tuple[str, str]]:
    """Those that are texts; their hosts are looked at once somebody is to go there."""
    for key, url in aliases.items() if isinstance(aliases, Mapping) else ():
        if isinstance(key, str) and isinstance(url, str):
            yield key, url


def _same_origin(url: str, key: str, issuer: str) -> str:
    there, here = _split(url) if _URL.fullmatch(url) else None, urlsplit(issuer)
    if there is None or there.scheme not in {"http", "https"} or not there.hostname or there.username is not None:
        raise DiscoveryError(f"{key} is {_shown(url)}, which is no http or https URL")
    if here.scheme == "https" and there.scheme != "https":
        raise DiscoveryError(f"{key} is {_shown(url)}: http, where the issuer is https; tell the IAM its public URL")
    if there.hostname != here.hostname:
        raise DiscoveryError(f"{key} is on host {there.hostname!r}, the issuer on {here.hostname!r}; {_WHERE_MEANT}")
    return url


def _shown(value: object) -> str:
    """A value of the document in a message, without what a terminal would take for a command."""
    text = ascii(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, None where it is none; a port is only looked at when it is asked for."""
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None
