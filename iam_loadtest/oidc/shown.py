"""Requests and answers as people may see them: what is not known to be harmless is masked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

import orjson

from iam_loadtest.oidc.redact import redact
from iam_loadtest.oidc.sent_secrets import NO_SECRETS, without_sent

MASK: Final = "***"
_SHOWN_MEMBERS: Final = frozenset({"token_type", "expires_in", "scope", "active", "issued_token_type", "issuer"})
_MAX_VALUE: Final = 60


def shown_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """A request in one line: fields of forms and queries by name, their values where they are no secret."""
    parts = urlsplit(url)
    place = f"{method} {parts.path or '/'}"
    fields = [*_fields(parts.query), *_fields(body.decode("utf-8", "replace"))]
    proof = headers.get("Authorization")
    return " ".join([place, *fields, *([f"Authorization={_proof(proof)}"] if proof else [])])


def shown_answer(status: int, body: bytes, is_page: bool = False, secrets: Sequence[str] = ()) -> str:
    """An answer in one line: the members of its object, with values where they are no secret; else its size.

    Of what a browser is shown, nothing but its size. ``secrets`` are what the request was proven by, which the server
    may repeat.
    """
    try:
        document = None if is_page else orjson.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict) and document:
        return " ".join(_member(name, value, secrets) for name, value in list(document.items())[:12])
    return f"{len(body):,} bytes" if body else "no body" if status else "no answer"


def _fields(form: str) -> Iterator[str]:
    for name, value in parse_qsl(form, keep_blank_values=True):
        shown = quote(value, safe=" /:.,{}-_@")[:_MAX_VALUE] if name in NO_SECRETS else MASK if value else "(empty)"
        yield f"{name}={shown}"


def _proof(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme != "Basic":
        return f"{scheme} {MASK}"
    try:
        name = unquote_plus(base64.b64decode(value).decode().partition(":")[0])
    except (binascii.Error, UnicodeDecodeError):
        return f"{scheme} {MASK}"
    return f"Basic {name}:{MASK}"


def _member(name: str, value: Any, secrets: Sequence[str]) -> str:
    name = redact(without_sent(name, secrets))
    if name in _SHOWN_MEMBERS:
        return f"{name}={redact(without_sent(str(value), secrets))[:_MAX_VALUE]}"
    if name in {"error", "error_description"}:
        return f"{name}={redact(without_sent(str(value), secrets))!r}"
    return f"{name}={MASK}" if isinstance(value, str) else name
