"""Secrets that a request carried, to be taken out of what its answer says: servers repeat what they refuse.

A token looks like one, whoever says it; a password looks like any word, and only its sender can tell.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_plus

HIDDEN: Final = "<secret>"
MIN_LENGTH: Final = 4
"""Shorter ones are parts of too many words."""
NO_SECRETS: Final = frozenset(
    {"grant_type", "scope", "audience", "resource", "client_id", "username", "redirect_uri", "response_type"}
    | {"subject_token_type", "requested_token_type", "token_type_hint", "client_assertion_type"}
    | {"code_challenge_method"}
)
"""Fields of forms whose values anybody may see."""
_SECRET_FIELD: Final = re.compile(r"(?i)secret|pass|pwd|token|code|assertion|verifier")
_CODED: Final = frozenset("%+")


def sent_secrets(headers: Mapping[str, str], body: bytes) -> tuple[str, ...]:
    """What a request proved somebody by: secrets, passwords, tokens and codes of its form and of its header.

    Every failure of a load comes here, so the form is not parsed: what is encoded in it is found by its signs.
    """
    fields = (field.partition("=") for field in body.decode("utf-8", "replace").split("&"))
    typed = tuple(value for name, _, value in fields if value and _is_secret(name))
    return tuple(dict.fromkeys(way for one in (*typed, *_of_header(headers)) for way in _spelled(one)))


def without_sent(text: str, secrets: Iterable[str]) -> str:
    """The text with <secret> for each of them; those that are too short to tell from words stay."""
    found = [one for one in secrets if len(one) >= MIN_LENGTH and one in text]
    for one in sorted(found, key=len, reverse=True):  # one may be a part of another
        text = text.replace(one, HIDDEN)
    return text


@lru_cache(maxsize=100)
def _is_secret(name: str) -> bool:
    return name not in NO_SECRETS and _SECRET_FIELD.search(name) is not None


def _spelled(value: str) -> Iterator[str]:
    """A value of a form as it is encoded there, as it is meant, and as a path would have it."""
    yield value
    if not _CODED.isdisjoint(value):
        yield from (meant := unquote_plus(value), quote(meant))


def _of_header(headers: Mapping[str, str]) -> Iterator[str]:
    """The proof as it was sent and, of Basic, the secret in it, which is encoded as in a form."""
    scheme, _, proof = headers.get("Authorization", "").partition(" ")
    if proof:
        yield proof
    if scheme == "Basic":
        try:
            yield base64.b64decode(proof).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return
