"""Differences between plain data are named leaf by leaf."""

from __future__ import annotations

from iam_loadtest.results.difference import Difference, differences


def test_differences_are_named_leaf_by_leaf() -> None:
    """The new value and the old one; long values are cut, equal data have none."""
    before = {"a": {"b": 1, "c": 2}, "d": 1}
    after = {"a": {"b": 2, "c": 2}, "e": 1}
    found = differences(before, after)
    assert [one.describe() for one in found] == ["a.b is 2, was 1", "d is gone", "e is new"]
    assert found[1] == Difference("d", "1", None)
    assert len(differences({"a": "x" * 100}, {"a": None})[0].describe()) < 90
    assert differences(before, before) == []
