"""Whether the server answered as many requests as were recorded, where it can say so."""

from __future__ import annotations

from iam_loadtest.results.sample import WORKFLOW_STEP
from iam_loadtest.results.trial import Caution, Trial


def server_requests(trial: Trial) -> int | None:
    """Requests of the whole trial by the server's own count; None where it keeps none."""
    return None if trial.counts.server is None else sum(trial.counts.server.values())


def recorded_requests(trial: Trial) -> int:
    """Requests of the whole trial as recorded, ramp included; rows of whole chains are none.

    Only those of steps that the server counts, where it does; a key such as ``issue+renew`` stands for both.
    """
    rows = {step: rows for step, rows in trial.counts.by_step.items() if step != WORKFLOW_STEP}
    if trial.counts.server is None:
        return sum(rows.values())
    counted = {step for key in trial.counts.server for step in key.split("+")}
    return sum(number for step, number in rows.items() if step in counted)


def count_cautions(trial: Trial) -> tuple[Caution, ...]:
    """One caution where the two counts differ; else none."""
    answered, recorded = server_requests(trial), recorded_requests(trial)
    if answered is None or answered == recorded:
        return ()
    text = f"The server counted {answered:,} requests, the generator recorded {recorded:,}."
    remedy = "Look for timeouts and lost connections, and for other clients of the server; then repeat the trial."
    return (Caution("count", text, remedy),)
