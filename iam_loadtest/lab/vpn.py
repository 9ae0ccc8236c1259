"""A WireGuard tunnel over the link of two clusters: the kernel's own where it has one, else wireguard-go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab.kernel import in_network
from iam_loadtest.lab.process import Server, await_all, run, run_ip, start
from iam_loadtest.lab.program import require_program
from iam_loadtest.lab.tun import open_tun

_MTU = 1420
_PORT = 51820
_CONTROL = Path("/run/wireguard")
_READY_WITHIN_S = 10.0
_HANDSHAKE_WITHIN_S = 30.0
"""WireGuard tries a handshake that was lost again after 5 s."""
_KEEPALIVE_S = 25
"""As WireGuard's own advice has it."""


@dataclass(frozen=True)
class LinkEnd:
    """One end of a link: the router and device it is at, its address, and the network behind the other end."""

    router: str
    device: str
    address: str
    behind: str


@dataclass(frozen=True)
class _TunnelEnd:
    link: LinkEnd
    device: str
    private_key_file: Path
    public_key: str


def build_tunnel(cluster: int, ends: tuple[LinkEnd, LinkEnd], logs: Path) -> list[Server]:
    """Send what goes over a link through a tunnel in it; the processes where the kernel has no WireGuard.

    Only one end begins the handshake, and it is awaited: two that begin at once, as servers on both sides make them,
    may lose both, which costs a server that starts then 5 s or more.
    """
    wg = require_program("wg")
    names = (f"wg{cluster}a", f"wg{cluster}b")
    servers = [server for end, name in zip(ends, names, strict=True) for server in _device(end.router, name, logs)]
    sockets = {f"{name}": (_CONTROL / f"{name}.sock").exists for name in names if servers}
    await_all(sockets, servers, _READY_WITHIN_S)
    hub, spoke = (_with_keys(wg, end, name) for end, name in zip(ends, names, strict=True))
    _connect(wg, hub, spoke, _port(cluster))
    _connect(wg, spoke, hub, _port(cluster), "persistent-keepalive", str(_KEEPALIVE_S))
    handshakes = {f"the tunnel {end.device}": partial(_has_met, wg, end) for end in (hub, spoke)}
    await_all(handshakes, servers, _HANDSHAKE_WITHIN_S)
    return servers


def _port(cluster: int) -> int:
    """The first router has an end of every tunnel, each on a port of its own."""
    return _PORT + cluster


def _device(router: str, name: str, logs: Path) -> Sequence[Server]:
    try:
        run_ip([f"link add {name} type wireguard"], router)
    except UserError:
        program = require_program("wireguard-go")
        _require_tun(router, name)
        environ = {"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"}
        server_name = f"wireguard-go-{name}"
        log = logs / f"{server_name}.log"
        return [start(server_name, [program, "-f", name], log, network=router, environ=environ)]
    return []


def _require_tun(router: str, name: str) -> None:
    """Raise UserError where wireguard-go could make no device; what it says of that itself names no remedy."""
    try:
        os.close(open_tun(router, name))
    except UserError as error:
        raise UserError(f"this kernel has no WireGuard, and wireguard-go needs TUN: {error}") from error


def _with_keys(wg: str, end: LinkEnd, device: str) -> _TunnelEnd:
    private = run([wg, "genkey"])
    file = _CONTROL / f"{device}.key"
    file.touch(mode=0o600)
    file.write_text(private, encoding="ascii")
    return _TunnelEnd(end, device, file, run([wg, "pubkey"], private).strip())


def _has_met(wg: str, end: _TunnelEnd) -> bool:
    """Whether the end has shaken hands with its peer: the time of the last one is 0 until then."""
    with in_network(end.link.router):
        return int(run([wg, "show", end.device, "latest-handshakes"]).split()[-1]) > 0


def _connect(wg: str, own: _TunnelEnd, other: _TunnelEnd, port: int, *more: str) -> None:
    """Give an end its key and its peer, with ``more`` said of the peer, and send through it what is for behind it."""
    where = ("allowed-ips", own.link.behind, "endpoint", f"{other.link.address}:{port}", *more)
    peer = ("peer", other.public_key, *where)
    with in_network(own.link.router):
        run([wg, "set", own.device, "private-key", own.private_key_file, "listen-port", str(port), *peer])
    lines = [f"link set {own.device} mtu {_MTU} up", f"route replace {own.link.behind} dev {own.device}"]
    run_ip(lines, own.link.router)
