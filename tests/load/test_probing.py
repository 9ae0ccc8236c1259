"""Probes of a process: which come next, how they reach a node, how many there are, and the audit at the end."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gevent

from iam_loadtest.flow.chain import UserLogin
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.probe import SCHEDULE_MS, Route
from iam_loadtest.flow.ready_probe import prepare_probes
from iam_loadtest.load.deck import Deck
from iam_loadtest.load.findings import Findings
from iam_loadtest.load.pin import Pins
from iam_loadtest.load.probing import ProbePlan, Probing
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.probe import ProbeKind, ProbeRow
from iam_loadtest.results.sample import unpack
from tests.load.answered import Reports
from tests.scenario.scenarios import scenario_of

ENDPOINTS = Endpoints("http://x/", "http://x/token", None, "http://x/introspect", None, "http://x/revoke")
LAB = {"a": "", "b": ""}
ALL = [kind for kind in ProbeKind if kind is not ProbeKind.DOUBLE_CODE]


class Iam:
    """Two nodes with one memory: `b` knows nothing that was given out less than ``lag`` requests ago."""

    def __init__(self, lag: int = 0, forgets: bool = False) -> None:
        self._lag = lag
        self._forgets = forgets
        self._tokens: dict[str, int] = {}
        self.sent: list[tuple[str, str, str]] = []
        self.open = 0

    def transport(self, _number: int) -> Iam:
        self.open += 1
        return self

    def close(self) -> None:
        self.open -= 1

    def send(self, request: Request) -> Response:
        gevent.sleep(0)
        node = request.headers.get("X-Lab-Node", "a")
        self.sent.append((request.kind, node, request.url))
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        path = urlsplit(request.url).path
        if path == "/introspect":
            return self._answer(node, active=self._knows(node, form["token"]))
        if path == "/revoke":
            self._tokens.pop(form["token"], None)
            return Response(200, b"", node)
        if "refresh_token" in form and self._tokens.pop(form["refresh_token"], None) is None:
            return Response(401, b'{"error": "invalid_token", "error_description": "it was not found"}', node)
        number = len(self.sent)
        self._tokens |= {f"access{number}": number, f"refresh{number}": number}
        return self._answer(
            node, access_token=f"access{number}", refresh_token=f"refresh{number}", token_type="Bearer", expires_in=600
        )

    def forget(self) -> None:
        """Lose everything that was acknowledged."""
        self._tokens.clear()

    def _knows(self, node: str, token: str) -> bool:
        given = self._tokens.get(token)
        return given is not None and (node != "b" or len(self.sent) - given > self._lag)

    def _answer(self, node: str, **document: Any) -> Response:
        text = ", ".join(f'"{name}": {_json(value)}' for name, value in document.items())
        return Response(200, f"{{{text}}}".encode(), node)


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def probing(iam: Iam, kinds: list[ProbeKind], share: float | None = 0.1, nodes: Mapping[str, str] = LAB) -> Probing:
    scenario = scenario_of(probes={"kinds": [kind.value for kind in kinds]})
    ready = prepare_probes(scenario, kinds, ENDPOINTS, Path(), {})
    plan = ProbePlan(ready, nodes, share, 0.0, 1000, lambda _: UserLogin("ada", "pass"))
    return Probing(plan, iam.transport, Recorder(), random.Random(1))


def workload(recorder: Recorder, requests: int) -> None:
    for _ in range(requests):
        recorder.request(0, "issue", 1, 200, Outcome.OK, "")
        recorder.chain(0, 1, 200, Outcome.OK)


def rows_of(probes: Probing) -> list[ProbeRow]:
    return [ProbeRow(*row) for row in probes.take().get("rows", ())]


def test_every_pair_of_nodes_comes_as_often_as_any_other() -> None:
    """Of thirty draws of a kind each of the four pairs is six, and six leave it to the balancer."""
    kinds = [ProbeKind.ISSUE_INTROSPECT, ProbeKind.DOUBLE_REFRESH]
    steps = prepare_probes(scenario_of(probes={}), kinds, ENDPOINTS, Path(), {}).steps
    deck = Deck(steps, ("a", "b"), random.Random(3))
    draws = [deck.draw() for _ in range(60)]
    assert [draw.steps.kind for draw in draws] == kinds * 30
    reads = Counter(draw.route for draw in draws[::2])
    pairs = [Route(write, read) for write in "ab" for read in "ab"]
    assert reads == {**dict.fromkeys(pairs, 6), Route(): 6}
    doubles = Counter(draw.route for draw in draws[1::2])
    assert doubles == {Route("a", "b"): 10, Route("b", "a"): 10, Route(): 10}


def test_half_of_the_reads_come_at_once_and_the_others_after_any_delay() -> None:
    steps = prepare_probes(scenario_of(probes={}), ALL[:1], ENDPOINTS, Path(), {}).steps
    deck = Deck(steps, (), random.Random(3))
    draws = [deck.draw() for _ in range(2400)]
    delays = Counter(draw.delay_ms for draw in draws)
    assert set(delays) == set(SCHEDULE_MS)
    assert 1200 < delays[0] < 1400, "a half, and a twelfth of the other half"
    assert min(delays.values()) > 60
    assert {draw.route for draw in draws} == {Route()}


def test_a_pin_is_a_header_in_a_lab_and_another_host_elsewhere() -> None:
    """The header object is one for each step and node, since the client keeps what it encoded by it."""
    pins = Pins({"a": "", "site": "https://a.example.org:8443"})
    request = Request("r", "http://x/token?q=1", {"Accept": "x"}, b"")
    pinned = pins.request(request, "a")
    assert pinned.headers == {"Accept": "x", "X-Lab-Node": "a"}
    assert pins.request(request, "a").headers is pinned.headers
    assert pinned.url == request.url
    assert pins.request(request, "site").url == "https://a.example.org:8443/token?q=1"
    assert pins.request(request, None) is request
    assert [pins.answered_by(node, "z") for node in ("a", "site", None)] == ["z", "site", "z"]
    assert pins.answered_by("a", "") == "a"


def test_probes_stay_within_their_share_of_the_workload_s_requests() -> None:
    """A tenth of 40 requests: the first probe of two requests begins at once, a third one not before there are more."""
    iam = Iam()
    probes = probing(iam, [ProbeKind.ISSUE_INTROSPECT])
    workload(probes.recorder, 40)
    runner = probes.open_user(lambda *_: None)
    assert runner.run_one()
    assert runner.run_one()
    gevent.spawn_later(0.02, probes.close)
    assert not runner.run_one()
    assert len(iam.sent) == 4
    taken = probes.take()
    assert len(taken["rows"]) == 2
    assert taken["requests"] == {"client_credentials": 2, "introspect": 2}
    assert probes.recorder.requests == 40, "nothing of it is in the samples"
    assert probes.take() == {}


def test_without_a_workload_their_plain_requests_are_rows() -> None:
    """Reads that are made again, and double redemptions, are not; a whole probe is good where it came to a verdict."""
    iam, reports = Iam(lag=2), Reports()
    kinds = [ProbeKind.ISSUE_INTROSPECT]
    probes = probing(iam, kinds, share=None, nodes={"b": ""})
    runner = probes.open_user(reports)
    while not any(row.attempt == 3 for row in rows_of(probes)):
        assert runner.run_one()
    samples = list(unpack(probes.recorder.take()).rows())
    last = samples[-3:]
    assert [(row.step, row.outcome) for row in last] == [
        ("issue", "ok"), ("introspect", "stale_read"), ("workflow", "ok"),
    ]  # fmt: skip
    assert last[2].latency_us == last[0].latency_us + last[1].latency_us
    assert len(reports) == len([row for row in samples if row.step != "workflow"])
    assert reports[-1].failure is not None


def test_a_test_that_ends_cuts_waits_off_and_keeps_what_was_seen() -> None:
    """The credential was acknowledged, so it is audited though its probe was never done."""
    iam = Iam(lag=10**6)
    probes = probing(iam, [ProbeKind.ISSUE_INTROSPECT], share=None, nodes={"b": ""})
    runner = probes.open_user(lambda *_: None)
    gevent.spawn_later(0.05, probes.close)
    while runner.run_one():
        pass
    rows = rows_of(probes)
    assert {row.verdict for row in rows} <= {"stale"}
    probes.audit()
    audited = rows_of(probes)
    assert {(row.phase, row.verdict, row.attempt) for row in audited} == {("audit", "missing", 2)}
    runner.close()


def test_the_audit_reads_each_credential_through_each_node() -> None:
    """Two tokens of a user and one revoked one, by two nodes; no connection stays open."""
    iam = Iam()
    kinds = [ProbeKind.ISSUE_REFRESH, ProbeKind.REVOKE_INTROSPECT]
    probes = probing(iam, kinds, share=None)
    runner = probes.open_user(lambda *_: None)
    for _ in range(2):
        assert runner.run_one()
    runner.close()
    probes.take()
    before = len(iam.sent)
    probes.audit()
    taken = probes.take()
    rows = [ProbeRow(*row) for row in taken["rows"]]
    assert Counter((row.probe, row.token, row.read_by, row.verdict) for row in rows) == {
        ("issue-refresh", "access_token", "a", "kept"): 1,
        ("issue-refresh", "access_token", "b", "kept"): 1,
        ("issue-refresh", "refresh_token", "a", "kept"): 1,
        ("issue-refresh", "refresh_token", "b", "kept"): 1,
        ("revoke-introspect", "access_token", "a", "kept"): 1,
        ("revoke-introspect", "access_token", "b", "kept"): 1,
    }
    assert taken["audit"] == {"offered": 3, "audited": 3, "expired": 0, "no_time": 0}
    assert taken["requests"] == {"introspect": len(iam.sent) - before} == {"introspect": 6}
    assert iam.open == 0


def test_a_lost_write_is_missing_at_every_node() -> None:
    """It is looked for twice, a second apart."""
    iam = Iam()
    probes = probing(iam, [ProbeKind.ISSUE_INTROSPECT], share=None)
    runner = probes.open_user(lambda *_: None)
    assert runner.run_one()
    iam.forget()
    probes.take()
    probes.audit()
    assert {(row.verdict, row.attempt) for row in rows_of(probes)} == {("missing", 2)}


def test_nothing_is_audited_where_the_iam_has_no_introspection() -> None:
    scenario = scenario_of(probes={"kinds": ["issue-refresh"]})
    bare = Endpoints("http://x/", "http://x/token")
    assert prepare_probes(scenario, [ProbeKind.ISSUE_REFRESH], bare, Path(), {}).audits == {}


def test_every_kind_of_probe_goes_through_from_end_to_end() -> None:
    """Each comes to a verdict on a deployment in which all is well."""
    iam = Iam()
    probes = probing(iam, ALL, share=None)
    runner = probes.open_user(lambda *_: None)
    for _ in ALL:
        assert runner.run_one()
    assert {(row.probe, row.verdict) for row in rows_of(probes)} == {
        *((kind.value, "fresh") for kind in ALL[:4]),
        ("double-refresh", "once"),
    }


def test_the_master_writes_the_rows_in_the_order_of_time_and_warns_of_failed_ones(tmp_path: Path) -> None:
    def row(started_us: int, verdict: str) -> list[object]:
        about = ["load", "issue-refresh", "refresh_token", "pinned", "a", "b"]
        return [1, *about, started_us, 5, 1, 9, "timeout" if verdict == "failed" else "ok", verdict]

    findings = Findings()
    findings.add(1, {"probes": {"rows": [row(30, "fresh"), row(10, "failed")], "requests": {"password": 2}}})
    findings.add(0, {"probes": {"rows": [row(20, "fresh")], "requests": {"password": 1}, "audit": {"offered": 3}}})
    findings.write(tmp_path)
    lines = (tmp_path / "probes.csv").read_text().splitlines()
    assert lines[0] == ",".join(("worker", *ProbeRow._fields))
    assert [(line.split(",")[0], line.split(",")[8]) for line in lines[1:]] == [("1", "10"), ("0", "20"), ("1", "30")]
    assert (findings.probe_requests, findings.audit) == ({"password": 3}, {"offered": 3})
    (caution,) = findings.cautions()
    assert caution.kind == "probes_failed"
    assert caution.text == "1 of 3 reads of probes came to no verdict, most often issue-refresh: timeout"
