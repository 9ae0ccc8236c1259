"""What the master learns beside the rows: how tokens were verified, what became of stale reads, and of probes."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iam_loadtest.load.stale_read import StaleRead
from iam_loadtest.results.probe import PROBES_FILE, ProbePhase, ProbeRow, ProbeVerdict
from iam_loadtest.results.trial import STALE_READS_FILE, Caution

_COLUMNS = ("worker", *StaleRead._fields)
MAX_IDS = 500_000
"""Token ids that the master remembers of all workers, some 60 MB; later ones are only compared with these."""
_PROBE_COLUMNS = ("worker", *ProbeRow._fields)
MAX_FAILED_PROBES = 0.1
"""A larger share of probes without a verdict is worth a word."""


class Findings:
    """Those of one test, over all workers."""

    def __init__(self) -> None:
        self._tokens: Counter[str] = Counter()
        self._ids: dict[int, int] = {}
        self._stale_reads: list[tuple[int, StaleRead]] = []
        self._not_followed = 0
        self._tries: Counter[str] = Counter()
        self._probes: list[tuple[int, ProbeRow]] = []
        self._probe_requests: Counter[str] = Counter()
        self._audit: Counter[str] = Counter()

    @property
    def tokens(self) -> dict[str, int]:
        """Sampled tokens by what was found: verified, bad, opaque, without_keys, duplicate_jti."""
        return dict(self._tokens)

    @property
    def stale_reads(self) -> dict[str, int]:
        """Stale reads by what became of them: confirmed, unconfirmed, otherwise, not_followed; empty without any."""
        found = Counter(_STANDING.get(one.result, "otherwise") for _, one in self._stale_reads)
        found["not_followed"] += self._not_followed
        return {name: found[name] for name in _STANDINGS} if found.total() else {}

    @property
    def tries(self) -> dict[str, int]:
        """Requests that were sent again to follow stale reads up, by step; they are in no sample."""
        return dict(self._tries)

    @property
    def probe_requests(self) -> dict[str, int]:
        """Requests of probes that are in no sample, by grant or kind."""
        return dict(self._probe_requests)

    @property
    def audit(self) -> dict[str, int]:
        """Credentials of probes by what became of them in the audit: offered, audited, expired, no_time."""
        return dict(self._audit)

    def add(self, worker: int, report: Mapping[str, Any]) -> None:
        """Take a worker's part of its report."""
        tokens, stale = report.get("tokens", {}), report.get("stale_reads", {})
        self._tokens.update(tokens.get("counts", {}))
        self._add_ids(array("Q", tokens.get("ids", b"")))
        self._stale_reads += [(worker, StaleRead(*one)) for one in stale.get("ended", ())]
        self._tries.update(stale.get("tries", {}))
        self._not_followed += stale.get("not_followed", 0)
        probes = report.get("probes", {})
        self._probes += [(worker, ProbeRow(*row)) for row in probes.get("rows", ())]
        self._probe_requests.update(probes.get("requests", {}))
        self._audit.update(probes.get("audit", {}))

    def write(self, directory: Path) -> None:
        """Write stale_reads.csv and probes.csv where there were any."""
        stale_reads = sorted(self._stale_reads, key=lambda row: row[1])
        probes = sorted(self._probes, key=lambda row: (row[1].started_us, row[0]))
        _write(directory / STALE_READS_FILE, _COLUMNS, stale_reads)
        _write(directory / PROBES_FILE, _PROBE_COLUMNS, probes)

    def cautions(self) -> Iterator[Caution]:
        """What a reader must know about the tokens."""
        found = self._tokens
        if found["duplicate_jti"]:
            yield Caution(
                "duplicate_jti",
                f"{found['duplicate_jti']} sampled tokens of different workers had a jti that another token had",
                "look at how the IAM makes its token ids; frontends may share a seed or a clock",
            )
        unverified = found["opaque"] + found["without_keys"]
        if unverified and not found["verified"]:
            why = "are opaque" if found["opaque"] else "could not be checked, since no keys were had"
            yield Caution(
                "tokens_not_verified",
                f"the {unverified} sampled access tokens {why}: that they are good is the IAM's word alone",
                "add a workload with request: introspect" if found["opaque"] else "see to the jwks_uri of the IAM",
            )

        yield from self._failed_probes()

    def _failed_probes(self) -> Iterator[Caution]:
        first = [row for _, row in self._probes if row.phase == ProbePhase.LOAD and row.attempt <= 1]
        failed = Counter(f"{row.probe}: {row.outcome}" for row in first if row.verdict == ProbeVerdict.FAILED)
        if failed.total() > MAX_FAILED_PROBES * len(first):
            commonest, _ = failed.most_common(1)[0]
            yield Caution(
                "probes_failed",
                f"{failed.total():,} of {len(first):,} reads of probes came to no verdict, most often {commonest}",
                "look at the failures of the load; probes meet what it meets",
            )

    def _add_ids(self, pairs: array[int]) -> None:
        for token_id, whole in zip(pairs[::2], pairs[1::2], strict=True):
            known = self._ids.get(token_id)
            if known is None and len(self._ids) < MAX_IDS:
                self._ids[token_id] = whole
            elif known not in {None, whole}:
                self._tokens["duplicate_jti"] += 1


def _write(path: Path, columns: Sequence[str], rows: Sequence[tuple[int, Sequence[Any]]]) -> None:
    if not rows:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows((worker, *row) for worker, row in rows)


_STANDING = {"accepted": "confirmed", "still_refused": "unconfirmed"}
_STANDINGS = ("confirmed", "unconfirmed", "otherwise", "not_followed")
