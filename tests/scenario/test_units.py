"""Durations are read as people write them, and written so that they can be read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.units import format_duration, parse_duration_s, parse_percent


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("90s", 90), ("10m", 600), ("1h30m", 5400), ("250ms", 0.25), ("1h", 3600), ("0s", 0), ("1.5m", 90)],
        *[("1m30s", 90), ("2h5m10s", 7510), (" 5s ", 5), ("12", 12), ("0.5", 0.5), (7, 7), (0.25, 0.25), (0, 0)],
    ],
)
def test_a_duration_is_read_in_seconds(text: object, seconds: float) -> None:
    """Texts with units, bare numbers, and texts of bare numbers are seconds."""
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        *["", "s", "10 m", "5x", "1m30", "-5s", "1e3s", "ten", "5s!", True, False, None, [5], {"s": 5}],
        *[-1, -0.001, float("inf"), float("nan"), 10**400, "9" * 400 + "h"],
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    """Booleans, negative and infinite numbers and texts without a unit that is known raise ValueError."""
    with pytest.raises(ValueError, match="must"):
        parse_duration_s(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "0s"), (0.25, "250ms"), (1, "1s"), (7.5, "7.5s"), (59.94, "59.9s"), (60, "1m"), (90, "1m30s")],
        *[(600, "10m"), (3600, "1h"), (3720, "1h02m"), (80820, "22h27m")],
    ],
)
def test_a_duration_is_written_short(seconds: float, text: str) -> None:
    """Three figures at most: nobody plans a day to the second."""
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=3599))
def test_whole_seconds_below_an_hour_survive_writing_and_reading(seconds: int) -> None:
    """What is printed can be put into a scenario."""
    assert parse_duration_s(format_duration(seconds)) == seconds


@given(st.floats(min_value=0.001, max_value=1e6))
def test_reading_what_was_written_is_close(seconds: float) -> None:
    """Rounding costs at most half a millisecond, a twentieth of a second, half a second or half a minute."""
    step = 0.001 if seconds < 1 else 0.1 if seconds < 60 else 1 if seconds < 3600 else 60
    assert abs(parse_duration_s(format_duration(seconds)) - seconds) <= step


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("0.5 %", 0.005), (" 10% ", 0.1), ("0%", 0), ("100%", 1), ("12.5%", 0.125)]
)
def test_a_percentage_is_read_as_a_share(text: str, share: float) -> None:
    """Five of a hundred is 0.05."""
    assert parse_percent(text) == pytest.approx(share)


@pytest.mark.parametrize("value", ["5", "", "%", "-5%", "101%", "5%%", 5, 0.05, None, True, [5]])
def test_what_is_no_percentage_is_refused(value: object) -> None:
    """A bare number could be meant as a percentage or as a share."""
    with pytest.raises(ValueError, match="must be a percentage"):
        parse_percent(value)
