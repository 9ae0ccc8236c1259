"""Faults between whoever orders them and the lab that does them: what is to be done when, and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from iam_loadtest.results.json_file import read_json, write_json

FAULT_ORDERS_FILE = "faults.json"


@dataclass(frozen=True)
class FaultOrder:
    """A fault to come; ``at_us`` is on the machine's monotonic clock. ``target`` may be a role or all links.

    ``for_s`` None: to the end of the lab. What a degraded link keeps is None.
    """

    number: int
    kind: str
    target: str
    at_us: int
    for_s: float | None = None
    rtt_s: float | None = None
    jitter_s: float | None = None
    loss: float | None = None


@dataclass(frozen=True)
class FaultRecord:
    """What became of a fault, in trial.json with times since the trial's origin, in a lab's state by its clock.

    ``asked`` is the target of the scenario, ``target`` what that was. ``done`` says in words what was done.
    ``ended_us`` is when the server or link was whole again, None where that did not happen. ``error`` says why the
    fault could not be done, or not be ended. ``at_s``, since the window begins, to ``loss`` are the scenario's; a lab's
    state leaves them out.
    """

    number: int
    kind: str
    asked: str
    target: str = ""
    done: str = ""
    started_us: int | None = None
    ended_us: int | None = None
    error: str | None = None
    at_s: float | None = None
    for_s: float | None = None
    rtt_s: float | None = None
    jitter_s: float | None = None
    loss: float | None = None

    @property
    def as_asked(self) -> tuple[int | str | float | None, ...]:
        """All that the scenario says of it, and nothing of what it came to: equal where the same was asked for."""
        return self.number, self.kind, self.asked, self.at_s, self.for_s, self.rtt_s, self.jitter_s, self.loss

    def since(self, origin_us: int) -> FaultRecord:
        """The same with times since an origin."""
        started, ended = (None if at is None else at - origin_us for at in (self.started_us, self.ended_us))
        return replace(self, started_us=started, ended_us=ended)

    @property
    def words(self) -> str:
        """Short, for a legend: kill database-2."""
        return f"{self.kind} {self.target or self.asked}"


def write_fault_orders(base: Path, orders: Sequence[FaultOrder]) -> None:
    """Hand a lab its schedule; it takes it once."""
    write_json(base / FAULT_ORDERS_FILE, [asdict(order) for order in orders])


def take_fault_orders(base: Path) -> list[FaultOrder]:
    """The schedule that was handed over since the last call; empty where there is none."""
    path = base / FAULT_ORDERS_FILE
    if not path.is_file():
        return []
    orders = [FaultOrder(**order) for order in read_json(path)]
    path.unlink()
    return orders


def fault_records_of(documents: Sequence[Mapping[str, Any]]) -> tuple[FaultRecord, ...]:
    """Records of plain data; raises TypeError where it is something else."""
    return tuple(FaultRecord(**document) for document in documents)
