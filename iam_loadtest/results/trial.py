"""Trial: what happened in one execution of a workload on a topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError
from iam_loadtest.results.fault import FaultRecord, fault_records_of
from iam_loadtest.results.json_file import read_json, shape_problem, write_json
from iam_loadtest.results.sample import is_chain_step

TRIAL_FORMAT = 1
TRIAL_FILE = "trial.json"
SAMPLES_FILE = "samples.parquet"
GENERATOR_FILE = "generator.csv"
STALE_READS_FILE = "stale_reads.csv"
LOCUST_LOG = "locust.log"


class TrialStatus(StrEnum):
    """How a trial ended. Only ``ok`` counts in comparisons; the others stay on disk, marked."""

    OK = "ok"
    INVALID = "invalid"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Caution:
    """Something the reader must know, and what to do about it."""

    kind: str
    text: str
    remedy: str


@dataclass(frozen=True)
class WindowMarks:
    """Moments of a trial in microseconds since its origin; None where the trial did not get that far."""

    ramp_end_us: int | None = None
    window_start_us: int | None = None
    window_end_us: int | None = None
    ended_us: int | None = None

    @property
    def window_s(self) -> float | None:
        """Length of the measured window in seconds."""
        if self.window_start_us is None or self.window_end_us is None:
            return None
        return (self.window_end_us - self.window_start_us) / 1e6


@dataclass(frozen=True)
class GeneratorHealth:
    """How the load generator itself fared, over the measured window.

    ``max_cpu_percent`` is of one core, the busiest worker's; ``loop_lag_p95_ms`` is the worst worker's 95th
    percentile of its event loop's overshoot. ``wait_percent`` is the time in which the worker that had to wait most was
    ready to run while others had the cores; ``throttled_percent`` that in which a CPU limit held a container back,
    added up over its cores. ``assertions`` were signed to prove clients, each in ``signing_ms`` on average, which is
    part of no latency; ``signing_percent`` is the share of the time of the worker that signed most. None where it was
    not measured.
    """

    workers: int = 0
    workers_lost: int = 0
    max_cpu_percent: float | None = None
    loop_lag_p95_ms: float | None = None
    loop_lag_max_ms: float | None = None
    wait_percent: float | None = None
    throttled_percent: float | None = None
    master_cpu_percent: float | None = None
    assertions: int | None = None
    signing_ms: float | None = None
    signing_percent: float | None = None
    users_planned: int | None = None
    users_min: int | None = None
    users_max: int | None = None


@dataclass(frozen=True)
class ArrivalCounts:
    """Open model: chains that were to start in the measured window, over all workers.

    ``ended`` came to their end within the window. ``late`` started more than 5 ms after their time, ``waited`` found no
    free user, ``dropped`` never started. ``in_flight`` is how many chains ran at once, on average.
    """

    offered: int
    ended: int
    late: int
    waited: int
    dropped: int
    in_flight: float


@dataclass(frozen=True)
class TrialCounts:
    """Rows of the whole trial, ramp included; ``sent`` is the workers' own total, ``received`` what the master has.

    ``by_step`` counts rows by step, those of whole chains (``workflow``), which are no requests, among them.
    ``server`` is what the server says it answered, per step, where it can say so. ``arrivals`` is None in the closed
    model.
    ``tokens`` counts the sampled access tokens by what was found: verified, bad, opaque, without_keys, duplicate_jti.
    ``stale_reads`` counts those by what became of them: confirmed, unconfirmed, otherwise, not_followed; ``tries`` the
    requests that were sent again for that, by step. These are in no sample, though the server counts them.
    ``probes`` are the requests of consistency probes that are in no sample either, by grant or kind; ``server`` has
    been freed from them. ``audit`` counts the credentials of probes: offered, audited, expired, no_time.
    """

    sent: int | None = None
    received: int | None = None
    by_step: Mapping[str, int] = field(default_factory=dict)
    server: Mapping[str, int] | None = None
    arrivals: ArrivalCounts | None = None
    tokens: Mapping[str, int] = field(default_factory=dict)
    stale_reads: Mapping[str, int] = field(default_factory=dict)
    tries: Mapping[str, int] = field(default_factory=dict)
    probes: Mapping[str, int] = field(default_factory=dict)
    audit: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """HTTP requests that the samples hold: every row but those of whole chains."""
        return sum(rows for step, rows in self.by_step.items() if not is_chain_step(step))

    @property
    def counted_requests(self) -> int:
        """What the server must have counted: requests and tries of the steps that it counts, where it counts any.

        A key such as ``issue+renew`` stands for both.
        """
        if self.server is None:
            return self.requests
        counted = {step for key in self.server for step in key.split("+")}
        return sum(rows for step, rows in (*self.by_step.items(), *self.tries.items()) if step in counted)


def trial_id(position: int, topology: str, workload: str, trial: int, repeat: bool) -> str:
    """The name of a planned trial's directory: unique within the run, sorts in running order."""
    name = f"{position:03d}-{topology}-{workload}-t{trial}"
    return f"{name}-again" if repeat else name


