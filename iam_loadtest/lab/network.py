"""The lab's network: a namespace per host, a router per cluster, a link from the first to each other one."""

from __future__ import annotations

import os
import select
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from iam_loadtest.errors import UserError
from iam_loadtest.lab import delay_line, kernel
from iam_loadtest.lab.packet import open_packet_socket
from iam_loadtest.lab.plan import (
    PREFIX,
    Host,
    LabPlan,
    link_addresses,
    network_of,
    router_address,
    router_name,
)
from iam_loadtest.lab.process import Server, run, run_ip, start
from iam_loadtest.lab.program import find_program
from iam_loadtest.lab.shape import delay_line_name, shape_file, write_shape
from iam_loadtest.lab.tun import open_tun
from iam_loadtest.lab.vpn import LinkEnd, build_tunnel
from iam_loadtest.scenario.lab import LabLink

LinkKind = Literal["veth", "netem", "tun", "packet"]
_QUEUE_PACKETS = 20_000
_PROBES = 9
_PROBE_PORT = 9
_PROBE_EVERY_S = 0.02
_LONGEST_TRIP_S = 5.0
"""Over two links of the longest delay that may be asked for, and some more."""
_TRIAL_DEVICE = "on-trial"


def build_hosts(plan: LabPlan) -> None:
    """Routers and hosts of every cluster, each host with one address and a way to 10.77.0.0/16, to nowhere else.

    Without a default route a look-up of names fails at once; with one that leads nowhere it would wait for seconds.
    """
    clusters = range(1, plan.clusters + 1)
    names = [*(router_name(cluster) for cluster in clusters), *(host.name for host in plan.hosts)]
    run_ip([f"netns add {name}" for name in names])
    for cluster in clusters:
        hosts = plan.in_cluster(cluster)
        run_ip(_router_lines(cluster, hosts), router_name(cluster))
        with kernel.in_network(router_name(cluster)):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
        for host in hosts:
            run_ip(_host_lines(host), host.name)


def build_links(links: Sequence[LabLink], logs: Path) -> tuple[dict[str, str], list[Server]]:
    """The links from the first cluster to each other one: how each is made, and the processes that make it."""
    made: dict[str, str] = {}
    servers: list[Server] = []
    for cluster, link in enumerate(links, start=2):
        kind = kind_of(link)
        servers += build_link(cluster, link, kind, logs)
        made[f"1-{cluster}"] = kind
        if link.vpn == "wireguard":
            tunnel = build_tunnel_over(cluster, logs)
            made[f"1-{cluster}"] = f"{kind}+{'wireguard-go' if tunnel else 'wireguard'}"
            servers += tunnel
    return made, servers


def build_link(cluster: int, link: LabLink, kind: LinkKind, logs: Path) -> list[Server]:
    """One link, without its VPN: the processes that make it."""
    servers = []
    if kind == "tun":
        ends = [open_tun(end.router, end.device) for end in _ends(cluster)]
        servers.append(_delay_line(cluster, ends, link, logs))
    elif kind == "packet":
        servers.append(_delay_line(cluster, _cut_wire(cluster), link, logs))
    else:
        _veth_link(cluster)
    _address_link(cluster)
    if kind == "netem":
        set_netem("add", cluster, link)
    return servers


def build_tunnel_over(cluster: int, logs: Path) -> list[Server]:
    """A VPN over a link that is there: the processes that make it, none with the kernel's own."""
    return build_tunnel(cluster, _ends(cluster), logs)


def kind_of(link: LabLink) -> LinkKind:
    """The best way to make a link that works here; raises UserError where none does.

    A bare veth pair where nothing is to be delayed or lost: a delay line costs something even at 0 ms.
    """
    if not (link.rtt_s or link.jitter_s or link.loss):
        return "veth"
    for kind, works in _WAYS.items():
        if works():
            return kind
    raise UserError(
        "a link with latency, jitter or loss needs tc netem, /dev/net/tun or packet sockets, and this machine refuses"
        " all three; take links without them, or run the lab as root"
    )


def measure_rtt_s(first: Host, second: Host) -> float | None:
    """The median round trip of a small UDP packet between two hosts; None where none came back."""
    with _udp_socket(first) as near, _udp_socket(second) as far:
        trips_s = _round_trips_s(near, far, (second.address, _PROBE_PORT))
    return statistics.median(trips_s) if trips_s else None


def kernel_has_netem() -> bool:
    """Whether this kernel can delay packets itself, found out on a device made for it; call it inside the lab."""
    return find_program("tc") is not None and _can_make(
        "dummy", "tc", "qdisc", "add", "dev", _TRIAL_DEVICE, "root", "netem", "delay", "1ms"
    )


def tun_is_usable() -> bool:
    """Whether this user may make TUN devices in the lab."""
    return _opens(lambda: open_tun(None, _TRIAL_DEVICE))


def packets_are_usable() -> bool:
    """Whether this user may open packet sockets in the lab."""
    return _opens(lambda: open_packet_socket(None, "lo"))


def kernel_has_wireguard() -> bool:
    """Whether this kernel has WireGuard, found out in the same way."""
    return _can_make("wireguard")


def _can_make(kind: str, *then: str) -> bool:
    try:
        run(["ip", "link", "add", _TRIAL_DEVICE, "type", kind])
        try:
            if then:
                run(then)
        finally:
            run(["ip", "link", "del", _TRIAL_DEVICE])
    except (UserError, OSError):
        return False
    return True


