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
    "the lab needs namespaces of its own, and this machine refuses them ({reason}); run it as root, outside of a"
    " container, or allow users to make them; `iam-loadtest lab doctor` says how."
)
_NO_MOUNTS = 71
"""Exit code of process 1 (EX_OSERR of sysexits)."""
_NO_MOUNTS_IN_WORDS = (
    "the lab has namespaces of its own, but may mount no /proc and /run in them, as in most containers;"
    " run it outside of the container, or in one that is started with --privileged."
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
    except BaseException:  # nobody is left to watch it; it is raised again
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(tell)
        _pass_signals_on(None)
    if code == _NO_MOUNTS:
        raise UserError(_NO_MOUNTS_IN_WORDS)
    return code


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
            code = inside() if _has_private_mounts() else _NO_MOUNTS
    except KeyboardInterrupt:
        code = 0
    except Exception:  # the process ends here whatever it was, and says so as any other would
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _has_private_mounts() -> bool:
    """Make mounts of process 1 alone: whoever watches it sees none of them, and can clear away what is below.

    False where the machine refuses, as most containers do.
    """
    try:
        kernel.unshare(kernel.NEW_MOUNTS)
        kernel.make_mounts_private()
        kernel.mount("proc", "/proc")
        kernel.mount("tmpfs", "/run")
        for directory in (kernel.NAMED_NETWORKS, Path("/run/wireguard"), Path("/run/lock")):
            directory.mkdir()
    except OSError:
        return False
    return True


def _pass_signals_on(pid: int | None) -> None:
    """To the process; to nobody where it has ended, so that a second Ctrl-C does not break off the clearing up."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if pid is not None:
            os.kill(pid, number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
