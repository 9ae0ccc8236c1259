"""Secrets that stand or travel where others can read or take them: worth a word, but no error."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from iam_loadtest.oidc.loopback import is_loopback
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.portable import has_secrets, secrets_of
from iam_loadtest.scenario.target import Target


@dataclass(frozen=True)
class Exposure:
    """Both in a few words; ``remedy`` begins with a verb."""

    problem: str
    remedy: str


def exposures(scenario: Scenario, topology: str, issuer: str, directory: Path) -> tuple[Exposure, ...]:
    """What a topology at this issuer makes of the scenario's secrets; the public ones of the built-in IAM are none.

    Relative files of the scenario stand in ``directory``. One that is not there is somebody else's to name.
    """
    target = scenario.target_of(topology)
    travelling = _travelling(target, issuer) if has_secrets(scenario) else ()
    return (*_standing(scenario, target, directory), *travelling)


def goes_in_clear(url: str) -> bool:
    """Whether what is sent there crosses a network without TLS."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def _standing(scenario: Scenario, target: Target, directory: Path) -> Iterator[Exposure]:
    for path in dict.fromkeys(directory / name for name in _files(scenario, target)):
        if _is_open_to_others(path):
            yield Exposure(f"{path} holds secrets, and other users may read it", f"chmod 600 {path}")


def _travelling(target: Target, issuer: str) -> Iterator[Exposure]:
    urls = [url for url in (issuer, target.token_endpoint, *target.nodes.values()) if url]
    if any(url.startswith("https:") for url in urls) and not target.verify_tls:
        yield Exposure(
            "target.verify_tls is false: secrets and tokens go to whoever answers",
            "name the server's authority as target.ca_bundle, and remove verify_tls",
        )
    clear = next(filter(goes_in_clear, urls), None)
    if clear is not None:
        yield Exposure(f"{clear} is http: secrets and tokens cross the network in clear", "use https, or a tunnel")


def _files(scenario: Scenario, target: Target) -> Iterator[str]:
    """Files that hold secrets; that of refresh tokens is refused where others may read it."""
    references = (*secrets_of(scenario), *([target.proxy] if target.proxy else []))
    yield from (reference.file for reference in references if reference.file)
    yield from (name for name in (scenario.users.file, target.client_key) if name)


def _is_open_to_others(path: Path) -> bool:
    """A file of another user, such as one that a container is given, is that one's to close."""
    with suppress(OSError):
        facts = path.stat()
        return facts.st_uid == os.geteuid() and bool(facts.st_mode & (stat.S_IRGRP | stat.S_IROTH))
    return False
