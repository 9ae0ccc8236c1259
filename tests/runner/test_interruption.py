"""A signal stops a run where it can stop cleanly, and only once."""

from __future__ import annotations

import os
import signal

import pytest

from iam_loadtest.runner.interruption import Interruption


def send(number: signal.Signals) -> None:
    """A signal to this very process."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_breaks_off_an_interruptible_part(number: signal.Signals) -> None:
    with Interruption() as interruption, pytest.raises(KeyboardInterrupt), interruption.interruptible():
        send(number)
    assert interruption.requested


def test_elsewhere_a_signal_is_noted_and_the_next_interruptible_part_does_not_begin() -> None:
    begun = False
    with Interruption() as interruption:
        send(signal.SIGINT)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt), interruption.interruptible():
            begun = True
    assert not begun


def test_a_second_signal_does_not_break_off_what_cleans_up_after_the_first() -> None:
    cleaned = []

    def interrupted_twice(interruption: Interruption) -> None:
        with interruption.interruptible():
            try:
                send(signal.SIGINT)
            finally:
                send(signal.SIGINT)
                cleaned.append(True)

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        interrupted_twice(interruption)
    assert cleaned


def test_an_ignored_sighup_stays_ignored_as_nohup_asks() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption, interruption.interruptible():
            send(signal.SIGHUP)
        assert not interruption.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_from_before_are_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
