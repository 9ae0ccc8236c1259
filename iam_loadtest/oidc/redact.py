"""Take tokens and other unique parts out of texts that servers send."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_TEXT = 160
MAX_LINE = 500
_LONG_HEAD = 16
"""So long is the rest of what begins a JWT, {"alg":"RS256"}, at least."""
# Each pattern starts where a word starts, so that a long text is read once, not once per letter.
_RUN = re.compile(r"(?<![A-Za-z0-9_.-])[A-Za-z0-9_.-]++")
_DOTTED = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_CREDENTIAL = re.compile(
    r"(?i)\b((?:client_)?(?:secret|assertion)|password|(?:(?:access|refresh|subject|actor|id)_)?token(?:_hint)?"
    r"|(?:device_|user_|session_)?code(?:_verifier)?)=[^\s&\"']+"
)
_MEMBER = re.compile(
    r"(?i)(\\?[\"'])(\w{0,40}(?:secret|password|token(?:_hint)?|assertion|verifier)|(?:device|user|session)_code)\1"
    r"( ?: ?)(\\?[\"'])[^\"']+"
)
"""Of a JSON object, which may itself be a text in another one."""
_HEADER = re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9+/=._~-]{16,}")
_LOGIN = re.compile(r"(?i)\b([a-z][a-z+]{1,11}://)[^\s/@\"'<>]+@")
_VALUE = re.compile(r"(?i)\b(for value) [^\s<]\S*")
_TIME = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?|\b\d\d:\d\d:\d\d\b"
)
_URL = re.compile(r"(?i)\b((?:https?|jdbc:\w{1,20}|mysql|postgresql)://)[^\s\"'<>]+")
_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])(?::\d{1,5})?|\[[0-9a-fA-F:]{2,39}\](?::\d{1,5})?")
_HOST = re.compile(
    r"(?<![\w.-])(?=[a-z0-9.-]*\d)(?=[0-9.-]*[a-z])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,6}(?![\w.-])(?::\d{1,5})?"
)
_PORT = re.compile(r"(?<![\w.-])(localhost|[a-z][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){1,6}):\d{2,5}\b")
_COUNTED = re.compile(
    r"(?i)\b(process|transaction|thread|connection|session|id|pid|tuple|row|user|attempt)([ #:=-]{1,2})\d+\b"
)
_DURATION = re.compile(r"\b\d+(?:\.\d+)?( ?)(ms|s|us|seconds?|milliseconds?)\b")
_CLASS = re.compile(r"(?:[a-z]+\.)+[A-Z][A-Za-z]+(?:Exception|Error)")
_LONG = re.compile(r"(?<![A-Za-z0-9_+/=-])[A-Za-z0-9_+/=-]*[0-9][A-Za-z0-9_+/=-]*")
_OPAQUE = re.compile(r"[A-Za-z]{24,}")
_NUMBER = re.compile(r"\d{4,}")


def redact(text: str) -> str:
    """The text with tokens, ids, times, hosts and counters replaced, on one line and of limited length.

    Equal failures give equal texts, so that they can be grouped; error numbers of up to four digits stay.
    """
    return _redact(without_jwts(" ".join(printable(text[: 32 * MAX_TEXT]).split())))


def one_line(text: str) -> str:
    """A message for people that came from elsewhere, on one line of limited length, without tokens and escape codes.

    Names of hosts, files and variables stay: they say what to do.
    """
    line = without_jwts(" ".join(printable(text[: 8 * MAX_LINE]).split()))
    line = _HEADER.sub(r"\1 <secret>", _LOGIN.sub(r"\1<secret>@", _without_credentials(line)))
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"


def printable(text: str) -> str:
    """The text with a space for what a terminal could take for a command: codes that move, colour or rename it."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


@lru_cache(maxsize=500)
def _redact(text: str) -> str:
    """What is left to do once tokens are out: for most failures it was done before, and it takes 0.2 ms."""
    text = _UUID.sub("<id>", text)
    text = _without_credentials(text)
    text = _VALUE.sub(lambda match: f"{match[1]} <token>", text)
    text = _TIME.sub("<time>", text)
    text = _URL.sub(lambda match: f"{match[1]}<host>", text)
    text = _PORT.sub("<host>", _HOST.sub("<host>", _ADDRESS.sub("<host>", text)))
    text = _DOTTED.sub(_dotted_word, text)
    text = _COUNTED.sub(lambda match: f"{match[1]}{match[2]}<n>", text)
    text = _DURATION.sub(lambda match: f"<n>{match[1]}{match[2]}", text)
    text = _OPAQUE.sub(_letters, _LONG.sub(_long_word, text))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def without_jwts(text: str) -> str:
    """The text with <token> for each JWT."""
    return _RUN.sub(_without_jwt, text) if "eyJ" in text else text


def _without_jwt(match: re.Match[str]) -> str:
    """A run of dotted words with its signed (three parts) or encrypted (five parts) JWTs replaced, cut ones too."""
    parts, kept, at = match[0].split("."), [], 0
    while at < len(parts):
        before, _, head = parts[at].partition("eyJ")
        left = len(parts) - at
        is_jwt = bool(head) and ((left > 2 and parts[at + 1] != "") or len(head) > _LONG_HEAD)
        kept.append(f"{before}<token>" if is_jwt else parts[at])
        at += (5 if left > 4 else 3) if is_jwt else 1
    return ".".join(kept)


def _without_credentials(text: str) -> str:
    """The text without values that their names call secret, in forms, queries and JSON."""
    return _MEMBER.sub(r"\1\2\1\3\4<secret>", _CREDENTIAL.sub(r"\1=<secret>", text))


def _dotted_word(match: re.Match[str]) -> str:
    return match[0] if _CLASS.fullmatch(match[0]) else "<token>"


def _letters(match: re.Match[str]) -> str:
    return match[0] if match[0].endswith(("Exception", "Error")) else "<token>"


def _long_word(match: re.Match[str]) -> str:
    word = match[0]
    if len(word) >= 16:
        return "<token>"
    return _NUMBER.sub(lambda number: number[0] if len(number[0]) == 4 else "<n>", word)
