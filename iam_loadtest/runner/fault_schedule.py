"""The faults of a trial: handed to the lab when the measured window is known, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from iam_loadtest.results.fault import FaultOrder, FaultRecord, write_fault_orders
from iam_loadtest.results.lab_state import read_lab_state
from iam_loadtest.results.trial_clock import TrialClock, read_trial_clock
from iam_loadtest.scenario.fault import Fault


class FaultSchedule:
    """The faults of one trial. ``base`` is the lab's directory, ``directory`` the trial's."""

    def __init__(self, faults: Sequence[Fault], base: Path, directory: Path) -> None:
        self._faults = tuple(faults)
        self._base = base
        self._directory = directory
        self._clock: TrialClock | None = None

    def look(self) -> None:
        """Hand the schedule over as soon as the master has said when the measured window begins."""
        if self._clock is not None or not self._faults:
            return
        clock = read_trial_clock(self._directory)
        if clock is not None and clock.marks.window_start_us is not None:
            self._clock = clock
            write_fault_orders(self._base, orders_of(self._faults, clock.origin_us + clock.marks.window_start_us))

    def records(self) -> tuple[FaultRecord, ...]:
        """What became of every fault, in the time of the trial; one that the lab never began has an error."""
        state = read_lab_state(self._base)
        origin_us = self._clock.origin_us if self._clock else 0
        known = {record.number: record.since(origin_us) for record in (state.faults if state else ())}
        return tuple(
            _with_what_was_asked(
                known.get(number) or FaultRecord(number, fault.kind, fault.target, error="the lab did not begin it"),
                fault,
            )
            for number, fault in enumerate(self._faults)
        )


def _with_what_was_asked(record: FaultRecord, fault: Fault) -> FaultRecord:
    return replace(
        record, at_s=fault.at_s, for_s=fault.for_s, rtt_s=fault.rtt_s, jitter_s=fault.jitter_s, loss=fault.loss
    )


def orders_of(faults: Sequence[Fault], window_start_us: int) -> list[FaultOrder]:
    """The faults with their times on the machine's clock."""
    return [
        FaultOrder(
            number=number,
            kind=fault.kind,
            target=fault.target,
            at_us=window_start_us + int(fault.at_s * 1e6),
            for_s=fault.for_s,
            rtt_s=fault.rtt_s,
            jitter_s=fault.jitter_s,
            loss=fault.loss,
        )
        for number, fault in enumerate(faults)
    ]


def why_failed(records: Sequence[FaultRecord]) -> str | None:
    """The reason of a trial whose faults were not as asked for; None where all were."""
    failed = [f"faults.{record.number} ({record.words}): {record.error}" for record in records if record.error]
    return f"not every fault was carried out: {'; '.join(failed)}" if failed else None
