from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.server import Browser, Iam, running_iam


@pytest.fixture(scope="session")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    """The IAM with its defaults, two workers on one SQLite file, logging its requests."""
    directory: Path = tmp_path_factory.mktemp("iam")
    database, log = directory / "iam.sqlite", directory / "requests.jsonl"
    with running_iam(directory, "--workers", "2", "--database", str(database), "--request-log", str(log)) as running:
        yield running


@pytest.fixture
def browser(iam: Iam) -> Browser:
    return Browser(iam)
