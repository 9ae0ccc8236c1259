"""Stale reads are followed up outside the samples, within limits, and what became of each is known."""

from __future__ import annotations

import csv
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs
from uuid import uuid4

import gevent
import pytest

from iam_loadtest.flow.classify import classifier_for
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.findings import Findings
from iam_loadtest.load.stale_read import MAX_AT_ONCE, SCHEDULE_MS, StaleReads
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import TrialProcesses
from tests.runner.servers import document

JUDGE = classifier_for("indigo-iam").judge
STALE = Response(401, b'{"error": "invalid_token", "error_description": "x was not found"}', "node-2")
GOOD = Response(200, b'{"access_token": "a", "token_type": "Bearer"}', "node-1")
BROKEN = Response(500, b'{"error": "server_error"}')
REFRESH = Request("refresh", "http://x/t", {}, b"refresh_token=r", "POST", "refresh_token")
QUICK = (1, 2, 3, 4)
TRIES = 2
TIMER_US = 5_000
"""A timer of the event loop may end this much before its time, where the loop was busy when it was set."""


class Node:
    """Gives the answers in turn, the last one for ever."""

    def __init__(self, *answers: Response) -> None:
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        self.sent: list[Request] = []
        self.closed = 0

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return next(self._answers)

    def close(self) -> None:
        self.closed += 1


def following(node: Node, max_begun: int = 1000, schedule_ms: tuple[int, ...] = QUICK) -> StaleReads:
    return StaleReads(lambda: node, lambda local_us: local_us, max_begun, schedule_ms)


def await_that(is_so: Callable[[], object]) -> None:
    with gevent.Timeout(60):
        while not is_so():
            gevent.sleep(0.001)


def notice(stale_reads: StaleReads, times: int = 1) -> int:
    sent_us = now_us()
    for _ in range(times):
        stale_reads.notice(REFRESH, sent_us, STALE, JUDGE)
    return sent_us


@pytest.mark.parametrize(
    ("answers", "result", "tries", "accepted_by"),
    [
        ([GOOD], "accepted", 1, "node-1"),
        ([STALE, STALE, GOOD], "accepted", 3, "node-1"),
        ([STALE], "still_refused", 4, ""),
        ([STALE, BROKEN, GOOD], "server_error", 2, ""),
        ([Response(0, failure=Outcome.TIMEOUT, detail="late")], "timeout", 1, ""),
    ],
)
def test_a_refusal_is_tried_again_until_it_is_something_else(
    answers: list[Response], result: str, tries: int, accepted_by: str
) -> None:
    node = Node(*answers)
    stale_reads = following(node)
    sent_us = notice(stale_reads)
    await_that(lambda: node.closed)
    taken = stale_reads.take()
    (row,) = taken["ended"]
    started_us, step, refused_by, by, visible_after_us, tried, ended = row
    assert (started_us, step, refused_by) == (sent_us, "refresh", "node-2")
    assert (by, tried, ended) == (accepted_by, tries, result)
    assert (visible_after_us is not None) == (result == "accepted")
    assert visible_after_us is None or visible_after_us >= QUICK[tries - 1] * 1000 - TIMER_US
    assert taken["tries"] == {"refresh": tries}
    assert node.sent == [REFRESH] * tries
    assert node.closed == 1
    assert stale_reads.take() == {}


def test_no_more_are_followed_than_the_limits_allow() -> None:
    node = Node(STALE)
    at_once = following(node, schedule_ms=(10_000,))
    notice(at_once, MAX_AT_ONCE + 5)
    assert at_once.take() == {"ended": [], "tries": {}, "not_followed": 5}
    at_once.close()
    in_all = following(node, max_begun=3)
    notice(in_all, 4)
    assert in_all.take()["not_followed"] == 1
    in_all.close()


def test_the_end_of_the_test_cuts_off_what_is_under_way_and_says_so() -> None:
    node = Node(STALE)
    stale_reads = following(node, schedule_ms=(1, 60_000))
    notice(stale_reads)
    await_that(lambda: node.sent)
    stale_reads.close()
    taken = stale_reads.take()
    assert [(row[5], row[6]) for row in taken["ended"]] == [(1, "cut_off")]
    assert taken["tries"] == {"refresh": 1}


