"""Secrets go to the issuer that was named when the process started, and to no other that a web page names later."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from iam_loadtest.errors import UserError
from iam_loadtest.load.setup import CLIENT_SECRET_VARIABLE, PASSWORD_VARIABLE, LoadSetup


class SecretGuard:
    """Remembers where a process's first setup would send its secrets; the web UI can change the issuer later."""

    def __init__(
        self, environment: Any, setup_of: Callable[[Any], LoadSetup], environ: Mapping[str, str] = os.environ
    ) -> None:
        self._environ = environ
        self._origin: tuple[str, str | None, int | None] | None
        try:
            self._origin = _origin(setup_of(environment).issuer)
        except UserError:  # said when the test starts; until then no issuer is trusted
            self._origin = None

    def check(self, setup: LoadSetup) -> None:
        """Raise UserError where secrets that are not public would go to another origin than the first one."""
        if _origin(setup.issuer) != self._origin and _has_secrets(setup, self._environ):
            raise UserError(
                f"issuer is {setup.issuer!r}, another one than at the start of this process, which holds secrets; "
                "start it again with --issuer to send them there."
            )


def _origin(issuer: str) -> tuple[str, str | None, int | None]:
    try:
        url = urlsplit(issuer)
        return url.scheme, url.hostname, url.port
    except ValueError as error:
        raise UserError(f"issuer is {issuer!r}; it must be a http or https URL.") from error


def _has_secrets(setup: LoadSetup, environ: Mapping[str, str]) -> bool:
    """Whether anything but the built-in IAM's public test secrets could be sent."""
    if environ.get(CLIENT_SECRET_VARIABLE) or environ.get(PASSWORD_VARIABLE):
        return True
    scenario = setup.scenario
    references = [client.secret for client in scenario.clients.values()] + [scenario.users.password]
    return scenario.users.file is not None or any(
        reference is not None and reference.literal is None for reference in references
    )
