"""What the data of a run cannot show, in sentences: each with what to do, where something can be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iam_loadtest.analysis.comparison import Comparison, Verdict
from iam_loadtest.analysis.load_model import is_of_probes, is_open_model
from iam_loadtest.analysis.resolution import TRIALS_TO_RANK
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.load_model import is_built_in
from iam_loadtest.report.text import listed, plural, quoted

FEW_TOPOLOGIES = 3
"""So many topologies are named in a sentence one by one."""

FEW_ASIDE = 6
"""So many attempts that were set aside are named."""

FAILURES_THAT_FLATTER = 0.01
"""Share of failed requests from which on latencies of the successful ones are said to be incomplete."""


def limits(summary: RunSummary, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """One sentence or two for each limit that applies, those of the trials before those of the method."""
    return (
        *_of_trials(summary),
        *_of_stability(summary),
        *_of_cautions(summary),
        *_of_comparisons(summary, comparisons),
        *_of_failures(summary),
        *_of_left_out(summary),
        *_of_faults(summary),
        *_of_probes(summary),
        *_of_the_set_up(summary),
    )


def uncounted_words(summary: RunSummary) -> str:
    """How many planned trials do not count, by why: one that was interrupted is missing until it runs again."""
    missing = len(summary.missing)
    badly = sum(cell.planned for cell in summary.cells) - len(summary.counted) - missing
    parts = [f"{badly} ended badly or invalid"] if badly else []
    return listed([*parts, *([f"{missing} missing"] if missing else [])])


def _of_trials(summary: RunSummary) -> Iterator[str]:
    uncounted = uncounted_words(summary)
    if summary.counted and uncounted:
        yield f"{uncounted.capitalize()}: what is compared may change when the matrix is complete."
    yield from _of_set_aside(summary)
    few = [cell for cell in summary.cells if 0 < len(cell.counted) < TRIALS_TO_RANK]
    if few:
        yield (
            f"{plural(len(few), 'cell')} with fewer than {TRIALS_TO_RANK} counted trials: a difference between single "
            "runs of the same build is often larger than 5 %, so nothing is ranked there; run more trials."
        )


def _of_set_aside(summary: RunSummary) -> Iterator[str]:
    """An attempt that somebody had left out, knowing how it had ended: the reader decides what that is worth."""
    aside = [one.trial.id for one in summary.trials if one.trial.is_set_aside_knowingly]
    if aside:
        named = [*aside[:FEW_ASIDE], *([f"{len(aside) - FEW_ASIDE} more"] if len(aside) > FEW_ASIDE else [])]
        yield (
            f"Set aside by hand, when it was known how they had ended: {plural(len(aside), 'attempt')} "
            f"({listed(named)}). No combined figure holds any of that; the table of trials has the reasons."
        )


def _of_stability(summary: RunSummary) -> Iterator[str]:
    unstable = [f"{quoted(cell.topology)} under {cell.workload}" for cell in summary.cells if cell.is_unstable]
    if unstable:
        which = "every cell" if len(unstable) == len(summary.cells) > 1 else listed(unstable)
        yield (
            f"Unstable, not ranked: {which} (trials spread over 10 %, or one over 25 % from the median). Look for what "
            "changed between the trials, then run longer trials, or more of them, of all compared topologies."
        )


def _of_cautions(summary: RunSummary) -> Iterator[str]:
    careful = [one for one in summary.counted if one.cautions]
    if careful:
        kinds = listed(sorted({caution.kind for one in careful for caution in one.cautions}))
        yield (
            f"With a caution: {len(careful)} of {plural(len(summary.counted), 'counted trial')} ({kinds}). The section "
            "on validity and generator health says what to do."
        )


def _of_comparisons(summary: RunSummary, comparisons: Sequence[Comparison]) -> Iterator[str]:
    if any(one.verdict is Verdict.INCONCLUSIVE for one in comparisons):
        yield "No difference shown is not the same as no difference: these trials cannot tell."
    yield from _of_drift(comparisons)
    if len(summary.topologies) == 1:
        yield "One topology only: nothing is compared."


def _of_drift(comparisons: Sequence[Comparison]) -> Iterator[str]:
    drifting = {(one.workload, one.metric.name): one.drift.per_trial for one in comparisons if one.drift}
    if drifting:
        each = [
            f"{metric} of {workload} {100 * change:+.1f} % from trial to trial"
            for (workload, metric), change in drifting.items()
        ]
        yield (
            f"Something changed while the run went on: {listed(each)}. Ratios and intervals allow for a steady drift, "
            "not for a jump. Look for what fills up, warms up or is shared with others, then repeat the run."
        )


def _of_failures(summary: RunSummary) -> Iterator[str]:
    failing = [cell for cell in summary.cells if (cell.requests.failure_share or 0) > FAILURES_THAT_FLATTER]
    if failing:
        cells = [f"{quoted(one.topology)} under {one.workload}" for one in failing[:FEW_TOPOLOGIES]]
        more = [f"{len(failing) - FEW_TOPOLOGIES} more"] if len(failing) > FEW_TOPOLOGIES else []
        yield (
            f"Latency is of successful chains alone. Over {FAILURES_THAT_FLATTER * 100:g} % of requests failed with "
            f"{listed([*cells, *more])}: what failed may be what would have been slow, so judge latency there together "
            "with the failures."
        )


def _of_left_out(summary: RunSummary) -> Iterator[str]:
    left_out = [one for one in summary.excluded if one.exceeds_failures]
    if left_out:
        yield (
            f"{plural(len(left_out), 'trial')} left out since more requests failed than validity.failures allows: "
            "shares of failures are of the other trials, and lower than what was seen."
        )


def _of_faults(summary: RunSummary) -> Iterator[str]:
    if any(one.trial.faults for one in summary.counted):
        yield (
            "Faults were done on purpose: throughput, latency and failures of these trials are those of the whole "
            "window, as far as faults and their timing made them. What clients saw of each fault stands under faults "
            "and recovery; topologies that met other faults are not ranked."
        )


def _of_probes(summary: RunSummary) -> Iterator[str]:
    if any(trial.probes for trial in summary.counted):
        yield (
            "Probes see what they happen to meet: shares and bounds hold for such reads under this load, and no stale "
            "read seen is no proof that there are none."
        )
    yield from _of_the_audit(summary)
    alone = probe_workloads(summary)
    if alone:
        yield (
            f"Under {listed(alone)} probes are all there is: their throughput is what their waits leave, and ranks "
            "nothing."
        )


def _of_the_audit(summary: RunSummary) -> Iterator[str]:
    """It reads credentials in an order drawn by chance, until its time is up: the rest has no row to be counted by."""
    read, unread = (
        sum(one.trial.counts.audit.get(key, 0) for one in summary.counted) for key in ("audited", "no_time")
    )
    if unread:
        yield (
            f"After the load there was no time to read {unread:,} of {plural(read + unread, 'credential')} again at "
            "every node: the share of missing ones is of the others, which were drawn by chance. Run probes less often "
            "or for a shorter time to have all of them read."
        )


def probe_workloads(summary: RunSummary) -> list[str]:
    """The workloads that consist of probes."""
    return [name for name in summary.workloads if is_of_probes(summary.run.info.scenario, name)]


def _of_the_set_up(summary: RunSummary) -> Iterator[str]:
    if any(is_built_in(summary, topology) for topology in summary.topologies):
        yield (
            "The built-in IAM runs on the machine of the load generator and shares its cores: its figures try out the "
            "suite and say nothing about INDIGO IAM or any other server."
        )
    if is_open_model(summary.run.info.scenario):
        yield (
            "Open model: requests arrive at a set rate, so throughput is that rate while the server keeps up, and it "
            "ranks nothing. Latency counts from the moment a request was meant to be sent."
        )
    elif summary.counted:
        yield (
            "Closed model: a slow server slows its users down, so throughput and latency are two sides of one figure, "
            "and latency at another load is not known."
        )
