"""How a run is shown: plain lines, JSON lines, a live line, or only what went wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from io import StringIO

import pytest

from iam_loadtest.cli import monitor
from iam_loadtest.cli.monitor import (
    JsonMonitor,
    LastingMonitor,
    LiveMonitor,
    Monitor,
    PlainMonitor,
    QuietMonitor,
    figures,
    monitor_for,
)
from iam_loadtest.results.load_result import ENDING, Progress
from iam_loadtest.results.run import PlannedTrial
from iam_loadtest.results.trial import Trial, TrialCounts, TrialStatus

PLANNED = PlannedTrial(3, "two", "refresh", 1)
PROGRESS = Progress("window", 42.0, 20, 327.4, 80.2, 0.00125)
COUNTS = TrialCounts(sent=1200, received=1200, by_step={"issue": 600, "refresh": 300, "workflow": 300})
ENDED = Trial(
    *("003-two-refresh-t1", 3, "two", "refresh", 1, TrialStatus.OK, None),
    *("2026-11-22T15:07:00.000+00:00", "2026-11-22T15:08:00.000+00:00"),
    counts=COUNTS,
)
FAILED = replace(ENDED, status=TrialStatus.FAILED, reason="Locust left no result", counts=TrialCounts())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the monitor sees."""
    now = [100.0]
    monkeypatch.setattr(monitor.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (PROGRESS, "window 42s left, 20 users, 327 ok/s, p95 80 ms, failures 0.12 %"),
        (Progress("ramp", 2.0, 7), "ramp 2s left, 7 users"),
        (Progress("warm-up", -0.5, 20, 0.0), "warm-up 0s left, 20 users, 0 ok/s"),
        (replace(PROGRESS, failure_share=0.0), "window 42s left, 20 users, 327 ok/s, p95 80 ms, failures 0 %"),
    ],
)
def test_figures_say_what_is_known(progress: Progress, line: str) -> None:
    """What has not been measured is left out, never shown as 0."""
    assert figures(progress) == line


def show(shown: Monitor) -> None:
    """A trial from its start to its end."""
    shown.trial_started(PLANNED, 3, 6)
    shown.trial_progressed(PROGRESS)
    shown.trial_ended(ENDED)
    shown.trial_ended(FAILED)
    shown.close()


def test_plain_lines_name_the_trial_and_the_time_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Four of six trials of 30 s are left: about two minutes."""
    show(PlainMonitor(30.0))
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "[3/6] two / refresh, trial 1, about 2m left",
        "    003-two-refresh-t1 ok, 900 requests",
        "    003-two-refresh-t1 failed: Locust left no result",
    ]


def test_plain_figures_come_every_ten_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A log is not flooded: after 9.9 s nothing, after 10 s a line, then again ten seconds later."""
    shown = PlainMonitor(30.0)
    shown.trial_started(PLANNED, 1, 1)
    for now in (109.9, 110.0, 119.9, 120.1):
        clock[0] = now
        shown.trial_progressed(replace(PROGRESS, phase_left_s=130 - now))
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split(",")[0].strip() for line in lines] == ["window 20s left", "window 9.9s left"]


def test_that_a_trial_is_being_ended_is_said_at_once(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is heard, although the end of the load takes its time: nobody has to press it again."""
    shown = PlainMonitor(30.0)
    shown.trial_started(PLANNED, 1, 1)
    shown.trial_progressed(Progress(ENDING, 0.0, 20))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "    interrupted: ending the trial and saving what there is, which can take half a minute"
    ]


def test_json_lines_are_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is an object with its event and every field."""
    show(JsonMonitor())
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["trial_started", "progress", "trial_ended", "trial_ended"]
    assert events[0] | {"number": 3, "total": 6, "id": "003-two-refresh-t1", "workload": "refresh"} == events[0]
    assert events[1] | {"phase": "window", "users": 20, "p95_ms": 80.2, "failure_share": 0.00125} == events[1]
    assert events[2]["status"] == "ok"
    assert events[3]["reason"] == "Locust left no result"


def test_quiet_says_only_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, so that the output stays empty."""
    show(QuietMonitor())
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "003-two-refresh-t1 failed: Locust left no result\n")


def test_a_live_line_is_replaced_and_ended_trials_stay(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    """On a terminal; the lines of ended trials can be read afterwards."""
    terminal = StringIO()
    console = monitor.Console(file=terminal, force_terminal=True, width=100)
    monkeypatch.setattr(monitor, "Console", lambda: console)
    show(LiveMonitor(30.0))
    written = terminal.getvalue()
    assert "[3/6] two / refresh" in written
    assert "003-two-refresh-t1 ok, 900 requests" in written
    assert "003-two-refresh-t1 failed: Locust left no result" in written


@pytest.mark.parametrize(
    ("quiet", "json_log", "terminal", "kind"),
    [
        (False, False, False, PlainMonitor),
        (False, False, True, LiveMonitor),
        (True, False, True, QuietMonitor),
        (False, True, True, JsonMonitor),
        (True, True, False, JsonMonitor),
    ],
)
def test_the_monitor_fits_options_and_terminal(
    quiet: bool, json_log: bool, terminal: bool, kind: type[Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON wins over quiet; a live line only where there is a terminal."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "xterm")
    shown = monitor_for(quiet, json_log, 30.0)
    shown.close()
    assert isinstance(shown, LastingMonitor)
    assert type(shown.shown) is kind


def test_a_terminal_that_cannot_replace_a_line_has_plain_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an editor's shell, where a live line would show nothing at all."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    shown = monitor_for(False, False, 30.0)
    assert isinstance(shown, LastingMonitor)
    assert type(shown.shown) is PlainMonitor


@pytest.mark.usefixtures("unmeasured")
def test_a_run_outlives_whoever_reads_what_it_says() -> None:
    """The reader of a pipe is gone, as a terminal may be: nothing is raised, and what else is said goes nowhere."""
    code = """
import sys
from iam_loadtest.cli.monitor import monitor_for
from iam_loadtest.results.run import PlannedTrial
sys.stdin.readline()
shown = monitor_for(False, False, 30.0)
for number in (1, 2):
    shown.trial_started(PlannedTrial(number, "one", "access", number), number, 2)
print("to nobody", flush=True)
sys.stderr.write("went on")
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, stderr=-1, text=True)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate("begin\n", timeout=60)
    assert (process.returncode, err) == (0, "went on")
