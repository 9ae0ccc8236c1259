"""What a token endpoint answers (RFC 6749 sections 5.1 and 5.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

MAX_BODY_BYTES = 1 << 20
MAX_DESCRIPTION = 1 << 14
"""Characters of an error's description that are looked at: room for a token that a server repeats, and no more."""
MAX_LIFETIME_S = 100 * 365 * 86_400
"""No token lives for a century: what is longer, or negative, says that it does not expire, or nothing."""


class TokenResponseError(ValueError):
    """The body is not a token response; the text says what is wrong with it and holds no token."""


class Tokens(NamedTuple):
    """Tokens of a good answer; none of them is in its repr."""

    access_token: str
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return "Tokens()"


@dataclass(frozen=True, slots=True)
class OAuthError:
    """The error object of a refusal; both texts are empty where the body was something else."""

    error: str = ""
    description: str = field(repr=False, default="")


def parse_tokens(body: bytes) -> Tokens:
    """The tokens of a 2xx body; raises TokenResponseError where it is not a well-formed token response."""
    document = json_object(body)
    access_token = document.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        raise TokenResponseError("no access_token in the answer")
    if "\r" in access_token or "\n" in access_token:
        raise TokenResponseError("access_token holds a line break")  # it would be more than a header's value
    token_type = document.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() not in {"bearer", "n_a"}:
        raise TokenResponseError("token_type is not Bearer")
    refresh_token = document.get("refresh_token")
    if refresh_token is not None and not isinstance(refresh_token, str):
        raise TokenResponseError("refresh_token is not a text")
    return Tokens(access_token, refresh_token)


def parse_error(body: bytes) -> OAuthError:
    """The error of a refusal; empty where the body is not an OAuth error."""
    try:
        document = json_object(body)
    except TokenResponseError:
        return OAuthError()
    return OAuthError(_text(document, "error"), _text(document, "error_description"))


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    return value[:MAX_DESCRIPTION] if isinstance(value, str) else ""


def lifetime_s(body: bytes) -> float | None:
    """``expires_in`` of a 2xx body: how long its access token lives; None where it does not say, or no real time."""
    try:
        lives_s = json_object(body).get("expires_in")
    except TokenResponseError:
        return None
    if not isinstance(lives_s, int | float) or isinstance(lives_s, bool):
        return None
    return float(lives_s) if 0 <= lives_s <= MAX_LIFETIME_S else None


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; raises TokenResponseError where it is something else or too large."""
    if len(body) > MAX_BODY_BYTES:
        raise TokenResponseError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
    try:
        document = orjson.loads(body)
    except ValueError as error:
        raise TokenResponseError("the answer is not JSON") from error
    if not isinstance(document, dict):
        raise TokenResponseError("the answer is not a JSON object")
    return document
