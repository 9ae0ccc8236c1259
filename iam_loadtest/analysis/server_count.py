"""Whether the server answered as many requests as were recorded, where it can say so."""

from __future__ import annotations

from iam_loadtest.results.trial import Caution, Trial


def server_requests(trial: Trial) -> int | None:
    """Requests of the whole trial by the server's own count; None where it keeps none."""
    return None if trial.counts.server is None else sum(trial.counts.server.values())


def recorded_requests(trial: Trial) -> int:
    """Requests of the whole trial as recorded, ramp included, of the steps that the server counts."""
    return trial.counts.counted_requests


def count_cautions(trial: Trial) -> tuple[Caution, ...]:
    """One caution where the two counts differ; else none."""
    answered, recorded = server_requests(trial), recorded_requests(trial)
    if answered is None or answered == recorded:
        return ()
    text = f"The server counted {answered:,} requests, the generator recorded {recorded:,}."
    remedy = "Look for timeouts and lost connections, and for other clients of the server; then repeat the trial."
    return (Caution("count", text, remedy),)
