"""What only shows with many users in one process: files with large numbers, and reports that stay small."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from iam_loadtest.flow.message import Request
from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.transport import TransportSettings
from iam_loadtest.results.outcome import Outcome
from tests.load.processes import FakeIam

BEYOND_SELECT = 1024
"""Files from this number on cannot be watched with select(), which some clients do."""
MAX_REPORT_BYTES = 1_000_000
"""A message of this size holds a master up for about 10 ms; of many times that, for longer than a heartbeat."""


@pytest.fixture
def many_files() -> Iterator[None]:
    """A process that has so many files open that the next one's number is beyond what select() knows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * BEYOND_SELECT:
        pytest.skip("this machine does not allow so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * BEYOND_SELECT), hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while opened[-1] < BEYOND_SELECT:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for number in opened:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def sockets_beyond_select() -> set[str]:
    """The sockets, by their inodes, whose files have numbers that select() does not know."""
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd") if int(name) >= BEYOND_SELECT]
    return {os.readlink(link) for link in links if link.is_symlink() and os.readlink(link).startswith("socket:")}


@pytest.mark.usefixtures("many_files")
def test_a_connection_is_kept_whatever_the_number_of_its_file(fake: FakeIam) -> None:
    """One connection for five requests; a client that takes it for dead would open one for each."""
    transport = HttpTransport(Network(TransportSettings(timeout_s=10)))
    request = Request("issue", fake.issuer("ok") + "token", {}, b"grant_type=client_credentials")
    connections = []
    for _ in range(5):
        assert transport.send(request).status == 200
        connections.append(sockets_beyond_select())
    transport.close()
    assert len(connections[0]) >= 1
    assert connections == [connections[0]] * 5, "a new connection would be another socket"


def test_the_report_of_a_busy_second_is_small() -> None:
    """20,000 requests and the rows of their chains: more than one process can send."""
    recorder = Recorder()
    for number in range(20_000):
        recorder.request(number, "issue", 500, 200, Outcome.OK, "node-1")
        recorder.chain(number, 500, 200, Outcome.OK)
    assert len(recorder.take()) < MAX_REPORT_BYTES
