"""The HTTP proxy of a target: named by URL, or by reference where its URL holds a password."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, PlainSerializer, SerializationInfo, WithJsonSchema

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.secret import SecretRef, parse_secret, shown_or_written

_FORM = "an http URL such as http://proxy.example.org:3128"
_HELP = f"{_FORM}, without user and password, or ${{ENV_VARIABLE}} or {{file: path}} that holds it"
_DEFAULT_PORT = 80


@dataclass(frozen=True)
class Proxy:
    """Where a proxy listens, and who uses it; ``authorization`` is a header's value, empty where it wants none."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What goes to the proxy with every request, and to nobody else."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def resolve_proxy(
    reference: SecretRef | None, directory: Path, environ: Mapping[str, str] = os.environ
) -> Proxy | None:
    """The proxy that a reference stands for; raises UserError that does not repeat what it found there."""
    url = resolve_proxy_url(reference, directory, environ)
    return parse_proxy(url) if url else None


def resolve_proxy_url(
    reference: SecretRef | None, directory: Path, environ: Mapping[str, str] = os.environ
) -> str | None:
    """The URL that a reference stands for, which may hold a password; raises UserError as :func:`resolve_proxy`."""
    if reference is None:
        return None
    url = reference.resolve(directory, environ)
    try:
        parse_proxy(url)
    except ValueError:
        raise UserError(f"target.proxy: {reference.describe()} does not hold {_FORM}; correct it.") from None
    return url


def parse_proxy(url: str) -> Proxy:
    """The proxy of a URL; raises ValueError."""
    split = urlsplit(url)
    if split.scheme != "http" or not split.hostname or split.path not in {"", "/"} or split.query or split.fragment:
        raise ValueError("no proxy")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("no proxy")
    login = ""
    if split.username is not None:
        pair = f"{unquote(split.username)}:{unquote(split.password or '')}"
        login = "Basic " + b64encode(pair.encode()).decode()
    return Proxy(split.hostname, split.port or _DEFAULT_PORT, login)


def _parse(value: Any) -> SecretRef:
    """The reference in a scenario's value; raises ValueError that does not repeat the value."""
    try:
        reference = parse_secret(value)
        if reference.literal is not None and parse_proxy(reference.literal).authorization:
            raise ValueError("a password in the open")
    except ValueError:
        raise ValueError(f"must be {_HELP}") from None
    return reference


def _shown(reference: SecretRef, info: SerializationInfo) -> Any:
    return reference.literal or shown_or_written(reference, info)


ProxyRef = Annotated[
    SecretRef,
    BeforeValidator(_parse),
    PlainSerializer(_shown),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(http://[^@]+|\$\{[A-Za-z_][A-Za-z0-9_]*\})$", "description": _HELP},
                {
                    "type": "object",
                    "properties": {"file": {"type": "string"}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
