"""Every request of a process is a row until it is taken."""

import pytest

from iam_loadtest.load.recorder import MAX_BACKENDS, OTHER_BACKEND, Recorder
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import Sample, unpack


def test_rows_carry_the_time_since_the_origin() -> None:
    recorder = Recorder()
    recorder.synchronise(-1_000)
    recorder.request(5_000, "issue", 250, 200, Outcome.OK, "node-1")
    recorder.chain(4_900, 400, 200, Outcome.OK)
    rows = list(unpack(recorder.take()).rows(worker=3))
    assert rows == [
        Sample(4_000, "issue", 250, 0, 200, "ok", "node-1", 3),
        Sample(3_900, "workflow", 400, 0, 200, "ok", "", 3),
    ]


def test_taking_empties_and_the_total_stays() -> None:
    recorder = Recorder()
    for _ in range(3):
        recorder.request(0, "issue", 1, 200, Outcome.OK, "")
    assert len(unpack(recorder.take())) == 3
    assert recorder.take() == b""
    assert recorder.rows == 3


def test_without_rows_nothing_is_kept() -> None:
    recorder = Recorder(keeps_rows=False)
    recorder.request(0, "issue", 1, 200, Outcome.OK, "")
    assert (recorder.rows, recorder.take()) == (0, b"")


def test_a_header_that_names_requests_rather_than_nodes_does_not_fill_the_memory() -> None:
    recorder = Recorder()
    for number in range(3 * MAX_BACKENDS):
        recorder.request(0, "issue", 1, 200, Outcome.OK, f"request-{number}")
    backends = {row.backend for row in unpack(recorder.take()).rows()}
    assert len(backends) == MAX_BACKENDS + 1
    assert OTHER_BACKEND in backends


def test_rows_follow_a_corrected_clock_and_their_time_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """At second 100 the clock turns out to be 2 ms behind: no row jumps, and ten seconds later all are in step."""
    recorder = Recorder()
    recorder.synchronise(0)
    monkeypatch.setattr("iam_loadtest.load.recorder.now_us", lambda: 100_000_000)
    recorder.correct(2_000)
    for second in (99, 100, 105, 110, 120):
        recorder.request(second * 1_000_000, "issue", 1, 200, Outcome.OK, "")
    shifts = [row.started_us % 1_000_000 for row in unpack(recorder.take()).rows()]
    assert shifts == [0, 0, 1_000, 2_000, 2_000]
