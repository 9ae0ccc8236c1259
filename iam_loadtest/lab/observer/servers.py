"""What balancers, frontends and Redis say of themselves, as columns of server.csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence

from iam_loadtest.lab.observer.ask import ask_address, ask_file
from iam_loadtest.results.server_file import IAM_COLUMNS, PROXY_COLUMNS, REDIS_COLUMNS

Values = Mapping[str, object]
_SAMPLE = re.compile(r"^(iam_\w+)(?:\{(.*)\})? (\d+)$", re.MULTILINE)
_METRICS = b"GET /metrics HTTP/1.1\r\nHost: observer\r\nConnection: close\r\n\r\n"
_NOT_SERVERS = frozenset({"FRONTEND", "BACKEND"})


async def ask_balancer(path: str) -> dict[str, Values]:
    """What HAProxy counted for each frontend."""
    return proxy_values(await ask_file(path, b"show stat\n"))


def proxy_values(text: str) -> dict[str, Values]:
    """The columns of each server in HAProxy's `show stat`."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    return {
        row["svname"]: {column: row.get(name, "") for column, name in PROXY_COLUMNS.items()}
        for row in rows
        if row.get("svname") and row["svname"] not in _NOT_SERVERS
    }


def proxies_together(told: Sequence[Mapping[str, Values] | None]) -> dict[str, Values]:
    """What several balancers counted for each frontend: numbers added up, states side by side where they differ.

    Nothing where one of them did not answer: a total without its part would look as if counting had begun anew.
    """
    answers = [one for one in told if one]
    if len(answers) < len(told):
        return {}
    nodes = dict.fromkeys(node for one in answers for node in one)
    return {node: _added([one[node] for one in answers if node in one]) for node in nodes}


def _added(parts: Sequence[Values]) -> Values:
    columns = {column: [str(part[column]) for part in parts if part[column] != ""] for column in PROXY_COLUMNS}
    return {
        column: sum(map(int, known)) if known and all(map(str.isdigit, known)) else "+".join(dict.fromkeys(known))
        for column, known in columns.items()
    }


async def ask_frontend(address: str, network: str | None) -> Values:
    """What a built-in IAM counted; nothing where something else answers."""
    return iam_values(await ask_address(address, network, _METRICS))


def iam_values(text: str) -> Values:
    """The columns of a built-in IAM, over all processes behind its port; none in a text that holds no metrics."""
    totals = dict.fromkeys(IAM_COLUMNS, 0)
    samples = _SAMPLE.findall(text)
    for name, labels, number in samples:
        if name == "iam_requests_total" and 'endpoint="metrics"' not in labels:
            totals["iam_requests"] += int(number)
            totals["iam_5xx"] += int(number) if 'status="5' in labels else 0
        elif name == "iam_database_errors_total":
            totals["iam_database_errors"] += int(number)
        elif name == "iam_open_connections":
            totals["iam_open_connections"] += int(number)
    return totals if samples else {}


async def ask_redis(path: str) -> Values:
    """What a Redis server says of its role and clients."""
    return redis_values(await ask_file(path, b"INFO\r\nQUIT\r\n"))


def redis_values(text: str) -> Values:
    """The columns in an answer to INFO."""
    told = dict(line.rstrip().split(":", 1) for line in text.splitlines() if ":" in line)
    return {column: told[name] for column, name in REDIS_COLUMNS.items() if name in told}
