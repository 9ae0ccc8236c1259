"""Fixtures: servers that all tests of a session share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.load import fake_iam as fake_iam_module
from tests.load.processes import FakeIam, server


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeIam]:
    """The fake token server."""
    ready = tmp_path_factory.mktemp("fake") / "ready.json"
    with server([sys.executable, str(fake_iam_module.__file__), str(ready)], ready) as told:
        yield FakeIam(told["port"])


@pytest.fixture(scope="session")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The issuer of a running built-in IAM."""
    ready = tmp_path_factory.mktemp("iam") / "ready.json"
    command = [sys.executable, "-m", "iam_loadtest.cli.iam", "--port", "0", "--ready-file", str(ready)]
    with server(command, ready) as told:
        yield told["issuer"]
