"""Start a lab and stay with it: its directory, its public socket, its supervisor, and what is left when it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from stat import S_ISDIR

from iam_loadtest.errors import UserError
from iam_loadtest.lab.isolation import run_isolated
from iam_loadtest.lab.program import require_parts
from iam_loadtest.lab.supervisor import UNWRITTEN, Order, supervise
from iam_loadtest.results.lab_state import LAB_STATE_FILE, LabState, read_lab_state, write_lab_state
from iam_loadtest.results.server_file import OBSERVED_FILE
from iam_loadtest.scenario.lab import DNS_NAME
from iam_loadtest.scenario.topology import LabTopology

LOCK_FILE = "lab.lock"
LOGS = "logs"
_LONGEST_PATH = 70
"""Of the directory: the path of a socket file in it may have 107 bytes."""
_ELSEWHERE = "give --directory another one; those of a run are made below TMPDIR, such as /tmp or /var/tmp"
_HIDDEN = (Path("/run"), Path("/proc"))
"""Inside the lab other file systems stand there."""
_BACKLOG = 4096
_PORTS_TRIED = 20
"""Where any free one is wanted: one that is free on the first address may be taken on another."""
_POLL_S = 0.05
_LOOKED_AT_S = 0.3


def run_lab(
    topology: LabTopology, base: Path, port: int, on_ready: Callable[[LabState], None], observe: bool = False
) -> None:
    """Build a lab in a directory, behind a port of 127.0.0.1, and stay until it has ended.

    SIGTERM and SIGINT end it, by a KeyboardInterrupt where it was not ready yet. State, logs and what was observed stay
    in the directory, the rest of it goes. Raises UserError where the lab cannot be built.
    """
    require_parts(topology)
    with _held_directory(base) as lock, _public_sockets(topology.addresses, port) as public:
        _make_logs(base)
        order = _order_of(topology, base, public, observe)
        try:
            code = run_isolated(lambda: supervise(order), lambda pid: _await_ready(base, pid, lock, public, on_ready))
        finally:
            remove_data(base)
        _say_how_it_ended(base, code)


def _make_logs(base: Path) -> None:
    try:
        (base / LOGS).mkdir(mode=0o700)
    except OSError as error:
        raise UserError(f"{base / LOGS}: cannot be made ({error.strerror}); free some space there.") from error


def _order_of(topology: LabTopology, base: Path, public: Sequence[socket.socket], observe: bool) -> Order:
    host, port = public[0].getsockname()
    path = topology.frontend.issuer_path if topology.frontend else ""
    issuer = f"http://{host if len(public) == 1 else DNS_NAME}:{port}/{path}"
    return Order(topology, base, tuple(one.fileno() for one in public), issuer, f"http://{host}:{port}/", observe)


def remove_data(base: Path) -> None:
    """Remove what a lab needs only while it runs."""
    if base.is_dir():
        _remove_all_but(base, LOCK_FILE, LOGS, LAB_STATE_FILE, OBSERVED_FILE)


def _say_how_it_ended(base: Path, code: int) -> None:
    if not base.is_dir():
        raise UserError(f"{base}: was removed while a lab ran there, which has ended with it.")
    state = read_lab_state(base)
    if state is not None and code == 0:
        write_lab_state(base, replace(state, phase="ended"))
        if state.phase == "starting":
            raise KeyboardInterrupt
        return
    problem = (state.problem if state else None) or _end_in_words(code)
    if state is not None:
        with suppress(UserError):  # a full disk may be what ended it
            write_lab_state(base, replace(state, phase="failed", problem=problem))
    raise UserError(f"{problem}; its logs are in {base / LOGS}.")


def _end_in_words(code: int) -> str:
    """A signal that nobody sent by hand is most often the kernel's, which ends processes where memory is short."""
    if code == UNWRITTEN:
        return "the lab could not write its state; free some space on the disk that its directory is on"
    if code >= 0:
        return f"the lab ended with code {code}"
    return f"the lab was killed by {signal.Signals(-code).name}; `dmesg` says so where memory ran out"


def _await_ready(
    base: Path, pid: int, lock: int, public: Sequence[socket.socket], on_ready: Callable[[LabState], None]
) -> None:
    """Call ``on_ready`` when the lab is; return at once where its supervisor has ended."""
    try:
        os.pwrite(lock, f"{os.getpid()} {pid}\n".encode(), 0)
    except OSError as error:
        raise UserError(f"{base / LOCK_FILE}: cannot be written ({error.strerror}); free some space there.") from error
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
    check_place(base)
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{base}: cannot be made ({error.strerror}); give --directory another one.") from error
    require_own(base)
    if any(base.iterdir()) and not (base / LOCK_FILE).is_file():
        raise UserError(f"{base}: holds files that are no lab's; give --directory an empty or a new one.")
    try:
        lock = os.open(base / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UserError(f"{base / LOCK_FILE}: cannot be made ({error.strerror}); free some space there.") from error
    try:
        _lock(lock, base)
        os.ftruncate(lock, 0)
        _remove_all_but(base, LOCK_FILE)
        yield lock
    finally:
        os.close(lock)


def require_own(base: Path) -> None:
    """Raise UserError where others can write what stands there: process ids, and files to be removed.

    The default is below a directory that everybody may write to: whoever comes first could have made it.
    """
    facts = base.lstat()
    if not S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise UserError(f"{base}: is no directory of this user alone; give --directory another one.")


def check_place(base: Path) -> None:
    """Raise UserError where no lab can have its directory, whoever may write there."""
    if not base.is_absolute() or len(os.fsencode(base)) > _LONGEST_PATH:
        raise UserError(f"{base}: a path over {_LONGEST_PATH} bytes is too long for socket files; {_ELSEWHERE}.")
    place = base.resolve()
    if any(hidden in (place, *place.parents) for hidden in _HIDDEN):
        raise UserError(f"{base}: a lab cannot use /run or /proc, which it has its own of; {_ELSEWHERE}.")


def _lock(lock: int, base: Path) -> None:
    """Take the lock; whoever only looks whether a lab is running there has it for a moment, too."""
    deadline = time.monotonic() + _LOOKED_AT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise UserError(
                    f"{base}: a lab is running there; end it with `iam-loadtest lab down`, or give --directory"
                    " another one."
                ) from error
        time.sleep(_POLL_S)


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
