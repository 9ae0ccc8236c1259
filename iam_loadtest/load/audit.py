"""The audit after the load: every credential that a probe was given is read again through every node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import gevent

from iam_loadtest.flow.chain import UserLogin
from iam_loadtest.flow.probe import Kept
from iam_loadtest.flow.ready_probe import ReadyProbes
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.pin import Pins
from iam_loadtest.load.transport import Transport
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.probe import ProbePhase, ProbeRow, ProbeVerdict
from iam_loadtest.scenario.probes import AUDIT_LIMIT_S

AGAIN_AFTER_S = 1.0
"""A credential that is not there is looked for once more: missing is said of what is still missing then."""
AT_ONCE = 10
_NOBODY = UserLogin("", "")


class _Look(NamedTuple):
    """One credential at one node."""

    kept: Kept
    node: str | None


class Audit:
    """One audit in one process. ``rows`` have times of the process's clock in ``started_us``."""

    def __init__(
        self, ready: ReadyProbes, pins: Pins, nodes: Sequence[str | None], transport: Callable[[], Transport]
    ) -> None:
        self._ready = ready
        self._pins = pins
        self._nodes = nodes
        self._transport = transport
        self._deadline_us = 0
        self.rows: list[ProbeRow] = []
        self.requests: Counter[str] = Counter()

    def run(self, kept: Sequence[Kept], limit_s: float = AUDIT_LIMIT_S) -> dict[str, int]:
        """Read all of them; how many were audited, had no way to be read, or no time.

        Credentials that expire before the end of the audit are left out: they may be gone by right.
        """
        self._deadline_us = now_us() + int(limit_s * 1e6)
        readable = [one for one in kept if one.token in self._ready.audits]
        living = [one for one in readable if one.expires_us is None or one.expires_us > self._deadline_us]
        looks = [_Look(one, node) for one in living for node in self._nodes]
        rows = self._read(looks, 1)
        missing = [look for look in looks if look in rows and rows[look].verdict != ProbeVerdict.KEPT]
        if missing:
            gevent.sleep(AGAIN_AFTER_S)
            rows.update(self._read(missing, 2))
        self.rows = list(rows.values())
        audited = sum(1 for one in living if all(_Look(one, node) in rows for node in self._nodes))
        return {"audited": audited, "expired": len(readable) - len(living), "no_time": len(living) - audited}

    def _read(self, looks: Sequence[_Look], attempt: int) -> dict[_Look, ProbeRow]:
        rows: dict[_Look, ProbeRow] = {}
        left = iter(looks)
        readers = [gevent.spawn(self._read_each, left, attempt, rows) for _ in range(min(AT_ONCE, len(looks)))]
        gevent.joinall(readers)
        return rows

    def _read_each(self, left: Iterable[_Look], attempt: int, rows: dict[_Look, ProbeRow]) -> None:
        transport = self._transport()
        try:
            for look in left:
                if now_us() >= self._deadline_us:
                    return
                rows[look] = self._row(look, attempt, transport)
        finally:
            transport.close()

    def _row(self, look: _Look, attempt: int, transport: Transport) -> ProbeRow:
        kept, node = look
        plain = self._ready.audits[kept.token].request(kept.held, _NOBODY)
        request = self._pins.request(plain, node)
        self.requests[RequestKind.INTROSPECT.value] += 1
        sent_us = now_us()
        response = transport.send(request)
        latency_us = (response.received_us or now_us()) - sent_us
        outcome = self._ready.classifier.judge(request, response, latency_us / 1e6).outcome
        about = (ProbePhase.AUDIT.value, kept.probe.value, kept.token, kept.route.name, kept.issued_by)
        read_by = self._pins.answered_by(node, response.backend)
        delay_us = sent_us - kept.acknowledged_us
        verdict = _VERDICTS.get(outcome, ProbeVerdict.FAILED).value
        return ProbeRow(
            kept.number, *about, read_by, sent_us, delay_us, attempt, latency_us, outcome.value, verdict
        )  # fmt: skip


_VERDICTS = {Outcome.OK: ProbeVerdict.KEPT, Outcome.STALE_READ: ProbeVerdict.MISSING}
