"""Numbers with units: durations as people write them, and back."""

from __future__ import annotations

import re
import sys

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
PERCENT_HELP = "a percentage from 0% to 100%, such as 5%"
DURATION_HELP = "a number of seconds, or a text such as 90s, 10m, 1h30m or 250ms"


def parse_duration_s(value: object) -> float:
    """Seconds of a number (already seconds) or of a text such as ``90s``, ``10m``, ``1h30m``, ``250ms``.

    Raises ValueError for anything else; booleans, negative and infinite numbers are refused.
    """
    if isinstance(value, bool):
        raise ValueError(f"must be {DURATION_HELP}")
    if isinstance(value, int | float):
        return _finite(value)
    if isinstance(value, str):
        return _finite(_parse_text(value.strip()))
    raise ValueError(f"must be {DURATION_HELP}")


def parse_percent(value: object) -> float:
    """The share that a text such as ``5%`` or ``0.5 %`` says: 0.05 or 0.005.

    Raises ValueError for anything else: a bare number could be meant as either.
    """
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError(f"must be {PERCENT_HELP}")
    return float(match[1]) / 100


def format_duration(seconds: float) -> str:
    """A duration as people write it: ``250ms``, ``7.5s``, ``10m``, ``1h02m``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms" if seconds > 0 else "0s"
    if seconds < 60:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if minutes else f"{hours}h"


def _parse_text(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"must be {DURATION_HELP}")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _finite(seconds: float) -> float:
    if not 0 <= seconds <= sys.float_info.max:
        raise ValueError("must not be negative or infinite")
    return float(seconds)
