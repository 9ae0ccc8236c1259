"""The schedule of faults without a lab: each in its time, each to its end, and what goes wrong in its record."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.lab import fault
from iam_loadtest.lab.delay_line import Direction, reshape
from iam_loadtest.lab.fault import Faults, Ground
from iam_loadtest.lab.plan import plan_of
from iam_loadtest.lab.process import Server, start
from iam_loadtest.lab.running import RunningServers, kill_rest
from iam_loadtest.lab.shape import write_shape
from iam_loadtest.results.fault import FaultOrder, take_fault_orders, write_fault_orders
from iam_loadtest.scenario.topology import LabTopology
from tests.lab.conftest import wait_until

Sleeper = Callable[[str], Server]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    """Starts a server that only waits; all of them are gone afterwards."""
    started: list[Server] = []

    def begin(name: str) -> Server:
        started.append(start(name, [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / f"{name}.log"))
        return started[-1]

    yield begin
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Its first entry is the time that faults go by."""
    now = [1000]
    monkeypatch.setattr(fault, "machine_us", lambda: now[0])
    return now


def ground(servers: RunningServers, base: Path) -> Ground:
    topology = LabTopology.model_validate({"provider": "lab", "frontends": 2})
    return Ground(topology, plan_of(topology), base, servers)


def state_of(server: Server) -> str:
    return Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_server_is_killed_when_its_time_has_come_and_that_is_no_trouble(
    sleeper: Sleeper, clock: list[int], tmp_path: Path
) -> None:
    """Not a moment before; another one that ends by itself has an obituary."""
    first, second = sleeper("frontend-1"), sleeper("frontend-2")
    servers = RunningServers([first, second])
    faults = Faults(ground(servers, tmp_path))
    faults.add([FaultOrder(0, "kill", "frontend-1", at_us=2000)])
    faults.step()
    assert first.is_alive()
    assert faults.records == ()
    assert faults.wait_s(5) == pytest.approx(0.001)
    clock[0] = 2001
    faults.step()
    assert not first.is_alive()
    (record,) = faults.records
    assert (record.target, record.started_us, record.ended_us, record.error) == ("frontend-1", 2001, None, None)
    second.process.kill()
    second.process.wait()
    assert [words.split(":")[0] for words in servers.obituaries()] == ["frontend-2 ended with exit code -9"]


def test_a_stopped_server_goes_on_after_its_time(sleeper: Sleeper, clock: list[int], tmp_path: Path) -> None:
    """For two seconds of the clock; the record says when it went on."""
    server = sleeper("frontend-1")
    faults = Faults(ground(RunningServers([server]), tmp_path))
    faults.add([FaultOrder(0, "stop", "frontend-1", at_us=1000, for_s=2.0)])
    faults.step()
    wait_until(lambda: state_of(server) == "T", "it stands still")
    clock[0] = 2_000_999
    faults.step()
    assert state_of(server) == "T"
    clock[0] = 2_001_000
    faults.step()
    wait_until(lambda: state_of(server) != "T", "it goes on")
    assert faults.records[0].ended_us == 2_001_000
    faults.step()
    assert faults.wait_s(5) == 5


def test_a_server_that_was_stopped_to_the_end_can_be_asked_to_end(
    sleeper: Sleeper, clock: list[int], tmp_path: Path
) -> None:
    """As a restart asks it, which comes after a stop without a time: who stands still hears of nothing."""
    del clock
    server = sleeper("frontend-1")
    servers = RunningServers([server])
    faults = Faults(ground(servers, tmp_path))
    faults.add([FaultOrder(0, "stop", "frontend-1", at_us=0)])
    faults.step()
    wait_until(lambda: state_of(server) == "T", "it stands still")
    servers.dismiss("frontend-1")
    wait_until(lambda: not server.is_alive(), "it has ended")


def test_what_cannot_be_done_stands_in_the_record_and_stops_nothing(
    sleeper: Sleeper, clock: list[int], tmp_path: Path
) -> None:
    """A server that was killed before, and one that there never was; the next fault comes all the same."""
    del clock
    server = sleeper("frontend-1")
    faults = Faults(ground(RunningServers([server]), tmp_path))
    kinds = [("kill", "frontend-1"), ("kill", "frontend-1"), ("restart", "database-7"), ("kill", "redis-master")]
    faults.add([FaultOrder(number, *one, at_us=0) for number, one in enumerate(kinds)])
    faults.step()
    faults.step()
    assert [record.error for record in faults.records] == [
        None,
        "frontend-1 was not running",
        "the lab has no server database-7",
        "no Redis server of the lab was the master",
    ]


def test_a_server_that_ended_can_be_started_again_in_the_same_way(sleeper: Sleeper) -> None:
    """With more arguments where that is asked for."""
    old = sleeper("frontend-1")
    servers = RunningServers([old])
    servers.kill("frontend-1")
    new = servers.known("frontend-1").again("more")
    servers.add(new)
    try:
        assert subprocess.list2cmdline(new.process.args).endswith(" more")
        assert servers.pids == {"frontend-1": new.process.pid}
    finally:
        new.process.send_signal(signal.SIGKILL)
        new.process.wait()


def test_a_server_that_does_not_run_cannot_be_hit(sleeper: Sleeper) -> None:
    servers = RunningServers([sleeper("frontend-1")])
    servers.dismiss("frontend-2")
    with pytest.raises(UserError, match="frontend-2 was not running"):
        servers.kill("frontend-2")


def test_a_program_that_a_script_started_ends_with_it(tmp_path: Path) -> None:
    """Asked to end, the whole group is asked; what does not listen is killed when its leader has ended."""
    said = tmp_path / "frontend-1.log"
    script = "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done' & wait"
    server = start("frontend-1", ["sh", "-c", script], said)
    servers = RunningServers([server])
    wait_until(lambda: said.read_text().endswith("\n"), "the program runs")
    program = Path(f"/proc/{said.read_text().strip()}/stat")
    servers.dismiss("frontend-1")
    server.process.wait(10)
    assert program.read_text().rpartition(")")[2].split()[0] != "Z"
    kill_rest(server)
    wait_until(lambda: not program.exists() or program.read_text().rpartition(")")[2].split()[0] == "Z", "it has ended")


def test_a_schedule_is_taken_once(tmp_path: Path) -> None:
    orders = [FaultOrder(0, "cut", "link", 17, for_s=1.5)]
    write_fault_orders(tmp_path, orders)
    assert take_fault_orders(tmp_path) == orders
    assert take_fault_orders(tmp_path) == []


def test_a_delay_line_reads_its_shape_again(tmp_path: Path) -> None:
    """Half of 200 ms each way, 3 ms of jitter, and 2 % lost."""
    write_shape(tmp_path / "shape", 0.1, 0.003, 0.02)
    direction = Direction(0, 1, 0.015)
    reshape(str(tmp_path / "shape"), direction)
    assert (direction.delay_s, direction.jitter_s, direction.loss) == (0.1, 0.003, 0.02)
