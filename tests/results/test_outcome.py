"""Outcomes: every class has its sentence."""

from __future__ import annotations

from iam_loadtest.results.outcome import TRANSPORT_OUTCOMES, Outcome


def test_every_outcome_has_a_meaning_of_its_own() -> None:
    """Reports print it."""
    meanings = [outcome.meaning for outcome in Outcome]
    assert all(meanings)
    assert len(set(meanings)) == len(meanings)


def test_transport_outcomes_are_those_without_a_complete_answer() -> None:
    """Four of them."""
    assert {"timeout", "connect_error", "tls_error", "connection_lost"} == TRANSPORT_OUTCOMES
