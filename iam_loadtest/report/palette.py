"""Colours and markers: one per topology everywhere, told apart with any colour vision (Okabe and Ito 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iam_loadtest.results.outcome import Outcome

INK = "#1c2128"
MUTED = "#59636e"
LINE = "#d1d9e0"
SHADE = "#eef2f6"
CARD = "#ffffff"
FAULT = "#b3261e"

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7b5ea7", "#6e7781")
MARKERS = ("o", "s", "^", "D", "v", "P")

SERIES_DARK = ("#4aa8e0", "#f0883e", "#2fc796", "#e39cc4", "#e3b341", "#8fd0f5", "#b39ddb", "#a4adb7")

NODES = ("#77aade", "#ee8867", "#44bb9a", "#eedd89", "#ffaabc", "#99ddfe", "#bbcc34", "#aaaa01", "#dddddc")
"""Serving nodes (Tol 2021, light): unlike those of topologies, because a node is none."""

NODE_LINES = ("#2f86d0", "#d9622b", "#159a76", "#a98300", "#c9568a", "#3f9bc1", "#7b8f1a", "#8f7fd6", "#84898f")
"""The same for thin lines: each over 3 : 1 on the page's white and on its dark card, which NODES are not."""

_OUTCOME_COLOURS = {
    Outcome.STALE_READ: "#e69f00",
    Outcome.WRITE_CONFLICT: "#d55e01",
    Outcome.POOL_EXHAUSTED: "#882255",
    Outcome.REFUSED: "#56b4e8",
    Outcome.THROTTLED: "#0072b3",
    Outcome.SERVER_ERROR: "#aa3377",
    Outcome.TIMEOUT: "#332288",
    Outcome.CONNECT_ERROR: "#888888",
    Outcome.TLS_ERROR: "#44aa99",
    Outcome.CONNECTION_LOST: "#999933",
    Outcome.PROTOCOL_ERROR: "#661100",
    Outcome.BAD_TOKEN: "#117733",
}


@dataclass(frozen=True)
class Look:
    """How a topology is drawn: its colour, the marker of its dots, and the index of the colour in the page's style."""

    colour: str
    marker: str
    index: int


def looks(topologies: Sequence[str]) -> dict[str, Look]:
    """A look for each topology by its place in the scenario; colours repeat after eight, with another marker."""
    return {
        name: Look(SERIES[i % len(SERIES)], MARKERS[(i // len(SERIES)) % len(MARKERS)], i % len(SERIES))
        for i, name in enumerate(topologies)
    }


def outcome_colour(name: str) -> str:
    """The colour of a failure in stacked bars; names this version does not know are grey."""
    return _OUTCOME_COLOURS.get(Outcome(name), MUTED) if name in set(Outcome) else MUTED


def node_colours(names: Sequence[str], colours: Sequence[str] = NODES) -> dict[str, str]:
    """A colour for each serving node by its place."""
    return {name: colours[i % len(colours)] for i, name in enumerate(names)}
