"""Probes on real labs: a stale read and a write conflict are provoked, and seen as what they are."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from iam_loadtest.flow.chain import UserLogin
from iam_loadtest.flow.probe import ProbeSteps, Route
from iam_loadtest.flow.ready_probe import prepare_probes
from iam_loadtest.load.deck import Draw
from iam_loadtest.load.probing import ProbePlan, Probing
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.transport import TransportSettings
from iam_loadtest.load.transports import transports
from iam_loadtest.oidc.discovery import discovery_url, parse_discovery
from iam_loadtest.results.probe import ProbeKind, ProbeRow
from tests.lab.conftest import LAB, Lab, skip_where_missing, skip_without_namespaces, skip_without_tun
from tests.scenario.scenarios import scenario_of

NEAR, FAR = "frontend-1", "frontend-2"
HOLD_S = 1.0
TWO_SITES = {
    "frontends": [1, 1],
    "balancer": "dns",
    "link": {"rtt": "30ms"},
    "settings": {"rotate_refresh_tokens": True},
}


@pytest.fixture(autouse=True, scope="module")
def what_all_need() -> None:
    skip_without_namespaces()
    skip_without_tun()
    skip_where_missing("ip", "haproxy", "mariadbd", "mariadb-install-db", galera=True)


@pytest.fixture(scope="module")
def galera(lab_up: Callable[..., Lab]) -> Lab:
    """Two sites with 30 ms between them, a Galera member and an address at each; reads do not wait."""
    return lab_up(**TWO_SITES, database={"kind": "galera"})


class Always:
    """A deck of one card: write near, read far, at once."""

    def __init__(self, steps: ProbeSteps) -> None:
        self._steps = steps

    def draw(self) -> Draw:
        return Draw(self._steps, Route(NEAR, FAR), 0)


def probing(lab: Lab, kind: ProbeKind) -> Probing:
    """Near and far are asked at their own sites: on the way from one to the other a write would overtake a request."""
    issuer = lab.state.issuer
    name, port = issuer.strip("/").removeprefix("http://").split(":")
    nodes = {NEAR: f"http://127.0.0.1:{port}", FAR: f"http://127.0.0.2:{port}"}
    endpoints = parse_discovery(requests.get(discovery_url(nodes[NEAR]), timeout=60).json(), issuer)
    ready = prepare_probes(scenario_of(probes={"kinds": [kind.value]}), [kind], endpoints, Path(), {})
    plan = ProbePlan(ready, nodes, None, 0.0, 1000, lambda n: UserLogin(f"test_{100 + n}", "password"))
    made = Probing(plan, transports(TransportSettings(resolve={name: ("127.0.0.1",)})), Recorder(), random.Random(1))
    made.deck = Always(ready.steps[0])  # type: ignore[assignment]  draws as a deck does
    return made


def run_one(probes: Probing) -> list[ProbeRow]:
    runner = probes.open_user(lambda *_: None)
    assert runner.run_one()
    runner.close()
    return [ProbeRow(*row) for row in probes.take()["rows"]]


@contextmanager
def applying_nothing(lab: Lab, database: str) -> Iterator[None]:
    """While the block begins, a member keeps what it receives unapplied for a second; it goes on being read."""
    hold = f"FLUSH TABLES WITH READ LOCK; SELECT 'held'; SELECT SLEEP({HOLD_S}); UNLOCK TABLES"
    client = ("mariadb", "--unbuffered", "-N", "-S", f"{lab.directory}/{database}/s.sock", "-e", hold)
    command = [*LAB, "exec", "--directory", str(lab.directory), database, *client]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    assert process.returncode == 0


def test_a_member_that_is_behind_gives_stale_reads_until_it_has_caught_up(galera: Lab) -> None:
    """A token is issued near and not known far away, as long as the far member applies nothing."""
    probes = probing(galera, ProbeKind.ISSUE_INTROSPECT)
    with applying_nothing(galera, "database-2"):
        rows = run_one(probes)
    assert [row.verdict for row in rows[:-1]] == ["stale"] * (len(rows) - 1)
    assert len(rows) > 5, "reads after 0, 1, 2, 5 and 10 ms at least"
    assert (rows[-1].verdict, rows[-1].issued_by, rows[-1].read_by) == ("fresh", NEAR, FAR)
    probes.audit()
    assert {(row[1], row[12]) for row in probes.take()["rows"]} == {("audit", "kept")}


def test_with_wsrep_sync_wait_the_same_read_waits_and_is_fresh(lab_up: Callable[..., Lab]) -> None:
    """It takes as long as the member needs to catch up."""
    lab = lab_up(**TWO_SITES, database={"kind": "galera", "settings": {"wsrep_sync_wait": 1}})
    probes = probing(lab, ProbeKind.ISSUE_INTROSPECT)
    with applying_nothing(lab, "database-2"):
        (row,) = run_one(probes)
    assert (row.verdict, row.attempt, row.issued_by, row.read_by) == ("fresh", 1, NEAR, FAR)


def test_one_refresh_token_redeemed_at_two_members_at_once_is_a_write_conflict(galera: Lab) -> None:
    """Both see the token and delete it; the write that is certified second is rolled back. One answer alone is good.

    Either may come so late that it sees the other's deletion, which is no conflict: it is tried again.
    """
    probes = probing(galera, ProbeKind.DOUBLE_REFRESH)
    outcomes: list[str] = []
    for _ in range(8):
        rows = run_one(probes)
        assert {row.verdict for row in rows} == {"once"}
        outcomes += [row.outcome for row in rows]
        if "write_conflict" in outcomes:
            break
    assert "write_conflict" in outcomes
