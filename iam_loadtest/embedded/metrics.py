"""Counters in memory shared by all workers, so that scraping one port gives the totals of all of them.

Each worker writes its own part only, therefore no lock is needed and no increment is lost. A request is counted before
its answer is sent: who has the answer finds it counted. A restarted worker goes on with its predecessor's counts.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Final

ENDPOINTS: Final = (
    "token", "introspect", "revoke", "userinfo", "jwk", "discovery", "authorize", "login", "devicecode", "device",
    "health", "metrics", "other",
)  # fmt: skip
GRANTS: Final = (
    "client_credentials", "password", "authorization_code", "device_code", "refresh_token", "token_exchange", "other",
)  # fmt: skip
STATUSES: Final = (200, 302, 303, 400, 401, 403, 404, 405, 413, 415, 500, 503, 0)
DB_ERRORS: Final = (1047, 1205, 1213, 1062, 2003, 2006, 2013, 0)

_SERIES: Final = tuple((endpoint, "") for endpoint in ENDPOINTS if endpoint != "token") + tuple(
    ("token", grant) for grant in GRANTS
)
_REQUESTS_AT: Final = {
    (endpoint, grant, status): row * len(STATUSES) + column
    for row, (endpoint, grant) in enumerate(_SERIES)
    for column, status in enumerate(STATUSES)
}
_MICROSECONDS_AT: Final = {series: len(_REQUESTS_AT) + row for row, series in enumerate(_SERIES)}
_DB_ERRORS_AT: Final = {number: len(_REQUESTS_AT) + len(_MICROSECONDS_AT) + row for row, number in enumerate(DB_ERRORS)}
_CLOSED_AT: Final = len(_REQUESTS_AT) + len(_MICROSECONDS_AT) + len(_DB_ERRORS_AT)
_STARTS_AT: Final = _CLOSED_AT + 1
_HANDED_AT: Final = _CLOSED_AT + 2
_SLOTS: Final = _CLOSED_AT + 3


class Board:
    """The shared counters of all workers; made before they are forked."""

    def __init__(self, workers: int, first_frontend: int = 1) -> None:
        self.workers = workers
        self.first_frontend = first_frontend
        self._memory = memoryview(mmap.mmap(-1, workers * _SLOTS * 8)).cast("Q")

    def part(self, worker: int) -> Part:
        """The counters of one worker, numbered from 0."""
        return Part(self._memory[worker * _SLOTS : (worker + 1) * _SLOTS])

    def open_connections(self, worker: int) -> int:
        """Connections handed to the worker and not closed yet."""
        part = self._memory[worker * _SLOTS : (worker + 1) * _SLOTS]
        return part[_HANDED_AT] - part[_CLOSED_AT]

    def render(self) -> str:
        """All counters in the Prometheus text format."""
        return "\n".join([*self._requests(), *self._seconds(), *self._database(), *self._processes(), ""])

    def _requests(self) -> Iterator[str]:
        yield "# HELP iam_requests_total Requests answered, by endpoint, grant, status and frontend."
        yield "# TYPE iam_requests_total counter"
        for (endpoint, grant, status), at in _REQUESTS_AT.items():
            for worker in range(self.workers):
                if count := self._memory[worker * _SLOTS + at]:
                    labels = f'endpoint="{endpoint}",grant="{grant}",status="{status or "other"}"'
                    yield f'iam_requests_total{{{labels},backend="{self.backend(worker)}"}} {count}'

    def _seconds(self) -> Iterator[str]:
        yield "# HELP iam_request_seconds_total Time from a request's head to its answer, by endpoint and grant."
        yield "# TYPE iam_request_seconds_total counter"
        for (endpoint, grant), at in _MICROSECONDS_AT.items():
            if total := self._sum(at):
                yield f'iam_request_seconds_total{{endpoint="{endpoint}",grant="{grant}"}} {total / 1e6:.6f}'

    def _database(self) -> Iterator[str]:
        yield "# HELP iam_database_errors_total Answers refused by the database, by its error number."
        yield "# TYPE iam_database_errors_total counter"
        for number, at in _DB_ERRORS_AT.items():
            if total := self._sum(at):
                yield f'iam_database_errors_total{{errno="{number or "other"}"}} {total}'

    def _processes(self) -> Iterator[str]:
        yield "# HELP iam_open_connections Client connections, by frontend."
        yield "# TYPE iam_open_connections gauge"
        for worker in range(self.workers):
            yield f'iam_open_connections{{backend="{self.backend(worker)}"}} {self.open_connections(worker)}'
        yield "# HELP iam_worker_starts_total Starts of each frontend process; more than one is a restart."
        yield "# TYPE iam_worker_starts_total counter"
        for worker in range(self.workers):
            count = self._memory[worker * _SLOTS + _STARTS_AT]
            yield f'iam_worker_starts_total{{backend="{self.backend(worker)}"}} {count}'

    def backend(self, worker: int) -> str:
        """The name a worker answers with in X-Backend."""
        return f"frontend-{self.first_frontend + worker}"

    def _sum(self, at: int) -> int:
        return sum(self._memory[worker * _SLOTS + at] for worker in range(self.workers))


class Part:
    """One worker's counters."""

    def __init__(self, slots: memoryview) -> None:
        self._slots = slots

    def count_request(self, endpoint: str, grant: str, status: int, elapsed_us: int) -> None:
        """Count one answer; the grant is empty but for the token endpoint."""
        at = _REQUESTS_AT.get((endpoint, grant, status))
        self._slots[_REQUESTS_AT[endpoint, grant, 0] if at is None else at] += 1
        self._slots[_MICROSECONDS_AT[endpoint, grant]] += elapsed_us

    def count_database_error(self, number: int) -> None:
        """Count an answer that the database refused."""
        self._slots[_DB_ERRORS_AT.get(number, _DB_ERRORS_AT[0])] += 1

    def count_start(self) -> None:
        """Count a start of the worker; connections of a predecessor are gone."""
        self._slots[_STARTS_AT] += 1

    def count_handed(self) -> None:
        """Count a connection given to the worker; only the parent process calls this."""
        self._slots[_HANDED_AT] += 1

    def count_closed(self) -> None:
        """Count a connection that the worker has closed."""
        self._slots[_CLOSED_AT] += 1

    def forget_connections(self) -> None:
        """After a worker died: none of its connections is open."""
        self._slots[_CLOSED_AT] = self._slots[_HANDED_AT]
