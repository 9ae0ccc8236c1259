"""What a killed IAM left behind goes when the next one starts; what others put there stays."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from iam_loadtest.embedded.private_database import private_database


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files of this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(directory: Path) -> Path:
    directory.mkdir()
    (directory / "owner.lock").touch()
    return directory


def test_a_database_is_this_user_s_alone_and_goes_with_its_iam(temporary: Path) -> None:
    abandoned = left(temporary / "iam-loadtest-iam-killed")
    with private_database("") as path:
        assert Path(path).parent.stat().st_mode & 0o777 == 0o700
        assert not abandoned.exists()
    assert list(temporary.iterdir()) == []


def test_a_link_is_not_followed(temporary: Path) -> None:
    elsewhere = left(temporary / "elsewhere")
    (temporary / "iam-loadtest-iam-link").symlink_to(elsewhere)
    with private_database(""):
        assert (elsewhere / "owner.lock").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_a_directory_of_another_user_stays(temporary: Path) -> None:
    foreign = left(temporary / "iam-loadtest-iam-foreign")
    os.chown(foreign, 65534, 65534)
    with private_database(""):
        assert foreign.exists()
