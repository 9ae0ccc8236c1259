"""The built-in IAM's settings as the options of its command line."""

from __future__ import annotations

from collections.abc import Iterator

from iam_loadtest.scenario.topology import IamSettings


def iam_flags(settings: IamSettings) -> Iterator[str]:
    """The options of `iam-loadtest iam` for what a scenario sets; what it leaves out is left out."""
    switches = {
        "--algorithm": settings.algorithm,
        "--store-access-tokens": _word(settings.store_access_tokens, "on", "off"),
        "--clear-on-refresh": _word(settings.clear_access_tokens_on_refresh, "on", "off"),
        "--refresh-tokens": _word(settings.rotate_refresh_tokens, "rotate", "reuse"),
        "--extra-statements": settings.extra_statements,
        "--error-style": settings.error_style,
        "--retry-deadlocks": settings.retry_deadlocks,
        "--users": settings.users,
    }
    for flag, value in switches.items():
        if value is not None:
            yield from (flag, str(value))


def _word(switch: bool | None, yes: str, no: str) -> str | None:
    return None if switch is None else yes if switch else no
