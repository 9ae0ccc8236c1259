"""What a master orders its workers to do, before it travels and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from iam_loadtest import __version__
from iam_loadtest.errors import UserError
from iam_loadtest.load.order import FORMAT, order_of, setup_of_order, setup_of_trial
from iam_loadtest.load.setup import Choices, LoadSetup, setup_of_choices, setup_of_spec
from iam_loadtest.scenario.trial_spec import TrialSpec
from iam_loadtest.scenario.worker_trust import WorkerTrust

CHOICES = Choices(issuer="https://iam.example/", workload="refresh", client_id="me", samples="out")
OWN_STEPS = "clients: {a: {id: a, auth: none}}\nsteps: {issue: {grant: client_credentials, client: a}}\n"


def test_the_setup_of_a_plain_run_arrives_as_it_was_decided() -> None:
    setup = setup_of_choices(CHOICES)
    assert setup_of_order(msgpack.loads(msgpack.dumps(order_of(setup)))) == setup


@pytest.mark.parametrize(
    ("change", "master"),
    [
        ({"version": "0.0.1"}, f"the master 0.0.1 (format {FORMAT})"),
        ({"format": 99}, f"the master {__version__} (format 99)"),
    ],
)
def test_another_version_is_refused_and_both_are_named(change: dict[str, object], master: str) -> None:
    order = {**order_of(setup_of_choices(CHOICES)), **change}
    with pytest.raises(UserError) as error:
        setup_of_order(order)
    own = f"the worker has iam_loadtest {__version__} (format {FORMAT})"
    assert str(error.value) == f"{own}, {master}; install the same version on both."


def test_a_worker_whose_scenario_file_names_another_issuer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    text = "name: mine\nusers: {password: password}\nworkloads: {access: [issue]}\n" + OWN_STEPS
    path.write_text(text + "topologies: {one: {provider: url, issuer: 'https://a.example/'}}\n")
    order = order_of(setup_of_choices(Choices(scenario=str(path))))
    path.write_text(text + "topologies: {one: {provider: url, issuer: 'https://b.example/'}}\n")
    with pytest.raises(UserError, match=r"of this worker names issuer 'https://b\.example/', the master's 'https://a"):
        setup_of_order(order)


def test_the_order_of_a_trial_is_none_for_a_plain_worker() -> None:
    order = {name: value for name, value in order_of(setup_of_choices(CHOICES)).items() if name != "choices"}
    with pytest.raises(UserError, match="start both with the same locustfile"):
        setup_of_order(order)


ISSUER = "https://iam.example.org/"
TRUST = WorkerTrust((ISSUER.removesuffix("/") + ":443",))
TRIAL = """\
name: mine
target: {timeout: 9s}
topologies: {one: {provider: url, issuer: "https://iam.example.org/"}}
clients: {a: {id: me, secret: "${ORDER_TEST_SECRET}"}}
users: {password: "${ORDER_TEST_PASSWORD}"}
steps: {issue: {grant: client_credentials, client: a}}
workloads: {access: [issue]}
"""
SECRETS = {"ORDER_TEST_SECRET": "hidden-one", "ORDER_TEST_PASSWORD": "hidden-two"}


@pytest.fixture
def of_master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadSetup:
    """The setup of a master whose workers are elsewhere, and whose own environment holds the secrets."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "scenario.yaml"
    path.write_text(TRIAL)
    where = (str(path), str(tmp_path), "one", "access", ISSUER, str(tmp_path))
    return setup_of_spec(TrialSpec(*where, {"duration_s": 5.0}, trial=3, worker_command="iam-loadtest worker"))


def travelled(setup: LoadSetup) -> dict[str, object]:
    return msgpack.loads(msgpack.dumps(order_of(setup)))


def test_a_trial_arrives_without_its_files_and_without_its_secrets(of_master: LoadSetup) -> None:
    packed = msgpack.dumps(order_of(of_master))
    assert b"hidden" not in packed
    setup = setup_of_trial(msgpack.loads(packed), TRUST, SECRETS)
    assert (setup.issuer, setup.workload, setup.topology, setup.target) == (ISSUER, "access", "one", of_master.target)
    assert setup.scenario.clients == of_master.scenario.clients
    assert setup.scenario.load == of_master.scenario.load
    assert setup.seed == of_master.seed == "1-3"
    assert setup.samples is not None, "rows are kept"


def test_workers_that_the_runner_starts_are_sent_no_scenario(of_master: LoadSetup) -> None:
    """They read the spec: who is on the same machine could pose as their master, but cannot write there."""
    assert set(order_of(replace(of_master, worker_command=None))) == {"format", "version", "issuer"}


def test_probes_of_a_worker_elsewhere_use_the_nodes_that_were_chosen(tmp_path: Path) -> None:
    """Of a lab with three frontends two; the worker itself knows nothing of the lab."""
    path = tmp_path / "scenario.yaml"
    chosen = "probes: {nodes: [frontend-1, frontend-3]}\nworkloads: {consistency: {probes: [issue-introspect]}}\n"
    path.write_text("name: mine\ntopologies: {sites: {provider: lab, frontends: [2, 1]}}\n" + chosen)
    where = (str(path), str(tmp_path), "sites", "consistency", "http://127.0.0.1:8492/", str(tmp_path))
    frontends = tuple(f"frontend-{number}" for number in (1, 2, 3))
    of_master = setup_of_spec(TrialSpec(*where, worker_command="iam-loadtest worker", lab_nodes=frontends))
    arrived = setup_of_trial(travelled(of_master), WorkerTrust(("http://127.0.0.1:*",)), {})
    assert arrived.nodes == of_master.nodes == {"frontend-1": "", "frontend-3": ""}


def test_a_missing_secret_names_its_key_and_variable_and_what_a_worker_has(of_master: LoadSetup) -> None:
    with pytest.raises(UserError) as error:
        setup_of_trial(travelled(of_master), TRUST, {"ORDER_TEST_PASSWORD": "hidden-two"})
    assert str(error.value) == (
        "clients.a.secret: environment variable ORDER_TEST_SECRET is not set; export it before the run; "
        "a worker has the variables that --secret-env names and the files below its --secrets-directory."
    )


def test_a_trial_elsewhere_than_the_worker_allows_is_refused(of_master: LoadSetup) -> None:
    with pytest.raises(UserError, match=r"the master wants load on https://iam\.example\.org/; this worker serves"):
        setup_of_trial(travelled(of_master), WorkerTrust(("https://other.example.org:443",)), SECRETS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"issuer": "https://user@iam.example.org/"}, "the master's order is none of this version"),
        ({"scenario": []}, "the master's order is none of this version"),
        ({"topology": "two"}, "the master's scenario holds no topology 'two'"),
        ({"scenario": {"name": "mine", "topologies": {"one": {"provider": "rm"}}}}, "the master's scenario: "),
        (
            {"scenario": {"name": "m", "topologies": {"one": {"provider": "url", "issuer": "${HOME}"}}}},
            "HOME, which is",
        ),
    ],
)
def test_an_order_that_no_master_of_ours_sends_is_refused(
    of_master: LoadSetup, change: dict[str, object], message: str
) -> None:
    order = order_of(of_master)
    with pytest.raises(UserError) as error:
        setup_of_trial({**order, "trial": {**order["trial"], **change}}, TRUST, SECRETS)
    assert message in str(error.value).replace("${HOME}", "HOME")


def test_a_plain_master_has_no_trial_for_a_worker_of_another_host() -> None:
    with pytest.raises(UserError, match="start it with --workers-external"):
        setup_of_trial(order_of(setup_of_choices(CHOICES)), TRUST, SECRETS)