def _opens(opened: Callable[[], int]) -> bool:
    try:
        os.close(opened())
    except UserError:
        return False
    return True


_WAYS: Mapping[LinkKind, Callable[[], bool]] = {
    "netem": kernel_has_netem,
    "tun": tun_is_usable,
    "packet": packets_are_usable,
}
"""How latency is made, best first."""


def _router_lines(cluster: int, hosts: Sequence[Host]) -> Iterator[str]:
    yield "link set lo up"
    yield "link add br0 type bridge forward_delay 0"
    yield f"addr add {router_address(cluster)}/24 dev br0"
    yield "link set br0 up"
    for number, host in enumerate(hosts, start=1):
        yield f"link add port{number} type veth peer name eth0 netns {host.name}"
        yield f"link set port{number} master br0 up"


def _host_lines(host: Host) -> Iterator[str]:
    yield "link set lo up"
    yield f"addr add {host.address}/24 dev eth0"
    yield "link set eth0 up"
    yield f"route add {PREFIX}.0.0/16 via {router_address(host.cluster)}"


def _ends(cluster: int) -> tuple[LinkEnd, LinkEnd]:
    """Both ends of a link; behind the first router's is one cluster, behind the other's all the rest of the lab."""
    hub, spoke = link_addresses(cluster)
    return (
        LinkEnd(router_name(1), f"wan{cluster}", hub, network_of(cluster)),
        LinkEnd(router_name(cluster), f"wan{cluster}", spoke, f"{PREFIX}.0.0/16"),
    )


def _veth_link(cluster: int) -> None:
    hub, spoke = _ends(cluster)
    run_ip([f"link add {hub.device} type veth peer name {spoke.device} netns {spoke.router}"], hub.router)


def _cut_wire(cluster: int) -> list[int]:
    """A wire that is cut in the middle, in a network of its own: a packet socket on each end there."""
    name = f"wire-{cluster}"
    hub, spoke = _ends(cluster)
    run_ip([f"netns add {name}"])
    halves = {"near": hub, "far": spoke}
    for device, end in halves.items():
        veth = f"link add {device} type veth peer name {end.device} netns {end.router}"
        run_ip([veth, f"link set {device} addrgenmode none up"], name)
    return [open_packet_socket(name, device) for device in halves]


def _delay_line(cluster: int, descriptors: Sequence[int], link: LabLink, logs: Path) -> Server:
    name, shape = delay_line_name(cluster), shape_file(logs, cluster)
    write_shape(shape, link.rtt_s / 2, link.jitter_s, link.loss)
    program = [sys.executable, "-I", "-S", delay_line.__file__, *map(str, descriptors), str(shape)]
    server = start(name, program, logs / f"{name}.log", descriptors=descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return server


def _address_link(cluster: int) -> None:
    hub, spoke = _ends(cluster)
    for own, other in ((hub, spoke), (spoke, hub)):
        lines = [
            f"addr add {own.address} peer {other.address} dev {own.device}",
            f"link set {own.device} mtu 1500 txqueuelen {_QUEUE_PACKETS} up",
            f"route add {own.behind} via {other.address} dev {own.device}",
        ]
        run_ip(lines, own.router)


def set_netem(verb: Literal["add", "change"], cluster: int, link: LabLink) -> None:
    """Let the kernel delay and lose packets at both ends of a link."""
    jitter = [f"{link.jitter_s * 1000:g}ms"] if link.jitter_s else []
    loss = ["loss", f"{link.loss * 100:g}%"] if link.loss else []
    for end in _ends(cluster):
        delay = ["delay", f"{link.rtt_s * 500:g}ms", *jitter, *loss, "limit", str(_QUEUE_PACKETS)]
        run(["tc", "-n", end.router, "qdisc", verb, "dev", end.device, "root", "netem", *delay])


def _udp_socket(host: Host) -> socket.socket:
    """A socket of a host's network; it stays in that network wherever this process goes."""
    with kernel.in_network(host.name):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind((host.address, _PROBE_PORT))
        return opened


def _round_trips_s(near: socket.socket, far: socket.socket, far_end: tuple[str, int]) -> list[float]:
    """Of the packets that came back. None waits for the one before: over a distant link that adds up to seconds."""
    sent_s: list[float] = []
    trips_s: dict[int, float] = {}
    while len(trips_s) < _PROBES:
        now_s, all_sent = time.monotonic(), len(sent_s) == _PROBES
        if not all_sent and (len(trips_s) == len(sent_s) or now_s >= sent_s[-1] + _PROBE_EVERY_S):
            near.sendto(struct.pack("!I", len(sent_s)), far_end)
            sent_s.append(now_s)
            continue
        until_s = sent_s[-1] + (_patience_s(trips_s.values()) if all_sent else _PROBE_EVERY_S)
        if now_s >= until_s:
            break
        for arrived in select.select([near, far], [], [], until_s - now_s)[0]:
            packet, sender = arrived.recvfrom(64)
            if arrived is far:
                far.sendto(packet, sender)
            else:
                number = struct.unpack("!I", packet)[0]
                trips_s[number] = time.monotonic() - sent_s[number]
    return list(trips_s.values())


def _patience_s(trips_s: Collection[float]) -> float:
    """After this a packet is taken for lost: when the slowest one has come back twice over."""
    return 2 * max(trips_s) + 0.1 if trips_s else _LONGEST_TRIP_S
