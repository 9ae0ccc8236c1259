"""Secrets go to the issuer that was named when the process started, and to no other that a web page names later."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from iam_loadtest.errors import UserError
from iam_loadtest.load.setup import CLIENT_SECRET_VARIABLE, PASSWORD_VARIABLE, LoadSetup
from iam_loadtest.scenario.portable import has_secrets


class SecretGuard:
    """Trusts the issuer of a process's start, None for no issuer at all; the web UI can ask for another one later."""

    def __init__(self, issuer: str | None, environ: Mapping[str, str] = os.environ) -> None:
        self._origin = None if issuer is None else _origin(issuer)
        self._environ = environ

    def check(self, setup: LoadSetup) -> None:
        """Raise UserError where secrets that are not public would go to another origin than the first one."""
        if _origin(setup.issuer) != self._origin and _has_secrets(setup, self._environ):
            raise UserError(
                f"issuer is {setup.issuer!r}, another one than at the start of this process, which holds secrets; "
                "start it again with --issuer to send them there."
            )


def advice_for_worker(own_issuer: str, setup: LoadSetup, environ: Mapping[str, str] = os.environ) -> str | None:
    """What to tell whoever started a worker that sends secrets wherever its master says; None where it does not."""
    if own_issuer or not _has_secrets(setup, environ):
        return None
    return "This worker sends its secrets wherever its master says; start it with --issuer to hold it to one."


def _origin(issuer: str) -> tuple[str, str | None, int | None]:
    url = urlsplit(issuer)
    try:
        return url.scheme, url.hostname, url.port
    except ValueError as error:
        raise UserError(f"issuer is {issuer!r}; its port must be a number up to 65535.") from error


def _has_secrets(setup: LoadSetup, environ: Mapping[str, str]) -> bool:
    """Whether anything but the built-in IAM's public test secrets could be sent."""
    from_environment = environ.get(CLIENT_SECRET_VARIABLE) or environ.get(PASSWORD_VARIABLE)
    return bool(from_environment) or has_secrets(setup.scenario)
