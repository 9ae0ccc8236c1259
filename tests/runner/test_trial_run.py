"""One trial from its hooks to its directory, with a pretended load: how each ending is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from iam_loadtest.results.load_result import LoadResult, Progress
from iam_loadtest.results.run import PlannedTrial
from iam_loadtest.results.trial import (
    Caution,
    GeneratorHealth,
    Trial,
    TrialCounts,
    TrialStatus,
    WindowMarks,
    read_trial,
)
from iam_loadtest.runner import trial_run
from iam_loadtest.runner.external import ExternalWorkers
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.hook import HOOKS_LOG
from iam_loadtest.runner.interruption import Interruption
from iam_loadtest.runner.load_processes import LoadInterruptedError
from iam_loadtest.runner.trial_run import TrialContext, run_trial
from iam_loadtest.scenario.load import Load
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.trial_spec import TrialSpec
from tests.runner.children import python
from tests.runner.servers import DISCOVERY, Server, document, serving
from tests.scenario.scenarios import scenario_of

PLANNED = PlannedTrial(1, "here", "access", 1)
TOKENS = {"access_token": "opaque", "token_type": "Bearer"}
MARKS = WindowMarks(400_000, 1_400_000, 6_400_000, 7_000_000)
GOOD = LoadResult(
    TrialStatus.OK, None, MARKS, GeneratorHealth(workers=2), TrialCounts(10, 10, {"issue": 5, "workflow": 5})
)


@pytest.fixture
def iam() -> Iterator[Server]:
    """An IAM that gives every client a token."""
    with serving() as server:
        server.answers[DISCOVERY] = document(server.discovery(jwks_uri=None))
        server.answers["/token"] = document(TOKENS)
        yield server


def scenario(server: Server, **sections: Any) -> Scenario:
    """One topology, which is there already."""
    return scenario_of(
        topologies={"here": {"provider": "url", "issuer": server.url}},
        clients={name: {"id": "client-cred", "secret": "secret"} for name in ("access", "subject", "actor")},
        users={"password": "password"},
        **{"target": {"timeout": 10, "health_timeout": "50ms"}, **sections},
    )


class PretendedLoad:
    """Stands for run_load: notes what it was told, and returns or raises what the test wants."""

    def __init__(self, ending: LoadResult | BaseException) -> None:
        self.ending = ending
        self.spec: TrialSpec | None = None
        self.external: ExternalWorkers | None = None
        self.probe_users = 0
        self.end_s = 0.0

    def __call__(
        self,
        spec: TrialSpec,
        load: Load,
        end_s: float,
        watch: Callable[[Progress], None],
        external: ExternalWorkers | None = None,
        probe_users: int = 0,
        _beside: Callable[[], None] | None = None,
    ) -> LoadResult:
        self.spec, self.external, self.probe_users, self.end_s = spec, external, probe_users, end_s
        watch(Progress("window", 1.0, load.users))
        if isinstance(self.ending, BaseException):
            raise self.ending
        return self.ending


def run(
    monkeypatch: pytest.MonkeyPatch,
    directory: Path,
    what: Scenario,
    ending: LoadResult | BaseException = GOOD,
    new_topology: bool = True,
    external: ExternalWorkers | None = None,
) -> tuple[Trial, PretendedLoad]:
    """The trial as it was returned, and the load that was pretended."""
    load = PretendedLoad(ending)
    monkeypatch.setattr(trial_run, "run_load", load)
    (directory / "trials").mkdir(exist_ok=True)
    context = TrialContext(what, directory / "scenario.yaml", directory, directory, {"users": 5}, external)
    return run_trial(context, PLANNED, new_topology, lambda _progress: None, Interruption()), load


def test_a_good_trial_is_written_as_it_went(iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load's marks, counts and health; the directory has its final name; no spec is left in it."""
    trial, load = run(monkeypatch, tmp_path, scenario(iam))
    assert (trial.status, trial.reason, trial.marks, trial.counts, trial.cautions) == (
        *(TrialStatus.OK, None, MARKS, GOOD.counts),
        (),
    )
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["001-here-access-t1"]
    assert [path.name for path in (tmp_path / "trials" / trial.id).iterdir()] == ["trial.json"]
    assert read_trial(tmp_path / "trials" / trial.id) == trial
    assert load.spec == TrialSpec(
        *(str(tmp_path / "scenario.yaml"), str(tmp_path), "here", "access", iam.url),
        str(tmp_path / "trials" / ".running-001-here-access-t1"),
        {"users": 5},
    )


