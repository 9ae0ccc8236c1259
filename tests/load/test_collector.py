"""What the master gathers."""

import csv
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.load.collector import FIRST_CHAINS, MAX_FAILURE_TEXTS, Collector, refuse_to_overwrite
from iam_loadtest.load.health import HealthRow
from iam_loadtest.results.sample import SampleBuffer
from iam_loadtest.results.sample_file import ROW_GROUP_ROWS, read_samples
from iam_loadtest.results.trial import WindowMarks


def packed(*rows: tuple[int, str, str]) -> bytes:
    """Rows of start, step and outcome."""
    buffer = SampleBuffer()
    for started_us, step, outcome in rows:
        buffer.append(started_us, step, 100, 0, 200, outcome, "")
    return buffer.pack()


def test_rows_of_all_workers_end_in_one_file_that_appears_when_it_is_complete(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    collector.add(0, {"samples": packed((1, "issue", "ok"), (1, "workflow", "ok"))}, 10)
    collector.add(1, {"samples": packed((2, "issue", "timeout"))}, 20)
    assert not (tmp_path / "samples.parquet").exists()
    collector.close()
    table = read_samples(tmp_path / "samples.parquet")
    assert table["worker"].to_pylist() == [0, 0, 1]
    assert table["outcome"].to_pylist() == ["ok", "ok", "timeout"]
    assert (collector.rows, collector.rows_by_step) == (3, {"issue": 2, "workflow": 1})
    assert collector.first_chains == ["ok"]
    collector.close()


def test_the_first_chains_are_kept_in_the_order_of_their_arrival_and_no_more_of_them() -> None:
    collector = Collector(None)
    refused, good = (
        packed(*[(1, "workflow", "refused")] * (FIRST_CHAINS - 2)),
        packed((2, "issue", "ok"), (2, "workflow", "ok")),
    )
    for worker, block in enumerate((refused, good, refused)):
        collector.add(worker, {"samples": block}, 10)
    assert collector.first_chains == ["refused"] * (FIRST_CHAINS - 2) + ["ok", "refused"]


def test_health_is_written_in_order_of_time(tmp_path: Path) -> None:
    collector = Collector(tmp_path)
    for worker, time_s in ((1, 2.0), (0, 1.0)):
        collector.add(worker, {"health": [HealthRow(time_s, worker, 5.0, 3, (2,)).to_message()]}, 10)
    collector.close()
    with (tmp_path / "generator.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["time_s"], row["worker"], row["users"]) for row in rows] == [("1.00", "0", "3"), ("2.00", "1", "3")]


def test_failures_of_workers_are_added() -> None:
    collector = Collector(None)
    collector.add(0, {"failures": {"a": 1}}, 1)
    collector.add(1, {"failures": {"a": 2, "b": 1}}, 1)
    assert collector.failures == {"a": 3, "b": 1}


@pytest.mark.parametrize(
    ("row", "is_success"),
    [
        ((99, "workflow", "ok"), False),
        ((100, "workflow", "ok"), True),
        ((199, "workflow", "ok"), True),
        ((200, "workflow", "ok"), False),
        ((150, "issue", "ok"), False),
        ((150, "workflow", "refused"), False),
    ],
)
def test_a_success_is_a_whole_chain_that_starts_in_the_window(row: tuple[int, str, str], is_success: bool) -> None:
    collector = Collector(None)
    collector.window = WindowMarks(0, 100, 200)
    collector.add(0, {"samples": packed((150, "issue", "ok"), row)}, 300)
    assert collector.has_success_in_window is is_success


def test_recent_figures_are_those_of_the_last_five_seconds() -> None:
    """In second n, n requests arrive."""
    collector = Collector(None)
    for second in range(1, 9):
        collector.add(0, {"samples": packed(*[(0, "issue", "ok")] * second)}, second * 1_000_000)
    assert [tally.requests for tally in collector.recent(8_000_000)] == [3, 4, 5, 6, 7, 8]


def test_what_is_kept_in_memory_does_not_grow_with_the_length_of_a_trial(tmp_path: Path) -> None:
    """However many blocks arrive, at most one row group waits, and the figures of five seconds."""
    collector = Collector(tmp_path)
    block = packed(*[(0, "issue", "ok"), (0, "workflow", "ok")] * 5_000)
    for second in range(40):
        collector.add(0, {"samples": block}, second * 1_000_000)
        assert collector.waiting_rows < ROW_GROUP_ROWS
        assert len(collector.recent(second * 1_000_000)) <= 6
    collector.close()
    assert collector.rows == read_samples(tmp_path / "samples.parquet").num_rows == 400_000


@pytest.mark.parametrize("name", ["samples.parquet", "load.json"])
def test_results_of_another_test_are_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"already holds {name} of another test; name another directory"):
        refuse_to_overwrite(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/below: cannot be made"):
        refuse_to_overwrite(tmp_path / "file" / "below")


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    refuse_to_overwrite(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_failure_s_text_of_another_host_is_fit_to_be_shown_and_there_are_few() -> None:
    """The port of a master knows no password."""
    collector = Collector(None)
    collector.add(0, {"failures": {"refused: \x1b]0;owned\x07 Bearer abcdef0123456789": 2}}, 10)
    assert collector.failures == {"refused: ]0;owned Bearer <secret>": 2}
    collector.add(0, {"failures": {f"text {number}": 1 for number in range(2 * MAX_FAILURE_TEXTS)}}, 20)
    assert len(collector.failures) == MAX_FAILURE_TEXTS + 1
    assert collector.failures.total() == 2 + 2 * MAX_FAILURE_TEXTS
