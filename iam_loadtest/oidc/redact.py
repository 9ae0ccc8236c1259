"""Take tokens and other unique parts out of texts that servers send."""

from __future__ import annotations

import re

MAX_TEXT = 160
# Each pattern starts where a word starts, so that a long text is read once, not once per letter.
_JWT = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_CREDENTIAL = re.compile(
    r"(?i)\b(client_secret|password|access_token|refresh_token|subject_token|code|assertion)=[^\s&\"']+"
)
_LONG = re.compile(r"(?<![A-Za-z0-9_+/=-])[A-Za-z0-9_+/=-]*[0-9][A-Za-z0-9_+/=-]*")
_OPAQUE = re.compile(r"[A-Za-z]{24,}")
_NUMBER = re.compile(r"\d{4,}")
_SPACE = re.compile(r"\s+")


def redact(text: str) -> str:
    """The text with tokens, ids and long numbers replaced, on one line and of limited length.

    Equal failures give equal texts, so that they can be grouped; error numbers of up to four digits stay.
    """
    text = _SPACE.sub(" ", text[: 64 * MAX_TEXT]).strip()
    text = _JWT.sub("<token>", text)
    text = _UUID.sub("<id>", text)
    text = _CREDENTIAL.sub(lambda match: f"{match[1]}=<secret>", text)
    text = _OPAQUE.sub("<token>", _LONG.sub(_long_word, text))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _long_word(match: re.Match[str]) -> str:
    word = match[0]
    if len(word) >= 16:
        return "<token>"
    return _NUMBER.sub(lambda number: number[0] if len(number[0]) == 4 else "<n>", word)
