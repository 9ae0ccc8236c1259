"""Consistency probes beside the load: which, how many, on which nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.scenario.fields import DurationS, Noun, Share, Whole

MAX_SHARE = 0.2
AUDIT_LIMIT_S = 60.0
"""How long an audit may read. What is not read by then is not audited; which credentials that is, is chance."""
DEFAULT_KINDS = (
    ProbeKind.ISSUE_INTROSPECT,
    ProbeKind.ISSUE_REFRESH,
    ProbeKind.REVOKE_INTROSPECT,
    ProbeKind.EXCHANGE_REFRESH,
    ProbeKind.DOUBLE_REFRESH,
)
_ALL = "all"


def _check_share(share: float) -> float:
    if not 0 < share <= MAX_SHARE:
        raise ValueError(f"must be more than 0% and at most {MAX_SHARE:.0%}, for probes are no load of their own")
    return share


def _node_names(value: Any) -> tuple[str, ...]:
    """The names, none for all of them."""
    if value == _ALL:
        return ()
    names = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("must be all, or a list of nodes, such as [frontend-1, frontend-3]")
    return names


_ProbeShare = Annotated[
    Share, AfterValidator(_check_share), PlainSerializer(lambda share: f"{share * 100:g}%", when_used="json")
]
_Nodes = Annotated[
    tuple[str, ...],
    BeforeValidator(_node_names),
    PlainSerializer(lambda names: list(names) or _ALL),
    WithJsonSchema(
        {"anyOf": [{"const": _ALL}, {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}]}
    ),
]
Kinds = Annotated[tuple[ProbeKind, ...], Field(min_length=1)]


class Probes(Noun):
    """Probes that run beside every workload of the scenario; a workload with ``probes`` consists of them instead.

    ``nodes`` is empty where all of them are meant.
    """

    share: _ProbeShare = Field(
        default=0.02, validate_default=False, description="requests of probes, as a share of the workload's requests"
    )
    kinds: Kinds = Field(default=DEFAULT_KINDS, description="which probes, in equal parts")
    nodes: _Nodes = Field(default=(), validate_default=False, description="where they write and read: all, or names")
    users: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=10, description="probes under way at once over all workers; one for each worker at least"
    )
    settle_s: DurationS = Field(
        default=2, alias="settle", description="pause after the load before all credentials are read again"
    )
