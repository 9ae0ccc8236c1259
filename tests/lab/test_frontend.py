"""Another program as the frontends: what it is told of its place in the lab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.lab.frontend import placeholders_of
from iam_loadtest.lab.plan import Role, plan_of
from iam_loadtest.scenario.lab_frontend import PLACEHOLDERS, fill
from iam_loadtest.scenario.topology import LabTopology


def told(number: int, **keys: Any) -> dict[str, str]:
    topology = LabTopology.model_validate({"provider": "lab", "frontend": {"command": "serve"}, **keys})
    plan = plan_of(topology)
    host = plan.of(Role.FRONTEND)[number - 1]
    return placeholders_of(topology, plan, Path("/lab"), host, "http://127.0.0.1:8492/", None)


def test_it_is_told_of_the_member_of_its_own_cluster() -> None:
    values = told(2, frontends=[1, 1], database={"kind": "galera"})
    assert (values["node"], values["number"], values["address"]) == ("frontend-2", "2", "10.77.2.11")
    assert (values["database_host"], values["replica_host"]) == ("10.77.2.101", "10.77.2.101")
    assert values["database_url"] == "mysql://iam:iam@10.77.2.101:3306/iam"


def test_with_replication_it_writes_to_the_primary_and_may_read_beside_it() -> None:
    values = told(2, frontends=[1, 1], database={"kind": "replication"})
    assert (values["database_host"], values["replica_host"]) == ("10.77.1.101", "10.77.2.101")


def test_the_public_url_is_the_issuer_without_its_path() -> None:
    """Such as Keycloak's hostname, which it adds the realm's path to."""
    noun = {"provider": "lab", "frontend": {"command": "serve", "issuer_path": "realms/test"}}
    topology = LabTopology.model_validate(noun)
    plan = plan_of(topology)
    host = plan.of(Role.FRONTEND)[0]
    values = placeholders_of(topology, plan, Path("/lab"), host, "http://lab.localhost:8492/realms/test", None)
    assert values["public_url"] == "http://lab.localhost:8492"
    assert told(1)["public_url"] == "http://127.0.0.1:8492"


def test_a_lab_without_a_database_server_has_a_file() -> None:
    values = told(1, database={"kind": "sqlite"})
    assert values["database_url"] == "/lab/iam.sqlite"
    assert (values["database_host"], values["database_port"], values["sessions_url"]) == ("", "", "")


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_every_placeholder_stands_for_something(kind: str) -> None:
    """What a scenario may write is what the lab fills in; a brace written twice stays one."""
    values = told(1, database={"kind": kind})
    assert set(values) == set(PLACEHOLDERS)
    assert fill("http://{address}:{port}/{{x}}", values) == "http://10.77.1.11:8080/{x}"
