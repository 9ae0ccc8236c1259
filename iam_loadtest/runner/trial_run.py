"""Run one trial: bring the topology up, look at it, put load on it, write down what happened."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError
from iam_loadtest.flow.prepare import prepare_workload
from iam_loadtest.flow.ready_probe import prepare_probe
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.results.fault import FaultRecord
from iam_loadtest.results.load_result import LOAD_RESULT_FILE, PROGRESS_FILE, LoadResult, Progress
from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.results.run import TEMPORARY_PREFIX, TRIALS_DIRECTORY, PlannedTrial
from iam_loadtest.results.trial import (
    Caution,
    GeneratorHealth,
    Trial,
    TrialCounts,
    TrialStatus,
    WindowMarks,
    write_trial,
)
from iam_loadtest.results.trial_clock import CLOCK_FILE
from iam_loadtest.runner.embedded_iam import EmbeddedIam, embedded_iam, served_by_step
from iam_loadtest.runner.environment import without_secrets
from iam_loadtest.runner.external import ExternalWorkers
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.fault_schedule import FaultSchedule, why_failed
from iam_loadtest.runner.hook import hook_environment, run_hook
from iam_loadtest.runner.interruption import Interruption
from iam_loadtest.runner.lab_iam import LabIam, lab_iam
from iam_loadtest.runner.load_processes import SPEC_FILE, LoadInterruptedError, run_load
from iam_loadtest.runner.preflight import Preflight, failed_step
from iam_loadtest.scenario.fault import Fault
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.target import Target
from iam_loadtest.scenario.topology import EmbeddedTopology, LabTopology, UrlTopology
from iam_loadtest.scenario.trial_spec import LOCAL_WORKERS_WAIT_S, TrialSpec


@dataclass(frozen=True)
class TrialContext:
    """What the trials of a run have in common. Relative files of the scenario stand in ``secrets_directory``.

    ``external`` says where workers of other hosts connect; None: the runner starts workers itself.
    """

    scenario: Scenario
    scenario_file: Path
    secrets_directory: Path
    run_directory: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    external: ExternalWorkers | None = None


@dataclass(frozen=True)
class _Ended:
    """How a trial ended, before it is written down."""

    status: TrialStatus
    reason: str | None
    load: LoadResult | None = None
    server: Mapping[str, int] | None = None
    faults: tuple[FaultRecord, ...] = ()


def run_trial(
    context: TrialContext,
    planned: PlannedTrial,
    new_topology: bool,
    watch: Callable[[Progress], None],
    interruption: Interruption,
) -> Trial:
    """Run one trial and leave its directory complete, however it ended.

    A signal breaks off its load, never its end: the after_trial hook runs, and what happened is written down.

    The directory has a temporary name until then, so that a killed runner leaves nothing that looks finished.
    """
    trials = context.run_directory / TRIALS_DIRECTORY
    directory = trials / (TEMPORARY_PREFIX + planned.id)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    started_at = _now()
    ended = _attempt(context, planned, directory, new_topology, watch, interruption)
    ended = _after_trial(context, planned, directory, ended)
    for leftover in (SPEC_FILE, PROGRESS_FILE, LOAD_RESULT_FILE, CLOCK_FILE):
        (directory / leftover).unlink(missing_ok=True)
    trial = _trial(planned, ended, started_at)
    write_trial(directory, trial)
    directory.rename(trials / planned.id)
    return trial


def _attempt(
    context: TrialContext,
    planned: PlannedTrial,
    directory: Path,
    new_topology: bool,
    watch: Callable[[Progress], None],
    interruption: Interruption,
) -> _Ended:
    try:
        with interruption.interruptible():
            _before_trial(context, planned, directory, new_topology)
            with running_topology(context.scenario, planned.topology, directory) as (issuer, server):
                return _under_load(context, planned, directory, watch, issuer, server)
    except TrialFailedError as error:
        return _Ended(TrialStatus.FAILED, str(error))
    except LoadInterruptedError as interrupt:
        return _Ended(TrialStatus.INTERRUPTED, "interrupted by the user", interrupt.result)
    except KeyboardInterrupt:
        return _Ended(TrialStatus.INTERRUPTED, "interrupted by the user before its load began")


def _under_load(
    context: TrialContext,
    planned: PlannedTrial,
    directory: Path,
    watch: Callable[[Progress], None],
    issuer: str,
    server: EmbeddedIam | None,
) -> _Ended:
    preflight_trial(context, planned, issuer)
    faults = context.scenario.faults_of(planned.topology)
    if isinstance(server, LabIam) and faults:
        return _under_faults(context, planned, directory, watch, server, faults)
    before = server.requests_by_kind() if server else None
    load = _load(context, planned, directory, watch, issuer, server)
    return _with_server_counts(context.scenario, planned.workload, load, server, before)


def _under_faults(
    context: TrialContext,
    planned: PlannedTrial,
    directory: Path,
    watch: Callable[[Progress], None],
    lab: LabIam,
    faults: Sequence[Fault],
) -> _Ended:
    """Servers are not asked for their counts: a killed one has lost them, and a request may be lost after it counted.

    A load that ended early has not met every fault, which is no further reason.
    """
    schedule = FaultSchedule(faults, lab.base, directory)
    load = _load(context, planned, directory, watch, lab.issuer, lab, schedule.look)
    records = schedule.records()
    if load.status is not TrialStatus.OK:
        return _Ended(load.status, load.reason, load, faults=records)
    try:
        lab.require_whole()
    except TrialFailedError as error:
        return _Ended(TrialStatus.FAILED, str(error), load, faults=records)
    reason = why_failed(records)
    return _Ended(TrialStatus.FAILED if reason else load.status, reason or load.reason, load, faults=records)


def _load(
    context: TrialContext,
    planned: PlannedTrial,
    directory: Path,
    watch: Callable[[Progress], None],
    issuer: str,
    server: EmbeddedIam | None,
    beside: Callable[[], None] = lambda: None,
) -> LoadResult:
    return run_load(
        _spec(context, planned, issuer, directory, server.nodes if server else ()),
        context.scenario.load,
        context.scenario.target_of(planned.topology).timeout_s + context.scenario.settle_s_of(planned.workload),
        watch,
        context.external,
        context.scenario.probe_users_of(planned.workload),
        beside,
    )


@contextmanager
def running_topology(scenario: Scenario, topology: str, directory: Path) -> Iterator[tuple[str, EmbeddedIam | None]]:
    """The issuer of a topology while the block runs, and the built-in IAM where that is what runs."""
    noun, environ = scenario.topologies[topology], without_secrets(scenario)
    if isinstance(noun, EmbeddedTopology):
        with embedded_iam(noun, directory, environ) as server:
            yield server.issuer, server
    elif isinstance(noun, LabTopology):
        with lab_iam(noun, directory, environ) as lab:
            yield lab.issuer, lab
    else:
        yield noun.issuer, None


def preflight_trial(context: TrialContext, planned: PlannedTrial, issuer: str) -> None:
    """Await health and walk the workload once; raises TrialFailedError with the reason."""
    target = context.scenario.target_of(planned.topology)
    with _opened(issuer, target, context.secrets_directory) as preflight:
        preflight.await_health()
        endpoints = preflight.discover()
        for chain in context.scenario.chains_of(planned.workload):
            try:
                secrets_directory = context.secrets_directory
                workload = prepare_workload(context.scenario, chain, endpoints, secrets_directory, target=target)
            except UserError as error:
                raise TrialFailedError(str(error)) from error
            checked, tokens = preflight.walk(workload, is_patient=True)
            reason = failed_step(checked)
            if reason is not None:
                raise TrialFailedError(f"before the load, {reason}.")
            if tokens is not None:
                preflight.verify(tokens, endpoints)
        kinds = context.scenario.probes_of(planned.workload)
        if kinds:
            preflight.reach(target.nodes)
        for kind in kinds:
            _try_probe(context, preflight, kind, endpoints, target)


def _opened(issuer: str, target: Target, directory: Path) -> Preflight:
    """A file of the target may have gone since the run began: that fails the trials that need it, and no others."""
    try:
        return Preflight(issuer, target, directory)
    except UserError as error:
        raise TrialFailedError(str(error)) from error


def _try_probe(
    context: TrialContext, preflight: Preflight, kind: ProbeKind, endpoints: Endpoints, target: Target
) -> None:
    try:
        ready = prepare_probe(context.scenario, kind, endpoints, context.secrets_directory, target=target)
    except UserError as error:
        raise TrialFailedError(str(error)) from error
    checked, _ = preflight.walk(ready, is_patient=True)
    reason = failed_step(checked)
    if reason is not None:
        raise TrialFailedError(f"before the load, probe {kind}: {reason}.")


def _before_trial(context: TrialContext, planned: PlannedTrial, directory: Path, new_topology: bool) -> None:
    hooks = context.scenario.hooks_of(planned.topology)
    told = hook_environment(planned, directory, _issuer_told(context.scenario, planned.topology))
    if new_topology and hooks.before_topology:
        run_hook("before_topology", hooks.before_topology, directory, told)
    if hooks.before_trial:
        run_hook("before_trial", hooks.before_trial, directory, told)


def _after_trial(context: TrialContext, planned: PlannedTrial, directory: Path, ended: _Ended) -> _Ended:
    hook = context.scenario.hooks_of(planned.topology).after_trial
    if hook is None:
        return ended
    told = hook_environment(planned, directory, _issuer_told(context.scenario, planned.topology))
    try:
        run_hook("after_trial", hook, directory, told)
    except TrialFailedError as error:
        if ended.status is TrialStatus.OK:
            return replace(ended, status=TrialStatus.FAILED, reason=str(error))
    return ended


def _issuer_told(scenario: Scenario, topology: str) -> str:
    noun = scenario.topologies[topology]
    return noun.issuer if isinstance(noun, UrlTopology) else ""


def _spec(
    context: TrialContext, planned: PlannedTrial, issuer: str, directory: Path, nodes: tuple[str, ...]
) -> TrialSpec:
    return TrialSpec(
        scenario_file=str(context.scenario_file),
        secrets_directory=str(context.secrets_directory),
        topology=planned.topology,
        workload=planned.workload,
        issuer=issuer,
        directory=str(directory),
        overrides=context.overrides,
        trial=planned.trial,
        workers_wait_s=context.external.wait_s if context.external else LOCAL_WORKERS_WAIT_S,
        worker_command=context.external.worker_command(context.scenario) if context.external else None,
        lab_nodes=nodes,
    )


def _with_server_counts(
    scenario: Scenario, workload: str, load: LoadResult, server: EmbeddedIam | None, before: Counter[str] | None
) -> _Ended:
    """The load's own end, with what the server counted; a server that is gone by then has failed the trial."""
    if server is None or before is None:
        return _Ended(load.status, load.reason, load)
    try:
        counted = server.requests_by_kind()
        counted.subtract(before)
        counted.subtract(load.counts.probes)
        served = served_by_step(scenario, workload, counted) if server.is_counted else None
    except TrialFailedError as error:
        return _Ended(TrialStatus.FAILED, str(error), load)
    return _Ended(load.status, load.reason, load, served or None)


