"""Which workers take part in a trial: as many as it needs, and none that comes after it began."""

from __future__ import annotations

from typing import Any

from locust.runners import STATE_MISSING


class Admission:
    """Stands before the master's messages until the trial is over.

    Locust gives users to a worker that connects while a test runs, which moves users that are being measured. Here it
    gets no answer and asks again until the next trial's master takes it. So does one more than ``workers``. Nobody is
    heard in another's name.
    """

    def __init__(self, runner: Any, workers: int) -> None:
        self._runner = runner
        self._workers = workers
        self._is_open = True
        self._handle = runner.handle_message
        runner.handle_message = self._admit

    def close(self) -> None:
        """The trial begins."""
        self._is_open = False

    def _admit(self, client_id: str, msg: Any) -> None:
        if msg.node_id == client_id and (msg.type != "client_ready" or self._may_join(client_id)):
            self._handle(client_id, msg)

    def _may_join(self, client_id: str) -> bool:
        clients = self._runner.clients
        others = sum(node.state != STATE_MISSING for other, node in clients.items() if other != client_id)
        return self._is_open and others < self._workers
