"""Every ready-made workload against the real built-in IAM, step by step, twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iam_loadtest.flow.prepare import prepare_workload
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.embedded_iam import EmbeddedIam, embedded_iam, served_by_step
from iam_loadtest.runner.preflight import CheckedStep, Preflight
from iam_loadtest.scenario.builtin import READY_WORKLOADS
from iam_loadtest.scenario.load_file import load_scenario
from iam_loadtest.scenario.topology import EmbeddedTopology
from tests.scenario.scenarios import scenario_of

SCENARIOS = Path(__file__).parents[2] / "scenarios"
pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIam]:
    with embedded_iam(EmbeddedTopology(provider="embedded"), tmp_path_factory.mktemp("iam")) as running:
        yield running


def checked(server: EmbeddedIam, workload: str) -> list[CheckedStep]:
    """Each request of a workload."""
    scenario = scenario_of(workloads=[workload])
    with Preflight(server.issuer, scenario.target, Path()) as preflight:
        endpoints: Endpoints = preflight.discover()
        return preflight.walk(prepare_workload(scenario, workload, endpoints, Path(), {}))[0]


def walked(server: EmbeddedIam, workload: str) -> list[tuple[str, int, Outcome]]:
    """What each request of a workload came to."""
    return [(step.step, step.status, step.outcome) for step in checked(server, workload)]


@pytest.mark.parametrize("workload", [name for name in READY_WORKLOADS if name not in {"login", "device"}])
def test_a_ready_made_workload_is_good_from_end_to_end(server: EmbeddedIam, workload: str) -> None:
    scenario = scenario_of(workloads=[workload])
    expected = [(scenario.label_of(step), 200, Outcome.OK) for step in READY_WORKLOADS[workload]]
    assert walked(server, workload) == expected


def test_a_login_gives_consent_once_and_redeems_its_code(server: EmbeddedIam) -> None:
    """Each login is a new browser, yet the user is asked for consent only the first time."""
    ok = Outcome.OK
    first = [("login_page", 200, ok), ("login", 200, ok), ("consent", 302, ok), ("redeem", 200, ok)]
    again = [("login_page", 200, ok), ("login", 302, ok), ("redeem", 200, ok)]
    assert [walked(server, "login") for _ in range(2)] == [first, again]


def test_every_workload_of_indigo_iam_s_scenario_is_good_at_its_stand_in(server: EmbeddedIam) -> None:
    """Its clients, their methods and redirect URIs are those of upstream's test data, which both are filled with."""
    scenario = load_scenario(SCENARIOS / "indigo-iam.yaml", environ={})
    with Preflight(server.issuer, scenario.target, Path()) as preflight:
        endpoints = preflight.discover()
        for name in scenario.workloads:
            steps, _ = preflight.walk(prepare_workload(scenario, name, endpoints, Path(), {}))
            assert {step.outcome for step in steps} == {Outcome.OK}, (name, steps[-1])


def test_the_iam_counts_the_requests_of_each_kind(server: EmbeddedIam) -> None:
    scenario = scenario_of(workloads=["revoke"])
    before = server.requests_by_kind()
    walked(server, "revoke")
    counted = served_by_step(scenario, "revoke", server.requests_by_kind() - before)
    assert counted == {"issue": 1, "revoke": 1, "introspect_revoked": 1}


def test_a_device_is_approved_by_its_user_in_a_browser_and_redeems_its_code_once(server: EmbeddedIam) -> None:
    """The page of the code asks for a login first; then the code is entered, and approved."""
    rows = [(one.step, one.position, one.status, one.outcome) for one in checked(server, "device")]
    assert rows[0] == ("device", 0, 200, Outcome.OK)
    assert rows[-1] == ("redeem_device", 2, 200, Outcome.OK), "the third step, if the sixth request"
    assert rows[1:-1] == [("approve", 1, 200, Outcome.OK)] * 4, "page, login, code, consent"