def test_the_schedule_ends_after_two_seconds() -> None:
    assert SCHEDULE_MS[-1] == 2000
    assert list(SCHEDULE_MS) == sorted(SCHEDULE_MS)


def test_findings_count_what_became_of_them_and_keep_each(tmp_path: Path) -> None:
    found = Findings()
    rows = [
        [20, "refresh", "b", "a", 100_000, 5, "accepted"],
        [10, "refresh", "b", "", None, 9, "still_refused"],
        [30, "exchange", "b", "", None, 2, "cut_off"],
    ]
    found.add(1, {"stale_reads": {"ended": rows, "tries": {"refresh": 14, "exchange": 2}, "not_followed": 4}})
    found.add(0, {"samples": b""})
    assert found.stale_reads == {"confirmed": 1, "unconfirmed": 1, "otherwise": 1, "not_followed": 4}
    assert found.tries == {"refresh": 14, "exchange": 2}
    found.write(tmp_path)
    with (tmp_path / "stale_reads.csv").open() as file:
        kept = list(csv.DictReader(file))
    assert [row["started_us"] for row in kept] == ["10", "20", "30"]
    assert kept[0] == {
        "worker": "1",
        "started_us": "10",
        "step": "refresh",
        "refused_by": "b",
        "accepted_by": "",
        "visible_after_us": "",
        "tries": "9",
        "result": "still_refused",
    }


def test_there_is_no_file_where_nothing_was_stale(tmp_path: Path) -> None:
    Findings().write(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert Findings().stale_reads == {}


class Lagging(BaseHTTPRequestHandler):
    """An IAM that knows a refresh token from its third presentation on; it counts what it answers."""

    answered: ClassVar[Counter[str]] = Counter()
    presented: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()

    def do_GET(self) -> None:
        host = f"http://{self.headers['Host']}/"
        document({"issuer": host, "token_endpoint": f"{host}token"})(self)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        token = form.get("refresh_token", [""])[0]
        with self.lock:
            self.answered[form["grant_type"][0]] += 1
            self.presented[token] += 1
            is_known = not token or self.presented[token] > TRIES
        if not is_known:
            document({"error": "invalid_token", "error_description": "Refresh token was not found"}, 401)(self)
        else:
            document({"access_token": "opaque", "refresh_token": uuid4().hex, "token_type": "Bearer"})(self)

    def log_message(self, *_: object) -> None:
        """Nothing: its counts are what is read."""


LAGGING = """\
name: test
topologies:
  one: {provider: embedded}
load: {users: 4, spawn_rate_per_s: 12, warm_up: 0s, duration: 1500ms, cool_down: 2500ms, think_time: 200ms, workers: 1}
"""


def test_a_trial_confirms_its_stale_reads_and_every_request_that_the_iam_counted_is_accounted_for(
    tmp_path: Path,
) -> None:
    """A token is known from its third presentation on: its sample is stale, its second try accepted, and in none."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Lagging) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        issuer = f"http://127.0.0.1:{server.server_port}/"
        trial = TrialProcesses(tmp_path, issuer, "refresh", scenario=LAGGING, users=4)
        try:
            result = trial.start(workers=1).await_result()
        finally:
            trial.stop()
            server.shutdown()
    counts = result.counts
    assert result.status is TrialStatus.FAILED, "no chain came to its end"
    assert counts.stale_reads["confirmed"] > 0
    assert counts.stale_reads["unconfirmed"] == 0
    assert counts.by_step["refresh"] + counts.tries["refresh"] == Lagging.answered["refresh_token"]
    assert counts.by_step["issue"] == Lagging.answered["password"]
    outcomes = read_samples(tmp_path / "samples.parquet").to_pydict()
    refreshed = {o for s, o in zip(outcomes["step"], outcomes["outcome"], strict=True) if s == "refresh"}
    assert refreshed == {"stale_read"}, "what was tried again is in no sample"
    with (tmp_path / "stale_reads.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(counts.stale_reads.values()) - counts.stale_reads["not_followed"]
    for row in rows:
        if row["result"] == "accepted":
            assert int(row["tries"]) == TRIES
            due_us = SCHEDULE_MS[TRIES - 1] * 1000
            assert int(row["visible_after_us"]) >= due_us - TIMER_US
    assert json.loads((tmp_path / "load.json").read_text())["counts"]["stale_reads"] == counts.stale_reads
