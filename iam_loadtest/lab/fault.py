"""Do what a schedule of faults asks for, each at its time, beside the watch over the servers."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab.link_change import cut_link, mend_link, shape_link
from iam_loadtest.lab.plan import LabPlan
from iam_loadtest.lab.restart import start_again
from iam_loadtest.lab.running import RunningServers, signal_group
from iam_loadtest.lab.sessions import redis_master
from iam_loadtest.results.fault import FaultOrder, FaultRecord
from iam_loadtest.results.trial_clock import machine_us
from iam_loadtest.scenario.fault import REDIS_MASTER, hit_links
from iam_loadtest.scenario.topology import LabTopology

_STEP_S = 0.05
Job = Generator[FaultRecord, None, None]
"""Goes on by a step at each look, and yields the fault's record as it stands."""


@dataclass(frozen=True)
class Ground:
    """What faults happen to."""

    topology: LabTopology
    plan: LabPlan
    base: Path
    servers: RunningServers


class Faults:
    """The schedule of a lab and what became of it so far."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._waiting: list[FaultOrder] = []
        self._jobs: list[Job] = []
        self._records: dict[int, FaultRecord] = {}

    @property
    def records(self) -> tuple[FaultRecord, ...]:
        """Of those that have begun, in their order."""
        return tuple(record for _, record in sorted(self._records.items()))

    def add(self, orders: Sequence[FaultOrder]) -> None:
        """Take further faults into the schedule."""
        self._waiting = sorted([*self._waiting, *orders], key=lambda order: order.at_us)

    def step(self) -> None:
        """Begin what is due, and go on with what lasts."""
        while self._waiting and self._waiting[0].at_us <= machine_us():
            self._jobs.append(carry_out(self._waiting.pop(0), self._ground))
        self._jobs = [job for job in self._jobs if self._goes_on(job)]

    def wait_s(self, longest_s: float) -> float:
        """How long the next step may be put off."""
        if self._jobs:
            longest_s = min(longest_s, _STEP_S)
        if self._waiting:
            longest_s = min(longest_s, (self._waiting[0].at_us - machine_us()) / 1e6)
        return max(longest_s, 0.0)

    def _goes_on(self, job: Job) -> bool:
        record = next(job, None)
        if record is not None:
            self._records[record.number] = record
        return record is not None


def carry_out(order: FaultOrder, ground: Ground) -> Job:
    """One fault from its beginning to its end; what goes wrong stands in its record."""
    record = FaultRecord(order.number, order.kind, order.target, order.target)
    try:
        for newer in _KINDS[order.kind](order, ground, record):
            record = newer
            yield record
    except (UserError, OSError) as error:
        yield replace(record, error=str(error))


def _kill(order: FaultOrder, ground: Ground, record: FaultRecord) -> Job:
    name = _server_name(order.target, ground)
    record = replace(record, target=name, started_us=machine_us())
    ground.servers.kill(name)
    yield replace(record, done=f"SIGKILL to {name}")


def _stop(order: FaultOrder, ground: Ground, record: FaultRecord) -> Job:
    name = _server_name(order.target, ground)
    server = ground.servers.running(name)
    record = replace(record, target=name, started_us=machine_us())
    signal_group(server, signal.SIGSTOP)
    record = replace(record, done=f"SIGSTOP to {name}")
    yield from _last(order, record)
    if order.for_s is not None:
        signal_group(server, signal.SIGCONT)
        yield replace(record, done=f"{record.done}, then SIGCONT", ended_us=machine_us())


def _restart(order: FaultOrder, ground: Ground, record: FaultRecord) -> Job:
    record = replace(record, started_us=machine_us())
    yield record
    for _ in start_again(order.target, ground.topology, ground.plan, ground.base, ground.servers):
        yield record
    yield replace(record, done=f"{order.target} started again, and ready", ended_us=machine_us())


def _cut(order: FaultOrder, ground: Ground, record: FaultRecord) -> Job:
    names = hit_links(order.target, ground.topology.named_links)
    record = replace(record, started_us=machine_us())
    routes = [cut_link(_cluster_of(name)) for name in names]
    record = replace(record, done=f"no packet passes {', '.join(names)}")
    yield from _last(order, record)
    if order.for_s is not None:
        for each in routes:
            mend_link(each)
        yield replace(record, done=f"{record.done}, then they pass again", ended_us=machine_us())


def _degrade(order: FaultOrder, ground: Ground, record: FaultRecord) -> Job:
    names = hit_links(order.target, ground.topology.named_links)
    changed = {
        key: value
        for key, value in (("rtt_s", order.rtt_s), ("jitter_s", order.jitter_s), ("loss", order.loss))
        if value is not None
    }
    record = replace(record, started_us=machine_us())
    for name in names:
        link = ground.topology.named_links[name].model_copy(update=changed)
        shape_link(_cluster_of(name), link, ground.base, ground.servers)
    record = replace(record, done=f"{', '.join(names)} with {_shown(changed)}")
    yield from _last(order, record)
    if order.for_s is not None:
        for name in names:
            shape_link(_cluster_of(name), ground.topology.named_links[name], ground.base, ground.servers)
        yield replace(record, done=f"{record.done}, then as before", ended_us=machine_us())


_KINDS: Mapping[str, Callable[[FaultOrder, Ground, FaultRecord], Job]] = {
    "kill": _kill,
    "stop": _stop,
    "restart": _restart,
    "cut": _cut,
    "degrade": _degrade,
}


def _last(order: FaultOrder, record: FaultRecord) -> Job:
    """The record, until the fault has lasted as long as it should; once where that is to the end."""
    yield record
    ends_us = None if order.for_s is None else (record.started_us or 0) + int(order.for_s * 1e6)
    while ends_us is not None and machine_us() < ends_us:
        yield record


def _server_name(target: str, ground: Ground) -> str:
    """The server of that name; of that role, where it is one."""
    return redis_master(ground.plan, ground.base) if target == REDIS_MASTER else target


def _cluster_of(link: str) -> int:
    return int(link.rpartition("-")[2])


def _shown(changed: Mapping[str, float]) -> str:
    shown = {"rtt_s": "an rtt of {:g}ms", "jitter_s": "a jitter of {:g}ms"}
    words = [shown[key].format(value * 1000) for key, value in changed.items() if key in shown]
    return ", ".join([*words, *([f"{changed['loss'] * 100:g}% loss"] if "loss" in changed else [])])
