"""Texts of failures stay few."""

from iam_loadtest.load.failure_text import MAX_TEXTS, FailureTexts
from iam_loadtest.results.outcome import Outcome


def test_a_text_is_the_outcome_and_its_detail() -> None:
    texts = FailureTexts()
    assert texts.text(Outcome.REFUSED, "401 unauthorized") == "refused: 401 unauthorized"
    assert texts.text(Outcome.TIMEOUT, "") == "timeout"


def test_too_many_texts_become_one_per_outcome() -> None:
    texts = FailureTexts()
    made = {texts.text(Outcome.REFUSED, f"reason {number}") for number in range(10 * MAX_TEXTS)}
    assert len(made) == MAX_TEXTS + 1
    assert "refused: (further texts)" in made
    assert texts.text(Outcome.REFUSED, "reason 0") == "refused: reason 0", "a known text stays"


def test_counts_are_taken_once() -> None:
    texts = FailureTexts()
    for _ in range(3):
        texts.text(Outcome.TIMEOUT, "late")
    assert texts.take() == {"timeout: late": 3}
    assert texts.take() == {}
