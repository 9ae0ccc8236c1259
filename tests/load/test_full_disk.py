"""A disk that refuses to take more ends a trial with its reason; master and workers never wait for ever."""

from __future__ import annotations

import pytest

from iam_loadtest.results.load_result import read_load_result
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import FakeIam, TrialProcesses

SCENARIO = """\
name: test
topologies:
  one: {provider: embedded}
load: {users: 12, spawn_rate_per_s: 12, warm_up: 0s, duration: 600s, cool_down: 0s, workers: 1}
"""
LOCUSTFILE = """\
import errno

from iam_loadtest.errors import UserError
from iam_loadtest.load import controller
from iam_loadtest.load.plugin import install_trial
from iam_loadtest.load.users import WorkloadUser
from iam_loadtest.results.sample_file import SampleWriter

FULL = {full!r}
write_progress = controller.write_progress


def refuse(directory, value):
    raise UserError(f"{{directory}}: load.json cannot be written: No space left on device")


def refuse_in_window(directory, value):
    if value.phase == "window":
        raise UserError(f"{{directory}}: progress.json cannot be written: No space left on device")
    write_progress(directory, value)


def refuse_rows(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


if "progress.json" in FULL:
    controller.write_progress = refuse_in_window
if "load.json" in FULL:
    controller.write_load_result = refuse
if "samples.parquet" in FULL:
    SampleWriter.append = refuse_rows
install_trial()
"""
CASES = {"progress": ("progress.json",), "samples": ("samples.parquet",), "all": ("progress.json", "load.json")}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, fake: FakeIam) -> dict[str, TrialProcesses]:
    """Trials of 600 s that have ended, each on a disk that takes no more of some files; they run beside each other."""
    base = tmp_path_factory.mktemp("full")
    trials: dict[str, TrialProcesses] = {}
    try:
        for name, files in CASES.items():
            locustfile = base / f"{name}.py"
            locustfile.write_text(LOCUSTFILE.format(full=files))
            trials[name] = TrialProcesses(
                base / name, fake.issuer("pace"), scenario=SCENARIO, locustfile=locustfile, is_measured=name == "all"
            )
            trials[name].start(workers=1)
        for trial in trials.values():
            for process in (trial.master, *trial.workers):
                assert process is not None
                assert process.wait(150) == 0, trial.log()
        return trials
    finally:
        for trial in trials.values():
            trial.stop()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("progress", "progress.json cannot be written: No space left on device"),
        ("samples", "the samples cannot be written: No space left on device"),
    ],
)
def test_a_file_that_cannot_be_written_fails_the_trial_and_is_its_reason(
    full: dict[str, TrialProcesses], name: str, reason: str
) -> None:
    result = read_load_result(full[name].directory)
    assert result is not None
    assert result.status is TrialStatus.FAILED
    assert reason in str(result.reason)
    assert str(full[name].directory) in str(result.reason), "it says which disk"
    assert result.counts.sent == result.counts.received > 0, "the workers finished"


def test_a_result_that_cannot_be_written_is_told_in_the_last_line_of_the_log(full: dict[str, TrialProcesses]) -> None:
    """There the runner looks where a trial left no result."""
    assert read_load_result(full["all"].directory) is None
    log = (full["all"].directory / "master.log").read_text()
    assert log.count("The end of the trial cannot be written") == 1
    assert "load.json cannot be written: No space left on device" in log.strip().splitlines()[-1]
    assert "Traceback" not in full["all"].log()