@dataclass(frozen=True)
class Trial:
    """One trial as trial.json keeps it. ``trial`` counts from 1 within its topology and workload.

    ``repeat`` is true where it repeats a trial of the same numbers that was invalid. ``faults`` were done on purpose.
    """

    id: str
    position: int
    topology: str
    workload: str
    trial: int
    status: TrialStatus
    reason: str | None
    started_at: str
    ended_at: str
    marks: WindowMarks = WindowMarks()
    generator: GeneratorHealth = GeneratorHealth()
    counts: TrialCounts = TrialCounts()
    cautions: tuple[Caution, ...] = ()
    repeat: bool = False
    faults: tuple[FaultRecord, ...] = ()

    @property
    def running_order(self) -> tuple[int, bool, int]:
        """Sorts trials as they ran: round by round, the repetitions of a round at its end."""
        return self.trial, self.repeat, self.position

    @property
    def is_counted(self) -> bool:
        """Whether the trial's numbers may be compared."""
        return self.status is TrialStatus.OK and not self.is_set_aside

    @property
    def is_set_aside(self) -> bool:
        """Whether another attempt is made in its place: its id, as ``001-a-b-t1.failed1``, is no planned trial's.

        A copy or a renamed directory is none either: what one execution measured counts once.
        """
        return self.id != trial_id(self.position, self.topology, self.workload, self.trial, self.repeat)

    @property
    def is_set_aside_knowingly(self) -> bool:
        """Whether somebody had it set aside who knew how it had ended. An interrupted trial had shown nothing yet."""
        return self.is_set_aside and self.status is not TrialStatus.INTERRUPTED


def counts_of(document: Mapping[str, Any]) -> TrialCounts:
    """The counts of plain data; raises KeyError or TypeError where it is something else."""
    arrivals = document.get("arrivals")
    return TrialCounts(**{**document, "arrivals": None if arrivals is None else ArrivalCounts(**arrivals)})


def write_trial(directory: Path, trial: Trial) -> None:
    """Write trial.json into the trial's directory."""
    write_json(directory / TRIAL_FILE, {"format": TRIAL_FORMAT, **asdict(trial)})


def read_trial(directory: Path) -> Trial:
    """The trial of a directory; raises UserError where trial.json is not there or not ours."""
    path = directory / TRIAL_FILE
    document = read_json(path)
    try:
        return _trial_of(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: is not a trial of this version ({shape_problem(error)}); move {directory} away to run it anew."
        ) from error


def _trial_of(document: dict[str, Any]) -> Trial:
    if document.pop("format") != TRIAL_FORMAT:
        raise ValueError(f"format is not {TRIAL_FORMAT}")
    return Trial(
        **{
            **document,
            "status": TrialStatus(document["status"]),
            "marks": WindowMarks(**document["marks"]),
            "generator": GeneratorHealth(**document["generator"]),
            "counts": counts_of(document["counts"]),
            "cautions": tuple(Caution(**caution) for caution in document["cautions"]),
            "faults": fault_records_of(document.get("faults", ())),
        }
    )
