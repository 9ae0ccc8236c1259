"""Table: what every table of a report is, before it becomes HTML or Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from iam_loadtest.report.text import NO_DATA, count, number, share_with_interval

_KEYS = {
    "Workload": "key",
    **dict.fromkeys(("Topology", "Step"), "key next"),
    **dict.fromkeys(("Probe", "Node", "Fault"), "key third"),
}
"""What a row is known by."""


@dataclass(frozen=True)
class Column:
    """A column; numeric ones are aligned to the right and sorted by value, wide ones hold sentences."""

    title: str
    numeric: bool = False
    wide: bool = False

    @property
    def style(self) -> str:
        """The class of its places in the page; empty for plain text."""
        return "num" if self.numeric else "wide" if self.wide else _KEYS.get(self.title, "")


@dataclass(frozen=True)
class Entry:
    """What stands in one place of a table; ``sort`` is its value for sorting, where the text is not."""

    text: str
    sort: float | None = None
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a name that is unique in the page, a caption, and rows as long as its columns."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]

    @property
    def is_keyed(self) -> bool:
        """Whether a row is known by workload and topology or step: these stay in sight on a phone."""
        return {"key", "key next"} <= {column.style for column in self.columns}


def words(text: object) -> Entry:
    """An entry of plain text; n/a where there is none."""
    return Entry(NO_DATA if text is None or text == "" else str(text))


def figure(value: float | None) -> Entry:
    """A number with three significant digits."""
    return Entry(number(value), value)


def whole(value: int | None) -> Entry:
    """A whole number."""
    return Entry(count(value), value)


def percent(value: float | None, interval: tuple[float, float] | None = None) -> Entry:
    """A share as a percentage with its 95 % interval where it has one, marked where it is above zero."""
    return Entry(share_with_interval(value, interval), value, "bad" if value else "")


def ratio_entry(value: float | None) -> Entry:
    """A ratio as ×1.23."""
    return Entry(NO_DATA if value is None else f"×{number(value)}", value)
