"""Numbers as people read them."""

from __future__ import annotations

import pytest

from iam_loadtest.analysis.estimate import estimate
from iam_loadtest.report.comparisons import allowed_for
from iam_loadtest.report.load_model import _number
from iam_loadtest.report.page import markdown_text
from iam_loadtest.report.text import count, listed, number, plural, seconds, share, share_with_interval, with_range


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"), (0.0, "0"), (0.01234, "0.0123"), (0.9996, "1.00"), (1.234, "1.23"), (9.996, "10.0"),
        (12.34, "12.3"), (99.94, "99.9"), (99.96, "100"), (123.4, "123"), (1234.5, "1,234"), (1e6, "1,000,000"),
    ],
)  # fmt: skip
def test_a_number_has_three_significant_digits(value: float | None, text: str) -> None:
    """Whole ones from 100 on; no data is n/a."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "n/a"), (0.0, "0 %"), (1.0, "100 %"), (0.00001, "< 0.01 %"), (0.99999, "> 99.99 %"), (0.0123, "1.23 %")],
)
def test_a_share_never_rounds_to_nothing_or_all(value: float | None, text: str) -> None:
    """One failure in a million is not 0 %."""
    assert share(value) == text


def test_an_estimate_shows_its_range_where_it_has_one() -> None:
    """None, one, and several trials."""
    assert with_range(estimate([])) == "n/a"
    assert with_range(estimate([5.0])) == "5.00"
    assert with_range(estimate([90.0, 100.0, 110.0])) == "99.7 [90.0–110]"
    assert with_range(estimate([0.0, 10.0])) == "n/a [0–10.0]"


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (None, None, "n/a"), (0.5, None, "50.00 %"), (0.0162, (0.011, 0.0214), "1.62 % (1.10–2.14)"),
        (0.0, (0.0, 0.000234), "0 % (below 0.03)"), (1.0, (0.99876, 1.0), "100 % (over 99.87)"),
        (0.00001, (0.0, 0.0004), "< 0.01 % (0.00–0.04)"),
    ],
)  # fmt: skip
def test_a_share_shows_its_interval_where_it_has_one(
    value: float | None, interval: tuple[float, float] | None, text: str
) -> None:
    """Bounds of none and of all are rounded to the safe side."""
    assert share_with_interval(value, interval) == text


def test_a_caption_counts_what_there_is() -> None:
    """No comparison, one, and several."""
    assert [allowed_for(number) for number in (0, 1, 4)] == [
        "",
        "BETTER and WORSE rest on the one comparison that was made.",
        "BETTER and WORSE allow for 4 comparisons by Holm's method.",
    ]


def test_small_words() -> None:
    """Durations, plurals, lists, counts."""
    assert [seconds(6), seconds(7.5), seconds(600), seconds("soon"), seconds(True)] == [
        "6 s", "7.5 s", "10 min", "soon", "True",
    ]  # fmt: skip
    assert [plural(1, "trial"), plural(3, "trial"), plural(2, "topology", "topologies")] == [
        "1 trial", "3 trials", "2 topologies",
    ]  # fmt: skip
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [count(None), count(12345)] == ["n/a", "12,345"]
    assert [_number(10), _number(0.5), _number("fast")] == ["10", "0.5", "fast"]


def test_markdown_shows_text_as_it_is() -> None:
    """No table is broken, no markup begins, no HTML gets through."""
    assert markdown_text("a|b\n*c* <i>") == r"a\|b \*c\* \<i\>"
    assert markdown_text("&lt;") == "&amp;lt;"