def _trial(planned: PlannedTrial, ended: _Ended, started_at: str) -> Trial:
    load = ended.load
    counts = replace(load.counts, server=ended.server) if load else TrialCounts()
    cautions = (*load.cautions, *_count_cautions(counts)) if load else ()
    return Trial(
        id=planned.id,
        position=planned.position,
        topology=planned.topology,
        workload=planned.workload,
        trial=planned.trial,
        status=ended.status,
        reason=ended.reason,
        started_at=started_at,
        ended_at=_now(),
        marks=load.marks if load else WindowMarks(),
        generator=load.generator if load else GeneratorHealth(),
        counts=counts,
        cautions=cautions,
        repeat=planned.repeat,
        faults=ended.faults,
    )


def _count_cautions(counts: TrialCounts) -> tuple[Caution, ...]:
    if counts.server is None or sum(counts.server.values()) == counts.counted_requests:
        return ()
    return (
        Caution(
            "counts_differ",
            f"the samples hold {counts.counted_requests} requests, the server counted {sum(counts.server.values())}",
            "look for timeouts and lost connections among the failures; a request may not have reached the server",
        ),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def remove_unfinished(run_directory: Path) -> None:
    """Remove what a killed runner left of the trial it was in; raises UserError where the disk refuses."""
    for directory in (run_directory / TRIALS_DIRECTORY).glob(TEMPORARY_PREFIX + "*"):
        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise UserError(f"{directory}: cannot be removed: {error.strerror}; remove it by hand.") from error
