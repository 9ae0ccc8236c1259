"""A SQLite file of one's own, gone when the IAM ends, or, where it was killed, when the next one starts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "iam-loadtest-iam-"
_LOCK = "owner.lock"


@contextlib.contextmanager
def private_database(given: str) -> Iterator[str]:
    """The given database, or a new file in a directory that only this user can enter."""
    if given:
        yield given
        return
    _remove_abandoned()
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = _locked_file(directory)
    try:
        yield str(directory / "iam.sqlite")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _locked_file(directory: Path) -> int:
    """Locked before it has its name, so that nobody can find it unlocked."""
    unnamed = directory / f"{_LOCK}.new"
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(directory / _LOCK)
    return lock


def _remove_abandoned() -> None:
    """Directories of this user whose process was killed: nobody holds their lock."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError):
            facts = lock.parent.lstat()
            if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid():
                _remove_unless_held(lock)


def _remove_unless_held(lock: Path) -> None:
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.parent, ignore_errors=True)
