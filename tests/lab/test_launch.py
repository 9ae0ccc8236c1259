"""Before and after a lab: its directory is taken over whole, what is missing is said at once, how it ended is kept."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.lab import launch, program, supervisor
from iam_loadtest.lab.launch import LOCK_FILE, check_place, run_lab
from iam_loadtest.lab.program import require_parts
from iam_loadtest.lab.running import RunningServers
from iam_loadtest.lab.supervisor import UNWRITTEN, Order
from iam_loadtest.results.lab_state import LAB_STATE_FILE, LabState, read_lab_state, write_lab_state
from iam_loadtest.scenario.topology import LabTopology
from tests.lab.test_plan import topology

Isolated = Callable[[Callable[[], int], Callable[[int], None]], int]
FILE = topology(database={"kind": "sqlite"})


@pytest.fixture
def base() -> Iterator[Path]:
    """Its path is short, as a lab's has to be."""
    with tempfile.TemporaryDirectory(prefix="iam-lab-test-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(autouse=True)
def nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "find_program", lambda name: f"/usr/sbin/{name}")


def ended(
    monkeypatch: pytest.MonkeyPatch, base: Path, code: int, seen: list[str] | None = None, phase: str = "ready"
) -> None:
    """A lab whose process 1 got ready, and ended with this code."""

    def isolated(_inside: Callable[[], int], _watch: Callable[[int], None]) -> int:
        if seen is not None:
            seen.extend([(base / LOCK_FILE).read_text(encoding="utf-8"), *sorted(path.name for path in base.iterdir())])
        write_lab_state(base, LabState(phase, "http://127.0.0.1:9/"))
        return code

    monkeypatch.setattr(launch, "run_isolated", isolated)


def run(base: Path, noun: LabTopology = FILE) -> None:
    run_lab(noun, base, 0, lambda _: None)


def test_what_an_earlier_lab_left_is_gone_before_the_next_one_begins(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state, and the numbers of its processes, which may be anybody's by now."""
    (base / LOCK_FILE).write_text("4711 4712\n", encoding="utf-8")
    (base / LAB_STATE_FILE).write_text('{"version": "another"}', encoding="utf-8")
    seen: list[str] = []
    ended(monkeypatch, base, 0, seen)
    run(base)
    assert seen == ["", "lab.lock", "logs"]
    state = read_lab_state(base)
    assert state is not None
    assert state.phase == "ended"


def test_a_lab_that_was_ended_before_it_was_ready_is_no_success(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Ctrl-C or `lab down`: who waits for it must not go on as if it were there."""
    ended(monkeypatch, base, 0, phase="starting")
    with pytest.raises(KeyboardInterrupt):
        run(base)
    state = read_lab_state(base)
    assert state is not None
    assert state.phase == "ended"


def test_a_lab_whose_files_were_removed_ends(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `lab status` nor `lab down` would find it any more."""

    def removed(_inside: Callable[[], int], _watch: Callable[[int], None]) -> int:
        order = Order(FILE, base, (), "http://127.0.0.1:9/", "http://127.0.0.1:9/")
        with pytest.raises(UserError, match="its files were removed"):
            supervisor._watch(order, LabState("ready", order.issuer), RunningServers([]))
        shutil.rmtree(base)
        return UNWRITTEN

    monkeypatch.setattr(launch, "run_isolated", removed)
    with pytest.raises(UserError, match="was removed while a lab ran there, which has ended with it"):
        run(base)
    base.mkdir()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-signal.SIGKILL, "the lab was killed by SIGKILL; `dmesg` says so where memory ran out"),
        (1, "the lab ended with code 1"),
        (UNWRITTEN, "the lab could not write its state; free some space on the disk that its directory is on"),
    ],
)
def test_how_a_lab_ended_is_said_and_kept(base: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    """It does not go on being ready in its state."""
    ended(monkeypatch, base, code)
    with pytest.raises(UserError) as refused:
        run(base)
    assert str(refused.value) == f"{words}; its logs are in {base}/logs."
    state = read_lab_state(base)
    assert state is not None
    assert (state.phase, state.problem) == ("failed", words)


def test_all_that_is_missing_is_said_at_once_before_anything_is_touched(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "find_program", lambda name: None if name in {"ip", "mariadbd"} else "/bin/true")
    monkeypatch.setattr(program, "find_galera", lambda: None)
    noun = topology(frontends=2, database={"kind": "galera"})
    with pytest.raises(UserError) as refused:
        run(base, noun)
    assert str(refused.value) == (
        "the lab needs ip, mariadbd, Galera's library; install them, on Debian: "
        "apt install iproute2 mariadb-server-core galera-4"
    )
    assert list(base.iterdir()) == []


def test_drivers_are_named_with_the_extras_that_hold_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"asyncmy, .* redis; .*: pip install 'iam-loadtest\[mysql,redis\]'"):
        require_parts(topology(sessions="redis-sentinel"))


def test_debian_s_redis_is_found_by_its_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "find_program", lambda name: None if name == "redis-server" else f"/usr/bin/{name}")
    require_parts(topology(sessions="redis-sentinel"))


def test_a_link_into_run_is_no_place_for_a_lab(base: Path) -> None:
    """It is another file system inside of the lab."""
    (base / "link").symlink_to("/run/user")
    with pytest.raises(UserError, match=r"cannot use /run or /proc, .*; those of a run are made below TMPDIR"):
        check_place(base / "link" / "lab")
