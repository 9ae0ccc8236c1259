"""What is said to be called next can be copied into a shell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iam_loadtest.cli.hint import shell_command


def program(directory: Path) -> Path:
    """Something that can be called."""
    directory.mkdir(parents=True)
    path = directory / "iam-loadtest"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_program_is_called_as_it_was_called_where_path_does_not_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a checkout, whose programs are in .venv/bin; another one of that name in PATH is not meant."""
    program(tmp_path / ".venv" / "bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/iam-loadtest", "check"])
    for path in (tmp_path / "empty", program(tmp_path / "other").parent):
        monkeypatch.setenv("PATH", str(path))
        assert shell_command("run", Path("mine.yaml")) == ".venv/bin/iam-loadtest run mine.yaml"
    monkeypatch.setenv("PATH", str(tmp_path / ".venv" / "bin"))
    assert shell_command("run", Path("mine.yaml")) == "iam-loadtest run mine.yaml"


def test_a_call_by_python_m_is_repeated_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/iam_loadtest/__main__.py"])
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert shell_command("plan", "x.yaml") == "/usr/bin/python3 -m iam_loadtest plan x.yaml"


def test_a_path_with_blanks_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert shell_command("report", Path("my reports/it's")) == """iam-loadtest report 'my reports/it'"'"'s'"""