def test_the_pause_before_an_audit_is_no_reason_to_give_a_load_up(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is: ten seconds for the last requests, and five minutes to settle."""
    _, without = run(monkeypatch, tmp_path, scenario(iam))
    monkeypatch.setattr(trial_run, "preflight_trial", lambda *_: None)
    (tmp_path / "second").mkdir()
    _, with_probes = run(monkeypatch, tmp_path / "second", scenario(iam, probes={"settle": "5m"}))
    assert (without.end_s, with_probes.end_s) == (10, 310)


def test_a_load_of_other_hosts_says_what_starts_a_worker_there(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The master tells it where workers are missing, and waits for them as long as was asked for."""
    external = ExternalWorkers("10.0.0.5", 5600, 90)
    _, load = run(monkeypatch, tmp_path, scenario(iam), external=external)
    assert load.external is external
    assert load.spec is not None
    assert load.spec.workers_wait_s == 90
    origin = iam.url.removesuffix("/")
    assert load.spec.worker_command == f"iam-loadtest worker --master 10.0.0.5:5600 --target {origin}"


@pytest.mark.parametrize(
    ("ending", "status", "reason"),
    [
        (TrialFailedError("Locust left no result."), TrialStatus.FAILED, "Locust left no result."),
        (LoadInterruptedError(None), TrialStatus.INTERRUPTED, "interrupted by the user"),
        (KeyboardInterrupt(), TrialStatus.INTERRUPTED, "interrupted by the user before its load began"),
        (
            LoadResult(TrialStatus.INVALID, "a worker was lost", MARKS, GeneratorHealth(), TrialCounts(10, 9)),
            *(TrialStatus.INVALID, "a worker was lost"),
        ),
    ],
)
def test_a_trial_that_ended_badly_stays_with_its_reason(
    iam: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: LoadResult | BaseException,
    status: TrialStatus,
    reason: str,
) -> None:
    """Nothing is thrown away, and nothing is raised: the next trial can begin."""
    trial, _ = run(monkeypatch, tmp_path, scenario(iam), ending)
    assert (trial.status, trial.reason) == (status, reason)
    assert read_trial(tmp_path / "trials" / trial.id) == trial


def test_what_was_measured_before_an_interruption_is_kept(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts that the master saved stand in the interrupted trial."""
    trial, _ = run(monkeypatch, tmp_path, scenario(iam), LoadInterruptedError(GOOD))
    assert (trial.status, trial.counts) == (TrialStatus.INTERRUPTED, GOOD.counts)


def test_an_iam_that_refuses_ends_the_trial_before_its_load(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes of refusals would measure nothing."""
    iam.answers["/token"] = document({"error": "invalid_client", "error_description": "unknown client"}, 401)
    trial, load = run(monkeypatch, tmp_path, scenario(iam))
    assert load.spec is None
    assert trial.status is TrialStatus.FAILED
    assert trial.reason == "before the load, step issue came to refused: 401 invalid_client unknown client."
    assert trial.marks.window_s is None


def test_a_file_that_went_since_the_run_began_fails_the_trial_and_is_named(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on: trials at other topologies may do without it."""
    trial, load = run(monkeypatch, tmp_path, scenario(iam, target={"ca_bundle": "gone.pem"}))
    assert (load.spec, trial.status) == (None, TrialStatus.FAILED)
    assert trial.reason == (
        f"{tmp_path / 'gone.pem'}: cannot be read: No such file or directory; ca_bundle must name a PEM file."
    )


def hooks(**codes: str) -> dict[str, Any]:
    return {name: python(f"print('{name}'); {code}") for name, code in codes.items()}


def log_of(directory: Path) -> list[str]:
    lines = (directory / "trials" / PLANNED.id / HOOKS_LOG).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


ALL_HOOKS = {"before_topology": "", "before_trial": "", "after_trial": ""}


@pytest.mark.parametrize("new_topology", [True, False])
def test_hooks_run_in_their_order(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_topology: bool
) -> None:
    """before_topology only where the topology is another than the last trial's."""
    run(monkeypatch, tmp_path, scenario(iam, hooks=hooks(**ALL_HOOKS)), new_topology=new_topology)
    assert log_of(tmp_path) == [*(["before_topology"] if new_topology else []), "before_trial", "after_trial"]


def test_a_hook_that_fails_before_the_load_ends_the_trial(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no load on a deployment that did not come up; after_trial runs all the same."""
    codes = {**ALL_HOOKS, "before_topology": "raise SystemExit(4)"}
    trial, load = run(monkeypatch, tmp_path, scenario(iam, hooks=hooks(**codes)))
    assert load.spec is None
    assert (trial.status, trial.reason) == (
        TrialStatus.FAILED,
        "hook before_topology ended with exit code 4: before_topology; see hooks.log.",
    )
    assert log_of(tmp_path) == ["before_topology", "after_trial"]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (GOOD, "hook after_trial ended with exit code 1: after_trial; see hooks.log."),
        (TrialFailedError("Locust left no result."), "Locust left no result."),
    ],
)
def test_a_hook_that_fails_after_the_load_fails_the_trial_but_hides_no_earlier_reason(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: LoadResult | BaseException, reason: str
) -> None:
    """What went wrong first is what one wants to know."""
    what = scenario(iam, hooks=hooks(after_trial="raise SystemExit(1)"))
    trial, _ = run(monkeypatch, tmp_path, what, ending)
    assert (trial.status, trial.reason) == (TrialStatus.FAILED, reason)


def test_what_the_last_attempt_left_is_not_mixed_in(
    iam: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that a killed runner left under the temporary name is emptied first."""
    left = tmp_path / "trials" / ".running-001-here-access-t1"
    left.mkdir(parents=True)
    (left / "samples.parquet").write_bytes(b"half")
    trial, _ = run(monkeypatch, tmp_path, scenario(iam))
    assert not (tmp_path / "trials" / trial.id / "samples.parquet").exists()


@pytest.mark.parametrize(("sent", "cautions"), [(5, 0), (6, 1)])
def test_a_built_in_iam_that_counted_otherwise_is_a_caution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: int, cautions: int
) -> None:
    """The built-in IAM counts what it answers; the walk before the load is not counted. Here five requests are sent."""
    what = scenario_of()
    load = LoadResult(
        *(TrialStatus.OK, None, MARKS, GeneratorHealth()),
        TrialCounts(sent + 5, sent + 5, {"issue": sent, "workflow": 5}),
    )
    monkeypatch.setattr(trial_run, "run_load", RealRequests(load))
    (tmp_path / "trials").mkdir()
    context = TrialContext(what, tmp_path / "scenario.yaml", tmp_path, tmp_path)
    trial = run_trial(context, PlannedTrial(1, "one", "access", 1), True, lambda _progress: None, Interruption())
    assert (trial.status, trial.counts.server) == (TrialStatus.OK, {"issue": 5})
    assert [caution.kind for caution in trial.cautions] == ["counts_differ"] * cautions
    assert all(isinstance(caution, Caution) for caution in trial.cautions)


class RealRequests:
    """A load of five requests, whatever its result says."""

    def __init__(self, result: LoadResult) -> None:
        self._result = result

    def __call__(self, spec: TrialSpec, *_: object) -> LoadResult:

        for _number in range(5):
            form = {"grant_type": "client_credentials"}
            requests.post(f"{spec.issuer}token", form, auth=("client-cred", "secret"), timeout=60)
        return self._result
