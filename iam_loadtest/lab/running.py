"""The servers of a lab that run, by name, and whose end was asked for: such an end is no trouble."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress

from iam_loadtest.errors import UserError
from iam_loadtest.lab.process import Server, last_words

_END_S = 5.0


class RunningServers:
    """Every server by its name; one that has ended is left out from the next look on."""

    def __init__(self, servers: Iterable[Server]) -> None:
        self._servers = {server.name: server for server in servers}
        self._gone: dict[str, Server] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of those that run."""
        return {name: server.process.pid for name, server in self._servers.items()}

    def obituaries(self) -> list[str]:
        """In words, which have ended by themselves since the last look."""
        ended = [server for server in self._servers.values() if not server.is_alive()]
        for server in ended:
            self._gone[server.name] = self._servers.pop(server.name)
        return [
            f"{server.name} ended with exit code {server.process.returncode}: {last_words(server.log)}"
            for server in ended
        ]

    def running(self, name: str) -> Server:
        """A server that runs; raises UserError where it does not."""
        server = self._servers.get(name)
        if server is None or not server.is_alive():
            raise UserError(f"{name} was not running")
        return server

    def known(self, name: str) -> Server:
        """A server whether it runs or was ended; raises UserError where there never was one."""
        server = self._servers.get(name) or self._gone.get(name)
        if server is None:
            raise UserError(f"the lab has no server {name}")
        return server

    def add(self, server: Server) -> None:
        """Take in a server that was started again."""
        self._servers[server.name] = server

    def kill(self, name: str) -> None:
        """End a server and every process below it at once."""
        server = self.running(name)
        self._gone[name] = self._servers.pop(name)
        signal_group(server, signal.SIGKILL)
        try:
            server.process.wait(_END_S)
        except subprocess.TimeoutExpired as error:
            raise UserError(f"{name} did not end within {_END_S:.0f}s of SIGKILL") from error

    def dismiss(self, name: str) -> None:
        """Ask a server and every process below it to end, whose end is then no trouble; nothing where none runs.

        One that a fault stopped goes on for it: it would not hear otherwise.
        """
        server = self._servers.pop(name, None)
        if server is not None:
            self._gone[name] = server
            with suppress(UserError):  # it has just ended by itself
                signal_group(server, signal.SIGTERM)
                signal_group(server, signal.SIGCONT)


def kill_rest(server: Server) -> None:
    """Kill what a server that has ended left running: a script's program may outlive the script."""
    with suppress(UserError):  # nothing was left
        signal_group(server, signal.SIGKILL)


def signal_group(server: Server, number: int) -> None:
    """Send a signal to a server and every process below it; each server leads a group of its own."""
    try:
        os.killpg(server.process.pid, number)
    except ProcessLookupError as error:
        raise UserError(f"{server.name} had ended already") from error
