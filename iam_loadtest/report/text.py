"""Numbers as a reader meets them: three significant digits, units apart, n/a where there is no data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from iam_loadtest.analysis.estimate import Estimate

NO_DATA = "n/a"
NO_NODE = "no node named"


def number(value: float | None) -> str:
    """Three significant digits, whole from 100 on, thousands apart: 0.0123, 1.23, 12.3, 123, 1,234."""
    if value is None:
        return NO_DATA
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value) * (1 + 1e-12))))
    text = f"{value:.{decimals}f}"
    return f"{value:.{decimals - 1}f}" if len(text.replace(".", "").lstrip("-0")) > 3 else text


def count(value: int | None) -> str:
    """A whole number, thousands apart."""
    return NO_DATA if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """A share of 1 as a percentage; what is above zero never reads as zero, what is below all never as all."""
    if value is None:
        return NO_DATA
    if value in {0, 1}:
        return f"{value * 100:.0f} %"
    if value < 0.0001:
        return "< 0.01 %"
    if value > 0.9999:
        return "> 99.99 %"
    return f"{value * 100:.2f} %"


def share_with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    """``1.62 % (1.10–2.14)``: a share and its 95 % interval in round brackets; the bound where it is none or all."""
    if value is None or interval is None:
        return share(value)
    low, high = interval
    if value == 0:
        return f"0 % (below {math.ceil(high * 1e4) / 100:.2f})"
    if value == 1:
        return f"100 % (over {math.floor(low * 1e4) / 100:.2f})"
    return f"{share(value)} ({low * 100:.2f}–{high * 100:.2f})"


def with_range(one: Estimate) -> str:
    """The geometric mean with the lowest and highest trial in brackets; just the value where there is one trial."""
    if one.trials == 0:
        return NO_DATA
    if one.trials == 1:
        return number(one.value)
    return f"{number(one.value)} [{number(one.minimum)}–{number(one.maximum)}]"


def seconds(value: object) -> str:
    """Seconds as 6 s, 7.5 s or 10 min; the value as it is where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value >= 120 and value % 60 == 0:
        return f"{value / 60:.0f} min"
    return f"{value:g} s"


def plural(amount: int, one: str, many: str | None = None) -> str:
    """``1 trial``, ``3 trials``; ``many`` where an s does not do."""
    return f"{amount:,} {one}" if amount == 1 else f"{amount:,} {many or one + 's'}"


def quoted(name: str) -> str:
    """A name in a sentence: a topology may be called one."""
    return f"“{name}”"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def node_name(name: str) -> str:
    """A serving node's name, or words where an answer named none."""
    return name or NO_NODE
