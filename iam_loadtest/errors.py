"""The one exception tree: what a user can mend is a UserError; anything else is ours and shows its traceback."""

from __future__ import annotations

from collections.abc import Sequence


class IamLoadtestError(Exception):
    """Base of every error that the package raises on purpose."""


class UserError(IamLoadtestError):
    """Something the user can mend: the message is one line that says what, where and how. Exit code 1."""


class ScenarioError(UserError):
    """A scenario file that cannot be used: every problem found, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class SecretMissingError(UserError):
    """A secret that a scenario refers to is not there: the message names the reference, never the value."""
