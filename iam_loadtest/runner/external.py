"""Workers on other hosts: where they connect, and what starts one."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from iam_loadtest.errors import UserError
from iam_loadtest.oidc.loopback import is_loopback
from iam_loadtest.results.run import RunInfo
from iam_loadtest.scenario.lab import DNS_NAME
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.portable import proxies_of, secrets_of
from iam_loadtest.scenario.topology import UrlTopology
from iam_loadtest.scenario.worker_trust import parse_origin, urls_of

DEFAULT_PORT = 5557
EXTERNAL_WAIT_S = 300.0
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104  compared with, never bound to by itself


@dataclass(frozen=True)
class ExternalWorkers:
    """Where a master listens for workers that others start, and how long each trial waits for all of them."""

    bind: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    wait_s: float = EXTERNAL_WAIT_S

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach the port, which knows no password."""
        return not is_loopback(self.bind)

    def require_port(self) -> None:
        """Raise UserError where nobody could listen there."""
        family = socket.AF_INET6 if ":" in self.bind else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("" if self.bind == "*" else self.bind, self.port))
            except OSError as error:
                raise UserError(
                    f"--bind {self.bind} --port {self.port}: cannot be listened on: {error.strerror}; "
                    "choose an address of this machine and a port that is free."
                ) from error

    def worker_command(self, scenario: Scenario) -> str:
        """What starts a worker on another host, with the hosts and variables that the scenario asks for."""
        host = socket.gethostname() if self.bind in _EVERY_ADDRESS else self.bind
        master = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        words = ["iam-loadtest", "worker", "--master", master]
        for origin in dict.fromkeys(parse_origin(url) for url in _urls_of(scenario)):
            words += ["--target", origin]
        references = secrets_of(scenario) + proxies_of(scenario)
        for name in dict.fromkeys(reference.env for reference in references if reference.env):
            words += ["--secret-env", name]
        if any(reference.file for reference in references) or scenario.users.file:
            words += ["--secrets-directory", "DIRECTORY"]
        return shlex.join(words)


def require_same_workers(info: RunInfo, scenario: Scenario, count: int | None) -> None:
    """Raise UserError where a run would go on with workers elsewhere than it began with: trials would be unlike."""
    planned = scenario.load.workers if info.external_workers else None
    if count == planned:
        return
    if planned is None:
        raise UserError("this run began with workers on this machine; leave --workers-external out.")
    raise UserError(f"this run began with {planned} workers on other hosts; add --workers-external {planned}.")


def _urls_of(scenario: Scenario) -> Iterator[str]:
    """All that is connected to; the built-in IAM takes a free port of this machine for each trial."""
    for name, topology in scenario.topologies.items():
        target = scenario.target_of(name)
        host = DNS_NAME if DNS_NAME in target.resolve else "127.0.0.1"
        issuer = topology.issuer if isinstance(topology, UrlTopology) else f"http://{host}:*"
        yield from urls_of(target, issuer)
