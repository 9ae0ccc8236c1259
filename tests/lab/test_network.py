"""How a round trip is measured, between two sockets of this machine."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from iam_loadtest.lab.network import _patience_s, _round_trips_s


class LosesTwo(socket.socket):
    """An end whose answers to the third and the sixth packet are lost."""

    def sendto(self, data: Any, *address: Any) -> int:
        return len(data) if data[-1] in {2, 5} else super().sendto(data, *address)


@pytest.mark.parametrize(("end", "come_back"), [(socket.socket, 9), (LosesTwo, 7)])
def test_each_packet_that_comes_back_gives_a_round_trip(end: type[socket.socket], come_back: int) -> None:
    """What is lost is waited for once, for as long as the others took, and not packet by packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near, end(socket.AF_INET, socket.SOCK_DGRAM) as far:
        near.bind(("127.0.0.1", 0))
        far.bind(("127.0.0.1", 0))
        trips_s = _round_trips_s(near, far, far.getsockname())
    assert len(trips_s) == come_back
    assert all(0 < trip_s < 5 for trip_s in trips_s)


def test_a_packet_is_lost_when_the_slowest_has_come_back_twice_over() -> None:
    assert _patience_s([0.2, 0.25]) == 0.6
    assert _patience_s([]) > 4, "two links of 2 s each"
