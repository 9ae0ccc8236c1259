"""Difference: where two resolved scenarios, or other plain data, differ, leaf by leaf."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_SHOWN = 60


@dataclass(frozen=True)
class Difference:
    """One leaf: its key with dots, and both values as short JSON; None where the key is not there."""

    key: str
    before: str | None
    after: str | None

    def describe(self) -> str:
        """``load.users is 6, was 5``, ``a is new`` or ``a is gone``."""
        if self.before is None or self.after is None:
            return f"{self.key} is {'new' if self.before is None else 'gone'}"
        return f"{self.key} is {self.after}, was {self.before}"


def differences(before: object, after: object, key: str = "") -> list[Difference]:
    """Every leaf that differs, in the order of the keys."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = dict.fromkeys([*before, *after])
        return [one for name in names for one in _of_key(before, after, name, f"{key}.{name}" if key else name)]
    old, new = json.dumps(before, sort_keys=True), json.dumps(after, sort_keys=True)
    return [] if old == new else [Difference(key, _short(old), _short(new))]


def _of_key(before: Mapping[str, Any], after: Mapping[str, Any], name: str, key: str) -> list[Difference]:
    if name not in after:
        return [Difference(key, _short(json.dumps(before[name], sort_keys=True)), None)]
    if name not in before:
        return [Difference(key, None, _short(json.dumps(after[name], sort_keys=True)))]
    return differences(before[name], after[name], key)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
