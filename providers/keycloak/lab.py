"""Keycloak for the lab: what scenarios/keycloak-lab.yaml needs to make it the frontends, each in a network of its own.

Nothing is started here. The lab starts the nodes, on its own MariaDB.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers import keycloak
from providers.missing import missing_programs
from providers.running import Running

_SETTINGS = Path(__file__).with_name("lab.conf")


def missing() -> list[str]:
    """What this machine lacks; the lab says itself what it needs of databases and a balancer."""
    return missing_programs("java", "mvn")


def install() -> None:
    """Download the distribution and build it for a cluster; nothing is done where that was done before."""
    keycloak.distribution(_SETTINGS)


@contextmanager
def running(directory: Path) -> Iterator[Running]:
    """Where the distribution and the realm are, and the realm's secrets, which are new each time."""
    realm = directory / "realm.json"
    realm.write_text(json.dumps(keycloak.realm_of_scenarios()), encoding="utf-8")
    places = {"KEYCLOAK_HOME": str(keycloak.distribution(_SETTINGS)), "KEYCLOAK_REALM": str(realm)}
    yield Running("", {**places, **keycloak.new_secrets()}, list)
