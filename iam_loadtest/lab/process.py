"""The servers of a lab as its supervisor starts them: in a host's network, with a log file, watched."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel
from iam_loadtest.lab.program import search_path
from iam_loadtest.oidc.redact import redact

_KEPT = (
    *("HOME", "LANG", "LC_ALL", "TMPDIR", "JAVA_HOME", "LD_LIBRARY_PATH"),
    *("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"),
)
"""Variables that servers may need; the rest may hold secrets, which are none of theirs."""
_POLL_S = 0.03
_LOG_END = 400


@dataclass(frozen=True)
class Server:
    """A running server of the lab."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    again: Callable[..., Server]
    """Starts it anew in the same way; what is given is added to its command."""

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None


def start(
    name: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    network: str | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    descriptors: Sequence[int] = (),
    executable: str | None = None,
) -> Server:
    """Start a server in a named network; it ends with the supervisor, whose namespace it is in."""

    def again(*more: str) -> Server:
        return start(
            name,
            [*command, *more],
            log,
            network=network,
            environ=environ,
            directory=directory,
            descriptors=descriptors,
            executable=executable,
        )

    try:
        with log.open("ab") as output, kernel.in_network(network) if network else nullcontext():
            process = subprocess.Popen(  # noqa: S603  the lab's own commands, never a shell
                [str(part) for part in command],
                executable=executable,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**plain_environment(), **(environ or {})},
                cwd=directory or "/",
                pass_fds=tuple(descriptors),
                start_new_session=True,
            )
    except OSError as error:
        raise UserError(f"{name}: {command[0]} cannot be started: {error.strerror}") from error
    return Server(name, process, log, again)


def plain_environment() -> dict[str, str]:
    """The supervisor's environment without what servers have no use for."""
    return {"PATH": search_path(), **{name: os.environ[name] for name in _KEPT if name in os.environ}}


def run(command: Sequence[str | Path], text: str | None = None) -> str:
    """What a helper program printed; raises UserError with its own words where it failed."""
    try:
        done = subprocess.run(  # noqa: S603  the lab's own commands, never a shell
            [str(part) for part in command],
            input=text,
            text=True,
            capture_output=True,
            env=plain_environment(),
            check=False,
        )
    except OSError as error:
        raise UserError(f"the lab could not start {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        words = _last_lines(done.stderr or done.stdout)
        raise UserError(f"the lab could not run {Path(str(command[0])).name}: {words or f'code {done.returncode}'}")
    return done.stdout


def _last_lines(text: str) -> str:
    """As many whole lines as a message has room for, as one."""
    end = text.strip()[-_LOG_END:]
    whole = end.partition("\n")[2] if len(text.strip()) > _LOG_END else ""
    return " ".join((whole or end).split())


def run_ip(lines: Iterable[str], network: str | None = None) -> None:
    """Many commands of `ip` with one process, in a named network or the supervisor's own."""
    run(["ip", *(["-n", network] if network else []), "-batch", "-"], "\n".join(lines) + "\n")


def await_all(ready: Mapping[str, Callable[[], bool]], servers: Sequence[Server], within_s: float) -> None:
    """Return when every condition has been true once; raises UserError where a server ends or time runs out."""
    deadline = time.monotonic() + within_s
    missing = dict(ready)
    while missing := {what: is_ready for what, is_ready in missing.items() if not is_ready()}:
        for server in servers:
            if not server.is_alive():
                raise UserError(
                    f"{server.name} ended with exit code {server.process.returncode} while the lab was starting:"
                    f" {last_words(server.log)}"
                )
        if time.monotonic() >= deadline:
            raise UserError(f"the lab was not ready within {within_s:.0f}s: {', '.join(missing)}")
        time.sleep(_POLL_S)


def last_words(log: Path) -> str:
    """The end of a log as one line, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4 * _LOG_END))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return "it left no log"
    return redact(" ".join(text.split())[-_LOG_END:]) or "it printed nothing"
