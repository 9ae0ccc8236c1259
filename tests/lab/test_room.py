"""Databases stand in memory only where that has room for them."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from iam_loadtest.lab import kernel, room
from iam_loadtest.lab.room import LEAST_BYTES, free_bytes, make_room

GIB = 1 << 30


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options of what is mounted, in place of mounting it."""
    options: list[str] = []
    monkeypatch.setattr(kernel, "mount", lambda kind, target, given: options.append(given))
    return options


def test_servers_share_half_of_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: list[str]
) -> None:
    """16 GiB free, four servers: 2 GiB each."""
    monkeypatch.setattr(room, "free_bytes", lambda: 16 * GIB)
    directories = [tmp_path / f"database-{number}" / "data" for number in range(4)]
    assert make_room(directories) == "memory"
    assert mounted == [f"size={2 * GIB},mode=0700"] * 4
    assert all(directory.is_dir() for directory in directories)


def test_where_each_would_have_too_little_they_stand_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: list[str]
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda: 2 * 2 * LEAST_BYTES - 2)
    assert make_room([tmp_path / "a", tmp_path / "b"]) == "disk"
    assert mounted == []
    assert (tmp_path / "b").is_dir()
    assert make_room([]) == "disk", "SQLite's file"


@pytest.mark.parametrize(
    ("line", "file"),
    [("0::/jobs/one", "jobs/memory.max"), ("4:memory:/jobs/one", "memory/jobs/one/memory.limit_in_bytes")],
)
def test_a_container_s_limit_counts_by_half(tmp_path: Path, line: str, file: str) -> None:
    """Its own or that of a cgroup around it; servers, frontends and the load need the rest."""
    own, root = tmp_path / "cgroup", tmp_path / "fs"
    own.write_text(f"1:cpu:/\n{line}\n", encoding="ascii")
    (root / file).parent.mkdir(parents=True)
    (root / file).write_text(f"{64 << 20}\n", encoding="ascii")
    assert free_bytes(own, root) == 32 << 20


def test_without_a_limit_it_is_what_the_machine_has_left(tmp_path: Path) -> None:
    """A cgroup without limit says max; one of version 1 says a number beyond any memory."""
    own, root = tmp_path / "cgroup", tmp_path / "fs"
    own.write_text("0::/\n4:memory:/\n", encoding="ascii")
    (root / "memory").mkdir(parents=True)
    (root / "memory.max").write_text("max\n", encoding="ascii")
    (root / "memory" / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n", encoding="ascii")
    assert 0 < free_bytes(own, root) <= psutil.virtual_memory().total
    assert free_bytes(tmp_path / "none", root) > 0
