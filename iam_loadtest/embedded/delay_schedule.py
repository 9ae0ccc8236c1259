"""A known schedule of delays, so that what a load generator measures can be held against the truth."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.units import parse_duration_s

SCHEDULE_HELP = "delays with weights and a stall, such as 20ms, or 10ms*80,200ms*20, or 1ms,stall 3s every 30s"
_STALL = re.compile(r"stall (\S+) every (\S+)")
_ROUND = 1000
_MAX_ROUND = 1_000_000
_SEED = 1


@dataclass(frozen=True)
class DelaySchedule:
    """How long each answer is held back.

    ``delays_s`` is gone through again and again. The last ``stall_s`` of every ``every_s`` are a stall: what arrives
    in it is held until its end, and for its own delay on top.
    """

    delays_s: tuple[float, ...]
    stall_s: float = 0.0
    every_s: float = 0.0

    def delay_s(self, number: int, elapsed_s: float) -> float:
        """The delay of request ``number`` (from 0) that arrives ``elapsed_s`` after the first one."""
        own_s = self.delays_s[number % len(self.delays_s)]
        if not self.stall_s:
            return own_s
        left_s = self.every_s - elapsed_s % self.every_s
        return own_s + left_s if left_s <= self.stall_s else own_s


def delay_schedule(text: str) -> DelaySchedule:
    """The schedule of a text, or of the file that it names (one term a line, # starts a comment); UserError."""
    path = Path(text)
    if not path.is_file():
        return _parse(text, text.split(","))
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return _parse(text, [line for line in lines if line])


def _parse(source: str, terms: list[str]) -> DelaySchedule:
    weights: dict[float, int] = {}
    stall = (0.0, 0.0)
    try:
        for term in (term.strip() for term in terms):
            if match := _STALL.fullmatch(term):
                stall = _stall(match[1], match[2])
            else:
                delay, star, weight = term.partition("*")
                weights[parse_duration_s(delay.strip())] = int(weight) if star else 1
        return DelaySchedule(_round(weights), *stall)
    except ValueError as error:
        raise UserError(f"--delay-schedule {source!r}: {error}; give {SCHEDULE_HELP}.") from error


def _stall(length: str, period: str) -> tuple[float, float]:
    stall_s, every_s = parse_duration_s(length), parse_duration_s(period)
    if not 0 < stall_s < every_s:
        raise ValueError("a stall must be longer than 0 and shorter than its period")
    return stall_s, every_s


def _round(weights: dict[float, int]) -> tuple[float, ...]:
    """Delays in exactly their shares, in an order that is the same every time and fits no user's rhythm."""
    total = sum(weights.values())
    if any(weight < 1 for weight in weights.values()) or total > _MAX_ROUND:
        raise ValueError(f"weights must be whole numbers from 1, {_MAX_ROUND} together at most")
    if len(weights) < 2:
        return tuple(weights) or (0.0,)
    delays = [delay_s for delay_s, weight in weights.items() for _ in range(weight)] * max(_ROUND // total, 1)
    random.Random(_SEED).shuffle(delays)  # noqa: S311  an order, no secret
    return tuple(delays)
