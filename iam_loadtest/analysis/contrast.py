"""Contrast: the ratio of some cells to one of them, over trials, on the log scale. Plain numbers in and out.

One cell against another: Student's t with pooled variance; more: Dunnett's intervals, which hold for all at once.
Where the figures drift over the order of the trials, that order is a covariate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.95
EQUIVALENCE_LEVEL = 0.90
DRIFT_LEVEL = 0.01
"""A drift with a smaller p-value is allowed for. At 0.05, looking for one would itself give 7 % false alarms."""

_DRAWS = 200_000
Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One figure of the trials of a cell, and the place of each trial in the running order of the run.

    An empty ``order`` says that the trials were not interleaved with those they are compared with.
    """

    values: tuple[float, ...]
    order: tuple[int, ...]

    @property
    def logs(self) -> Floats:
        """Natural logarithms of the values, which must be above zero."""
        logs: Floats = np.log(np.array(self.values, float))
        return logs


@dataclass(frozen=True)
class Drift:
    """A trend over the order of trials that chance does not explain, common to the cells compared.

    ``per_trial`` is the factor from one place of the running order to the next, less one: -0.01 is 1 % less each.
    """

    per_trial: float
    p_value: float


@dataclass(frozen=True)
class Contrast:
    """A cell over the control. ``interval`` and ``equivalence_interval`` hold for all contrasts of the family at once.

    ``p_value`` is that of this contrast alone, not adjusted. ``sd_log`` is the spread between trials, pooled, with
    its degrees of ``freedom``; the log ratio's own deviation is ``scale`` times that. ``drift`` is None where none was
    seen; else all figures allow for it.
    """

    ratio: float
    interval: Interval
    equivalence_interval: Interval
    p_value: float
    sd_log: float
    freedom: int
    scale: float
    drift: Drift | None = None


@dataclass(frozen=True)
class _Fit:
    """Differences of the logs to the control, with what their intervals need.

    ``shape`` is the covariance of the differences over the variance of one trial.
    """

    differences: Floats
    shape: Floats
    sd_log: float
    freedom: int
    drift: Drift | None = None


def contrasts(control: Series, others: Sequence[Series]) -> tuple[Contrast, ...]:
    """Each of the others over the control, in the order given. All series need two trials or more."""
    plain = _plain_fit(control, others)
    drifting = _drift_fit(control, others)
    fit = plain if drifting is None else drifting
    deviations = fit.sd_log * np.sqrt(np.diag(fit.shape))
    wide, narrow = (_half_widths(fit, deviations, level) for level in (LEVEL, EQUIVALENCE_LEVEL))
    return tuple(
        Contrast(
            math.exp(difference),
            _around(difference, wide[i]),
            _around(difference, narrow[i]),
            _p_value(difference, deviations[i], fit.freedom),
            fit.sd_log,
            fit.freedom,
            float(math.sqrt(fit.shape[i, i])),
            fit.drift,
        )
        for i, difference in enumerate(fit.differences)
    )


def _plain_fit(control: Series, others: Sequence[Series]) -> _Fit:
    samples = [control.logs, *(other.logs for other in others)]
    freedom = sum(len(sample) - 1 for sample in samples)
    squares = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples)
    differences = np.array([sample.mean() - samples[0].mean() for sample in samples[1:]])
    shape = np.diag([1 / len(sample) for sample in samples[1:]]) + 1 / len(samples[0])
    return _Fit(differences, shape, math.sqrt(squares / freedom), freedom)


def _drift_fit(control: Series, others: Sequence[Series]) -> _Fit | None:
    """The fit with the order as a covariate; None where it cannot be told or no drift is seen."""
    series = [control, *others]
    if not all(one.order for one in series):
        return None
    logs = np.concatenate([one.logs for one in series])
    order = np.concatenate([np.array(one.order, float) for one in series])
    cells = np.repeat(np.arange(len(series)), [len(one.values) for one in series])
    design = np.column_stack([np.ones(len(logs)), *(cells == i for i in range(1, len(series))), order - order.mean()])
    freedom = len(logs) - design.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    inverse = np.linalg.inv(design.T @ design)
    effects = inverse @ design.T @ logs
    sd_log = math.sqrt(float(((logs - design @ effects) ** 2).sum()) / freedom)
    slope = float(effects[-1])
    p_value = _p_value(slope, sd_log * math.sqrt(inverse[-1, -1]), freedom)
    if p_value >= DRIFT_LEVEL or abs(slope) < _NO_SLOPE:
        return None
    return _Fit(effects[1:-1], inverse[1:-1, 1:-1], sd_log, freedom, Drift(math.expm1(slope), p_value))


_NO_SLOPE = 1e-12
"""Below this a slope is the rounding of equal figures."""


def _half_widths(fit: _Fit, deviations: Floats, level: float) -> list[float]:
    """Half the width of each interval of the log ratios."""
    if len(deviations) == 1 or fit.sd_log == 0:
        factor = float(stats.t.ppf((1 + level) / 2, fit.freedom))
    else:
        scale = np.sqrt(np.diag(fit.shape))
        factor = _simultaneous(_as_key(fit.shape / np.outer(scale, scale)), fit.freedom, level)
    return [float(factor * deviation) for deviation in deviations]


def _as_key(correlation: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 9) for value in row) for row in correlation)


@lru_cache(maxsize=256)
def _simultaneous(correlation: tuple[tuple[float, ...], ...], freedom: int, level: float) -> float:
    """How many deviations the largest of the correlated t values stays within, by simulation from a fixed seed.

    For groups without a covariate this is Dunnett's factor; ``scipy.stats.dunnett`` gives the same to three digits,
    takes a hundred times as long, and knows no covariate.
    """
    random = np.random.default_rng(1)
    normal = random.standard_normal((_DRAWS, len(correlation))) @ np.linalg.cholesky(np.array(correlation)).T
    scale = np.sqrt(random.chisquare(freedom, _DRAWS) / freedom)
    return float(np.quantile(np.abs(normal).max(axis=1) / scale, level))


def _around(middle: float, half: float) -> Interval:
    return math.exp(middle - half), math.exp(middle + half)


def _p_value(difference: float, deviation: float, freedom: int) -> float:
    if deviation == 0:
        return 0.0 if difference else 1.0
    return float(2 * stats.t.sf(abs(difference) / deviation, freedom))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for making all these comparisons (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = highest
    return adjusted
