"""Start a lab and stay with it: its directory, its public socket, its supervisor, and what is left when it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab.isolation import run_isolated
from iam_loadtest.lab.supervisor import Order, supervise
from iam_loadtest.results.lab_state import LAB_STATE_FILE, LabState, read_lab_state, write_lab_state
from iam_loadtest.results.server_file import OBSERVED_FILE
from iam_loadtest.scenario.lab import DNS_NAME
from iam_loadtest.scenario.topology import LabTopology

LOCK_FILE = "lab.lock"
LOGS = "logs"
_LONGEST_PATH = 70
"""Of the directory: the path of a socket file in it may have 107 bytes."""
_HIDDEN = (Path("/run"), Path("/proc"))
"""Inside the lab other file systems stand there."""
_BACKLOG = 4096
_PORTS_TRIED = 20
"""Where any free one is wanted: one that is free on the first address may be taken on another."""
_POLL_S = 0.05


def run_lab(
    topology: LabTopology, base: Path, port: int, on_ready: Callable[[LabState], None], observe: bool = False
) -> None:
    """Build a lab in a directory, behind a port of 127.0.0.1, and stay until it has ended.

    SIGTERM and SIGINT end it. State, logs and what was observed stay in the directory, the rest of it goes. Raises
    UserError where the lab cannot be built.
    """
    with _held_directory(base) as lock, _public_sockets(topology.addresses, port) as public:
        (base / LOGS).mkdir(mode=0o700)
        order = _order_of(topology, base, public, observe)
        try:
            code = run_isolated(lambda: supervise(order), lambda pid: _await_ready(base, pid, lock, public, on_ready))
        finally:
            remove_data(base)
        _say_how_it_ended(base, code)


def _order_of(topology: LabTopology, base: Path, public: Sequence[socket.socket], observe: bool) -> Order:
    host, port = public[0].getsockname()
    path = topology.frontend.issuer_path if topology.frontend else ""
    issuer = f"http://{host if len(public) == 1 else DNS_NAME}:{port}/{path}"
    return Order(topology, base, tuple(one.fileno() for one in public), issuer, f"http://{host}:{port}/", observe)


def remove_data(base: Path) -> None:
    """Remove what a lab needs only while it runs."""
    _remove_all_but(base, LOCK_FILE, LOGS, LAB_STATE_FILE, OBSERVED_FILE)


def _say_how_it_ended(base: Path, code: int) -> None:
    state = read_lab_state(base)
    if state is None or code != 0:
        problem = state.problem if state else None
        raise UserError(f"{problem or f'the lab ended with code {code}'}; its logs are in {base / LOGS}.")
    write_lab_state(base, replace(state, phase="ended"))


def _await_ready(
    base: Path, pid: int, lock: int, public: Sequence[socket.socket], on_ready: Callable[[LabState], None]
) -> None:
    """Call ``on_ready`` when the lab is; return at once where its supervisor has ended."""
    os.pwrite(lock, f"{os.getpid()} {pid}\n".encode(), 0)
    for one in public:
        one.close()
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        state = read_lab_state(base)
        if state and state.phase == "ready":
            on_ready(state)
            return
        time.sleep(_POLL_S)


@contextmanager
def _held_directory(base: Path) -> Iterator[int]:
    """The descriptor of the lock file in a directory of one's own, cleared of what an earlier lab left."""
    _check_place(base)
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = base.lstat()
    except OSError as error:
        raise UserError(f"{base}: cannot be made ({error.strerror}); give --directory another one.") from error
    if base.is_symlink() or not base.is_dir() or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise UserError(f"{base}: is no directory of this user alone; give --directory another one.")
    if any(base.iterdir()) and not (base / LOCK_FILE).is_file():
        raise UserError(f"{base}: holds files that are no lab's; give --directory an empty or a new one.")
    lock = os.open(base / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock, base)
        _remove_all_but(base, LOCK_FILE)
        yield lock
    finally:
        os.close(lock)


def _check_place(base: Path) -> None:
    if not base.is_absolute() or len(os.fsencode(base)) > _LONGEST_PATH:
        raise UserError(
            f"{base}: a path of more than {_LONGEST_PATH} bytes is too long for socket files; give --directory a"
            " shorter one."
        )
    if any(place in (base, *base.parents) for place in _HIDDEN):
        raise UserError(f"{base}: a lab cannot use /run or /proc, which it has its own of; give --directory another.")


def _lock(lock: int, base: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(
            f"{base}: a lab is running there; end it with `iam-loadtest lab down`, or give --directory another one."
        ) from error


def _remove_all_but(base: Path, *kept: str) -> None:
    for path in base.iterdir():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _public_sockets(addresses: Sequence[str], port: int) -> Iterator[list[socket.socket]]:
    """What the balancers will serve, opened where this process is: in the machine's own network, on one port."""
    with ExitStack() as opened:
        for attempt in range(_PORTS_TRIED):
            public = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in addresses]
            try:
                _listen(public, addresses, port)
                break
            except OSError as error:
                if port or attempt == _PORTS_TRIED - 1:
                    raise UserError(
                        f"port {port} of {', '.join(addresses)} cannot be used ({error.strerror}); give another --port,"
                        " 0 for a free one."
                    ) from error
        yield public


def _listen(public: Sequence[socket.socket], addresses: Sequence[str], port: int) -> None:
    """All on the port that the first one has got."""
    for one, address in zip(public, addresses, strict=True):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        port = one.getsockname()[1]
        one.listen(_BACKLOG)
