"""Whether the open model offered what it was to offer, from the workers' tallies of their arrivals. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import sqrt

from iam_loadtest.results.trial import ArrivalCounts, Caution

MIN_ENDED_SHARE = 0.98
CHANCE_SDS = 3.0
"""Fewer chains than offered may end by chance, since those in flight at both ends of the window differ."""
MORE_WORKERS = "the generator was late itself: add workers, or cores for them"
MORE_USERS = "no user was free: raise load.users, the number of chains that may run at once"


def arrival_counts(tallies: Collection[Mapping[str, int]], window_s: float | None) -> ArrivalCounts | None:
    """The counts over all workers; None in the closed model, and where there was no window."""
    if not tallies or not window_s:
        return None
    total = {key: sum(tally[key] for tally in tallies) for key in next(iter(tallies))}
    in_flight = total.pop("in_flight_us") / 1e6 / window_s
    return ArrivalCounts(**total, in_flight=round(in_flight, 2))


def arrivals_problem(counts: ArrivalCounts | None, max_late_share: float) -> str | None:
    """Why a trial does not count, with the remedy; None where its arrivals were as planned.

    One late arrival alone is let pass, whatever its share: the fewest that any share above 0 can mean.
    """
    if counts is None:
        return None
    if not counts.offered:
        return "no chain was to start in the window: lengthen it, or raise load.arrival_rate_per_s"
    if _fell_behind(counts):
        return (
            f"only {counts.ended:,} of {counts.offered:,} chains offered in the window ended in it "
            f"({100 * counts.ended / counts.offered:.1f} %, at least {100 * MIN_ENDED_SHARE:g} %): the IAM or the "
            "users cannot keep up; lower load.arrival_rate_per_s, or raise load.users where the IAM could do more"
        )
    if _bad(counts) > max(max_late_share * counts.offered, 1):
        return f"{_late_words(counts)} (at most {100 * max_late_share:g} %); {_remedy(counts)}"
    return None


def arrival_cautions(counts: ArrivalCounts | None) -> tuple[Caution, ...]:
    """What a reader must know where some arrivals were not as planned."""
    if counts is None or not _bad(counts):
        return ()
    return (Caution("late_arrivals", _late_words(counts), _remedy(counts)),)


def _fell_behind(counts: ArrivalCounts) -> bool:
    missing = counts.offered - counts.ended
    by_chance = CHANCE_SDS * sqrt(2 * counts.in_flight) + 1
    return missing > max((1 - MIN_ENDED_SHARE) * counts.offered, by_chance)


def _bad(counts: ArrivalCounts) -> int:
    return counts.late + counts.dropped


def _late_words(counts: ArrivalCounts) -> str:
    return (
        f"of {counts.offered:,} arrivals {counts.late:,} started more than 5 ms late and {counts.dropped:,} were "
        f"dropped, {100 * _bad(counts) / counts.offered:.2g} % in all"
    )


def _remedy(counts: ArrivalCounts) -> str:
    return MORE_USERS if 2 * counts.waited >= _bad(counts) else MORE_WORKERS
