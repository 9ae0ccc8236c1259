"""The front door: help, version, wrong usage, and errors in one line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from iam_loadtest import __version__
from iam_loadtest.cli import cli
from iam_loadtest.scenario.schema import scenario_schema
from tests.cli.front_door import call

COMMANDS = cli.list_commands(click.Context(cli))


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """What one can do here, and what a pipeline may rely on."""
    called = call(capsys, "--help")
    assert called.code == 0
    assert re.findall(r"^  ([a-z][a-z-]*)  ", called.out, re.MULTILINE) == COMMANDS
    assert {"check", "plan", "run", "report", "iam", "schema"} <= set(COMMANDS)
    assert "0 done; 1 cannot do what was asked; 2 wrong usage; 3 finished" in called.out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_its_help(command: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each says what it does in a sentence, and its options each have a text."""
    called = call(capsys, command, flag)
    assert called.code == 0
    assert called.out.startswith(f"Usage: iam-loadtest {command} ")
    assert re.search(r"^  [A-Z][^.]*\.", called.out, re.MULTILINE)
    assert not re.search(r"^  --[a-z-]+( [A-Z]+)?$\n  --", called.out, re.MULTILINE), "an option without a text"


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    """One number in one place."""
    assert call(capsys, "--version").out == f"iam-loadtest, version {__version__}\n"


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the right command is a hint away."""
    called = call(capsys, "rum")
    assert called.code == 2
    assert "No such command 'rum'" in called.err


def test_python_m_is_the_same_door() -> None:
    """`python -m iam_loadtest` for those whose PATH has no scripts."""
    done = subprocess.run(
        [sys.executable, "-m", "iam_loadtest", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"iam-loadtest, version {__version__}\n"


@pytest.mark.parametrize("command", ["plan", "check", "run"])
def test_what_the_user_can_mend_is_one_line_and_exit_code_1(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, nothing on standard output."""
    called = call(capsys, command, tmp_path / "none.yaml")
    assert (called.code, called.out) == (1, "")
    assert called.err == f"{tmp_path}/none.yaml: cannot be read: No such file or directory; name a scenario file.\n"


def test_all_problems_of_a_scenario_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each."""
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad one\ntopologies: {one: {provider: cloud}}\n", encoding="utf-8")
    called = call(capsys, "plan", path)
    assert called.code == 1
    assert called.err.splitlines() == [
        f"{path}: name is 'bad one'; a name is 1 to 40 letters, digits, - and _, starting with a letter or digit.",
        f"{path}: topologies.one.provider is 'cloud'; it must be embedded, lab or url.",
    ]


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """`make schema` writes it to scenarios/."""
    assert json.loads(call(capsys, "schema").out) == scenario_schema()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run"], "name a SCENARIO, or a run with --resume."),
        (["run", "--resume", "there", "--trials", "1"], "--resume runs what the run began with"),
        (["run", "--resume", "there", "--only", "one"], "--resume runs what the run began with"),
        (
            ["run", "x.yaml", "--again", "failed"],
            "--again repeats trials of a run that there is: name it with --resume.",
        ),
        (["run", "--resume", "there", "--again", "ok"], "'ok' is not one of 'failed', 'invalid'"),
        (
            ["plan", "x.yaml", "--duration", "10 minutes"],
            "'10 minutes': must be a number of seconds, or a text such as",
        ),
        (["plan", "x.yaml", "--duration", "-5"], "'-5': must be a number of seconds"),
        (["plan", "x.yaml", "--duration", "0s"], "must be more than 0"),
        (["plan", "x.yaml", "--trials", "0"], "0 is not in the range"),
        (["plan", "x.yaml", "--workers", "1000"], "1000 is not in the range"),
        (["plan", "x.yaml", "--users", "0"], "0 is not in the range"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scenario is not even read."""
    called = call(capsys, *arguments)
    assert called.code == 2
    assert reason in " ".join(called.err.split())
