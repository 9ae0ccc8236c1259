"""Call the command line as a user does, in this process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from iam_loadtest.cli import main


@dataclass(frozen=True)
class Called:
    """What a call came to."""

    code: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> Called:
    """Exit code, standard output and standard error of a call."""
    capsys.readouterr()
    code: object = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    assert code is None or isinstance(code, int)
    return Called(code or 0, said.out, said.err)
