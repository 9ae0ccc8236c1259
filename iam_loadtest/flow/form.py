"""Bodies of forms, encoded fast."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_letters, digits
from typing import Final
from urllib.parse import quote_plus

FORM_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}
_UNCHANGED = (ascii_letters + digits + "_.-~").encode()
"""What form encoding leaves as it is: the whole of a JWT, and of most other tokens."""


def form_encoded(text: str) -> bytes:
    """A value of a form field, as application/x-www-form-urlencoded has it."""
    raw = text.encode()
    return quote_plus(raw).encode() if raw.translate(None, _UNCHANGED) else raw
