"""``python -m iam_loadtest.lab.observer WATCHED.JSON OBSERVED.CSV``: a row per node and second, until it is ended."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import IO, TypeVar

from iam_loadtest.lab.observer.database import Database, with_lag
from iam_loadtest.lab.observer.process import ProcessWatch
from iam_loadtest.lab.observer.servers import Values, ask_balancer, ask_frontend, ask_redis, proxies_together
from iam_loadtest.results.server_file import COLUMNS, OBSERVER, Watched, read_watched
from iam_loadtest.results.trial_clock import machine_us

PERIOD_S = 1.0
PATIENCE_S = 0.7
"""A server that takes longer has no values in that second."""
_OWN = {OBSERVER: os.getpid()}
"""What watching costs is watched as well; an observer leads a session of its own."""
Told = TypeVar("Told")


class Observer:
    """Asks all servers at once, so that those of one second belong together."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._processes = ProcessWatch()
        self._databases = {
            node: Database(socket, watched.database_kind, is_replica=number > 0)
            for number, (node, socket) in enumerate(watched.databases.items())
        }

    async def look(self) -> list[tuple[object, ...]]:
        """The rows of this moment."""
        time_us, leaders = machine_us(), self._leaders()
        found: dict[str, dict[str, object]] = {node: {} for node in leaders}
        told = await asyncio.gather(self._proxies(), self._frontends(), self._redis(), self._database_values())
        for part in (*told, self._processes.look(leaders)):
            for node, values in part.items():
                found.setdefault(node, {}).update(values)
        return [
            (time_us, node, *("" if values.get(column) is None else values[column] for column in COLUMNS[2:]))
            for node, values in sorted(found.items())
        ]

    async def _proxies(self) -> dict[str, Values]:
        answers = await _answers({node: ask_balancer(path) for node, path in self._watched.balancers.items()})
        return proxies_together(list(answers.values()))

    async def _frontends(self) -> dict[str, Values]:
        asked = {
            node: ask_frontend(address, node if self._watched.has_networks else None)
            for node, address in self._watched.frontends.items()
        }
        return {node: answer or {} for node, answer in (await _answers(asked)).items()}

    async def _redis(self) -> dict[str, Values]:
        answers = await _answers({node: ask_redis(path) for node, path in self._watched.redis.items()})
        return {node: answer or {} for node, answer in answers.items()}

    async def _database_values(self) -> dict[str, Values]:
        answers = await _answers({node: one.ask() for node, one in self._databases.items()})
        for node, answer in answers.items():
            if answer is None:
                self._databases[node].forget()
        return with_lag({node: answer or {} for node, answer in answers.items()})

    def _leaders(self) -> Mapping[str, int]:
        if self._watched.state_file is None:
            return {**self._watched.processes, **_OWN}
        try:
            pids = json.loads(Path(self._watched.state_file).read_text(encoding="utf-8"))["pids"]
        except (OSError, ValueError, KeyError):
            return _OWN
        return {**{str(name): int(pid) for name, pid in pids.items()}, **_OWN}


async def _answers(asked: Mapping[str, Awaitable[Told]]) -> dict[str, Told | None]:
    answers = await asyncio.gather(*map(_answer, asked.values()))
    return dict(zip(asked, answers, strict=True))


async def _answer(asked: Awaitable[Told]) -> Told | None:
    """What was told; None where a server is gone, stands still, or says what cannot be understood."""
    try:
        return await asyncio.wait_for(asked, PATIENCE_S)
    except Exception:  # whatever a dying server or its driver does, the next second comes
        return None


async def observe(watched: Watched, output: IO[str]) -> None:
    """Write rows until cancelled, on the second; a second that was missed is left out."""
    writer = csv.writer(output)
    writer.writerow(COLUMNS)
    observer = Observer(watched)
    began_s = time.monotonic()
    while True:
        writer.writerows(await observer.look())
        output.flush()
        late_s = (time.monotonic() - began_s) % PERIOD_S
        await asyncio.sleep(PERIOD_S - late_s)


def main(arguments: list[str]) -> None:
    """Do what the module's docstring says."""
    watched = read_watched(Path(arguments[0]))
    with Path(arguments[1]).open("w", encoding="utf-8", newline="") as output:
        asyncio.run(observe(watched, output))


if __name__ == "__main__":
    main(sys.argv[1:])
