"""What a master orders its workers to do, before it travels and after."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from iam_loadtest import __version__
from iam_loadtest.errors import UserError
from iam_loadtest.load.order import FORMAT, order_of, setup_of_order
from iam_loadtest.load.setup import Choices, setup_of_choices

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
