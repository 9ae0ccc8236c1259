"""The runner's side of faults: handed over when the window is known, and read back in the trial's time."""

from __future__ import annotations

from pathlib import Path

from iam_loadtest.results.fault import FaultRecord, take_fault_orders
from iam_loadtest.results.lab_state import LabState, write_lab_state
from iam_loadtest.results.trial import WindowMarks
from iam_loadtest.results.trial_clock import TrialClock, write_trial_clock
from iam_loadtest.runner.fault_schedule import FaultSchedule, why_failed
from iam_loadtest.scenario.fault import Fault

FAULTS = (
    Fault.model_validate({"at": "2s", "kill": "redis-master"}),
    Fault.model_validate({"at": "5s", "degrade": "link", "rtt": "200ms", "for": "1s"}),
)


def test_faults_are_handed_over_once_the_window_is_known(tmp_path: Path) -> None:
    """The origin is at 1 s of the machine's clock, the window begins 10 s later: a fault at 2 s is due at 13 s."""
    schedule = FaultSchedule(FAULTS, tmp_path, tmp_path)
    schedule.look()
    write_trial_clock(tmp_path, TrialClock(1_000_000, WindowMarks()))
    schedule.look()
    assert take_fault_orders(tmp_path) == []
    write_trial_clock(tmp_path, TrialClock(1_000_000, WindowMarks(9_000_000, 10_000_000, 20_000_000)))
    schedule.look()
    kill, degrade = take_fault_orders(tmp_path)
    assert (kill.number, kill.kind, kill.target, kill.at_us) == (0, "kill", "redis-master", 13_000_000)
    assert (degrade.at_us, degrade.for_s, degrade.rtt_s, degrade.loss) == (16_000_000, 1.0, 0.2, None)
    schedule.look()
    assert take_fault_orders(tmp_path) == []


def test_what_became_of_them_is_told_in_the_time_of_the_trial(tmp_path: Path) -> None:
    """The lab writes by the machine's clock; a fault that it never began is an error."""
    schedule = FaultSchedule(FAULTS, tmp_path, tmp_path)
    write_trial_clock(tmp_path, TrialClock(1_000_000, WindowMarks(9_000_000, 10_000_000, 20_000_000)))
    schedule.look()
    done = FaultRecord(0, "kill", "redis-master", "sessions-1", "SIGKILL to sessions-1", 13_000_100)
    write_lab_state(tmp_path, LabState("ready", "http://127.0.0.1:9/", faults=(done,)))
    first, second = schedule.records()
    assert (first.target, first.started_us, first.ended_us) == ("sessions-1", 12_000_100, None)
    assert (first.at_s, second.at_s, second.for_s, second.rtt_s) == (2.0, 5.0, 1.0, 0.2), "as the scenario asks"
    assert why_failed((first,)) is None
    assert why_failed((first, second)) == (
        "not every fault was carried out: faults.1 (degrade link): the lab did not begin it"
    )
