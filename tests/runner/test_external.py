"""Workers on other hosts: what starts one, and whether it can connect."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.results.run import RunInfo
from iam_loadtest.runner.external import ExternalWorkers, require_same_workers
from tests.scenario.scenarios import EMBEDDED, scenario_of

CLIENTS = {
    "access": {"id": "a", "secret": "${ACCESS_SECRET}"},
    "subject": {"id": "b", "secret": "${ACCESS_SECRET}"},
    "actor": {"id": "c", "secret": {"file": "actor.secret"}},
}


def test_the_command_names_every_origin_and_every_variable_once() -> None:
    topologies = {
        "near": {"provider": "url", "issuer": "https://iam.example.org/realms/a"},
        "same": {"provider": "url", "issuer": "https://iam.example.org/realms/b"},
        "far": {"provider": "url", "issuer": "http://10.0.0.7:8080/"},
    }
    users = {"password": "${PASSWORD}"}
    command = ExternalWorkers("10.0.0.5", 5600).worker_command(
        scenario_of(topologies=topologies, clients=CLIENTS, users=users)
    )
    assert command == (
        "iam-loadtest worker --master 10.0.0.5:5600 --target https://iam.example.org:443 --target http://10.0.0.7:8080 "
        "--secret-env ACCESS_SECRET --secret-env PASSWORD --secrets-directory DIRECTORY"
    )


def test_the_built_in_iam_may_have_any_port_and_needs_no_secrets() -> None:
    command = ExternalWorkers().worker_command(scenario_of(topologies=EMBEDDED))
    assert command == "iam-loadtest worker --master 127.0.0.1:5557 --target 'http://127.0.0.1:*'"


@pytest.mark.parametrize(
    ("bind", "master"), [("0.0.0.0", socket.gethostname() + ":5557"), ("2001:db8::1", "'[2001:db8::1]:5557'")]
)
def test_workers_are_told_a_name_or_an_address_that_they_can_connect_to(bind: str, master: str) -> None:
    assert f"--master {master} " in ExternalWorkers(bind).worker_command(scenario_of())


def test_only_loopback_is_closed_to_other_machines() -> None:
    assert not ExternalWorkers().is_open
    assert not ExternalWorkers("::1").is_open
    assert ExternalWorkers("0.0.0.0").is_open
    assert ExternalWorkers("10.0.0.5").is_open


def test_a_port_that_is_taken_or_an_address_of_another_machine_is_refused_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=rf"--bind 127\.0\.0\.1 --port {port}: cannot be listened on: Address already"
        ):
            ExternalWorkers(port=port).require_port()
    ExternalWorkers(port=port).require_port()
    with pytest.raises(UserError, match=r"--bind 192\.0\.2\.1 .* choose an address of this machine"):
        ExternalWorkers("192.0.2.1", port).require_port()


def info(**changes: Any) -> RunInfo:
    return RunInfo(
        name="n", started_at="", scenario={}, fingerprint="", plan=(), seed=1, versions={}, machine={}, **changes
    )


def test_a_run_goes_on_with_workers_where_it_began() -> None:
    """Trials of one run are compared: they must have the same generator."""
    scenario = scenario_of(load={"workers": 3})
    require_same_workers(info(), scenario, None)
    require_same_workers(info(external_workers=True), scenario, 3)
    with pytest.raises(UserError, match="leave --workers-external out"):
        require_same_workers(info(), scenario, 3)
    for count in (None, 2):
        with pytest.raises(UserError, match="add --workers-external 3"):
            require_same_workers(info(external_workers=True), scenario, count)
