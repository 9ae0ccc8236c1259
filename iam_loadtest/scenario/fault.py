"""Faults on a schedule: what is broken inside a trial, when, and for how long."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from iam_loadtest.scenario.fields import DurationS, Noun
from iam_loadtest.scenario.lab import LabLink, LinkDelay, LinkLoss
from iam_loadtest.units import format_duration, parse_duration_s

FaultKind = Literal["kill", "stop", "restart", "cut", "degrade"]
KINDS: tuple[FaultKind, ...] = ("kill", "stop", "restart", "cut", "degrade")
REDIS_MASTER = "redis-master"
"""The Redis server that is the master when the fault comes."""
LINK = "link"
"""Every link of the lab; link-2 is the one to the second cluster."""
_LASTING = frozenset({"stop", "cut", "degrade"})
_Server = Annotated[str, Field(min_length=1)]


class Fault(Noun):
    """One fault: a kind with what it hits, at a time of the measured window."""

    at_s: DurationS = Field(alias="at", description="when, counted from the start of the measured window")
    kill: _Server | None = Field(default=None, description="a server that ends without notice (SIGKILL)")
    stop: _Server | None = Field(default=None, description="a server that stands still (SIGSTOP) and then goes on")
    restart: _Server | None = Field(default=None, description="a server that is started again")
    cut: _Server | None = Field(default=None, description="a link that loses every packet: link, or link-2")
    degrade: _Server | None = Field(default=None, description="a link that gets other rtt, jitter or loss")
    for_s: DurationS | None = Field(
        default=None, alias="for", gt=0, description="how long stop, cut or degrade last; to the end where left out"
    )
    rtt_s: LinkDelay | None = Field(default=None, alias="rtt", description="degrade: round-trip time meanwhile")
    jitter_s: LinkDelay | None = Field(default=None, alias="jitter", description="degrade: jitter meanwhile")
    loss: LinkLoss | None = Field(default=None, description="degrade: share of packets lost meanwhile, each way")

    @property
    def kind(self) -> FaultKind:
        """What is done."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def target(self) -> str:
        """What it is done to, as the file names it."""
        return str(getattr(self, self.kind))

    @model_validator(mode="after")
    def _is_one_fault(self) -> Self:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            given = f"has {' and '.join(kinds)}" if kinds else "says nothing to be done"
            raise ValueError(f"{given}; a fault has exactly one of {', '.join(KINDS)}")
        if self.for_s is not None and self.kind not in _LASTING:
            raise ValueError(f"for does not go with {self.kind}; restart the server by a fault of its own, later")
        changes = [key for key in ("rtt", "jitter", "loss") if getattr(self, _FIELDS.get(key, key)) is not None]
        if changes and self.kind != "degrade":
            raise ValueError(f"{changes[0]} belongs to degrade; remove it")
        if self.kind == "degrade" and not changes:
            raise ValueError("degrade needs what gets worse; add rtt, jitter or loss")
        return self


_FIELDS = {"rtt": "rtt_s", "jitter": "jitter_s"}


def check_faults(faults: Sequence[Fault], servers: Collection[str], links: Mapping[str, LabLink]) -> None:
    """Raise ValueError where a fault cannot happen in a lab of these servers and links, by their names."""
    for number, fault in enumerate(faults):
        _check_target(f"faults.{number}.{fault.kind}", fault, servers, links)


def _check_target(key: str, fault: Fault, servers: Collection[str], links: Mapping[str, LabLink]) -> None:
    if fault.kind in {"cut", "degrade"}:
        _check_link(key, fault, links)
        return
    if fault.kind == "restart" and fault.target == REDIS_MASTER:
        raise ValueError(f"{key} is {REDIS_MASTER!r}, whose role has moved on; name a server, such as sessions-1")
    roles = [REDIS_MASTER] if "sessions-1" in servers and fault.kind != "restart" else []
    if fault.target not in (*servers, *roles):
        raise ValueError(f"{key} is {fault.target!r}; it must be one of {', '.join((*servers, *roles))}")


def _check_link(key: str, fault: Fault, links: Mapping[str, LabLink]) -> None:
    if not links:
        raise ValueError(f"{key} is {fault.target!r}; a lab of one cluster has no link")
    if fault.target not in (LINK, *links):
        raise ValueError(f"{key} is {fault.target!r}; it must be one of {', '.join((LINK, *links))}")
    for name in hit_links(fault.target, links):
        if fault.kind == "degrade" and not links[name].is_shaped:
            raise ValueError(f"{key} needs a link that is delayed already; give it an rtt, 1ms at least")


def hit_links(target: str, links: Collection[str]) -> tuple[str, ...]:
    """The names of the links that a target stands for."""
    return tuple(links) if target == LINK else (target,)


def fault_times(document: Mapping[str, Any], default_s: float) -> Iterator[str]:
    """A sentence for each fault of a scenario's plain data that is not over within the measured window."""
    load, topologies = document.get("load"), document.get("topologies")
    window_s = _seconds(load.get("duration", default_s)) if isinstance(load, Mapping) else default_s
    for name, topology in topologies.items() if isinstance(topologies, Mapping) else ():
        faults = topology.get("faults") if isinstance(topology, Mapping) else None
        for number, fault in enumerate(faults if isinstance(faults, list) else ()):
            at_s = _seconds(fault.get("at")) if isinstance(fault, Mapping) else None
            if at_s is None or window_s is None:
                continue
            lasts_s = _seconds(fault.get("for")) or 0.0
            if at_s >= window_s or at_s + lasts_s > window_s:
                shown = f"at {format_duration(at_s)}" + (f" for {format_duration(lasts_s)}" if lasts_s else "")
                yield (
                    f"topologies.{name}.faults.{number} is {shown}, and the measured window lasts"
                    f" {format_duration(window_s)}; it must be over by then: lengthen load.duration, or do it earlier."
                )


def _seconds(value: object) -> float | None:
    try:
        return parse_duration_s(value)
    except ValueError:
        return None
