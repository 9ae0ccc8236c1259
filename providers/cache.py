"""What is downloaded or built once and kept between runs."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The directory of this name in the cache, made by ``make`` where it is not there yet.

    It gets its name when it is complete, so half of one is never taken; two processes do not make it at once.
    """
    cache = cache_directory()
    ready = cache / name
    with _only_one_at_a_time(cache / f"{name}.lock"):
        if not ready.exists():
            unfinished = cache / f"{name}.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(ready)
    return ready


def cache_directory() -> Path:
    """``providers`` in the directory that IAM_LOADTEST_CACHE names, or in the user's cache."""
    given = os.environ.get("IAM_LOADTEST_CACHE")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iam-loadtest"
    directory = base / "providers"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


@contextmanager
def _only_one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
