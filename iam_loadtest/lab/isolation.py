"""Run a function as process 1 of namespaces of its own, so that its end is the end of everything that it made.

Processes, network namespaces, links, TUN devices and mounts made inside are seen only there. When process 1 ends, in
whatever way, the kernel kills every other process of the namespace, and with the last one the networks go too.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel

_PRIVATE = kernel.NEW_NETWORK | kernel.NEW_PROCESSES
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_REFUSED = (
    "the lab needs namespaces of its own, and this machine refuses them ({reason}); run it as root, or allow users to"
    " make them; `iam-loadtest lab doctor` says how."
)


def run_isolated(inside: Callable[[], int], watch: Callable[[int], None]) -> int:
    """The exit code of ``inside``, run as process 1 of its own namespaces; negative where a signal killed it.

    ``watch`` is called with its process id once it has begun and may block. SIGTERM, SIGINT and SIGHUP reach
    ``inside`` as a KeyboardInterrupt, which it may let pass. Call it from a process with one thread; processes that it
    starts later are born in the namespaces, too. Raises UserError where the machine refuses namespaces.
    """
    _enter_namespaces()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(tell)
        _be_first(inside, told)
    os.close(told)
    _pass_signals_on(pid)
    os.write(tell, b"!")
    try:
        watch(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(tell)


def _enter_namespaces() -> None:
    """New namespaces, as this user where it may, else as root of a user namespace of its own."""
    death = kernel.death_signal()
    try:
        kernel.unshare(_PRIVATE)
    except PermissionError:
        _become_root_of_a_user_namespace()
    except OSError as error:
        raise UserError(_REFUSED.format(reason=error.strerror)) from error
    kernel.set_death_signal(death)


def _become_root_of_a_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.unshare(_PRIVATE | kernel.NEW_USER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    except OSError as error:
        raise UserError(_REFUSED.format(reason=error.strerror)) from error


def _be_first(inside: Callable[[], int], told: int) -> None:
    """Process 1: dies with its parent, sees no mounts or processes but its own. Never returns."""
    code = 1
    try:
        for number in _PASSED_ON:
            signal.signal(number, signal.default_int_handler)
        kernel.set_death_signal(signal.SIGKILL)
        if os.read(told, 1) == b"!":  # nothing where the parent died before the line above
            os.setsid()
            _make_private()
            code = inside()
    except KeyboardInterrupt:
        code = 0
    except Exception:  # the process ends here whatever it was, and says so as any other would
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _make_private() -> None:
    """Mounts of process 1 alone: whoever watches it sees none of them, so that it can clear away what is below."""
    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.make_mounts_private()
    kernel.mount("proc", "/proc")
    kernel.mount("tmpfs", "/run")
    for directory in (kernel.NAMED_NETWORKS, Path("/run/wireguard"), Path("/run/lock")):
        directory.mkdir()


def _pass_signals_on(pid: int) -> None:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(pid, number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
