"""What a worker lets its master make it do. Locust's port knows no passwords: whoever answers there is the master."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.fields import Url
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.portable import has_secrets, secrets_of
from iam_loadtest.scenario.target import Target

WORKER_TRUST_VARIABLE = "IAM_LOADTEST_WORKER_TRUST"
"""Environment variable by which the front door tells a worker process; its value is JSON without secrets."""
ANY_PORT = ":*"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class WorkerTrust:
    """``targets`` are origins as :func:`parse_origin` gives them: load and secrets go there and nowhere else.

    Addresses that a scenario gives a host, and a proxy that it names by URL, must be among them, too. Files of a
    scenario stand below ``secrets_directory``; None allows none. ``insecure`` lets it switch certificate checks off.
    """

    targets: tuple[str, ...]
    secrets_directory: str | None = None
    insecure: bool = False

    def to_json(self) -> str:
        """For :data:`WORKER_TRUST_VARIABLE`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerTrust:
        """What :meth:`to_json` made."""
        document = json.loads(text)
        return cls(tuple(document["targets"]), document["secrets_directory"], document["insecure"])

    def check(self, scenario: Scenario, topology: str, issuer: str) -> None:
        """Raise UserError where the trial would send something elsewhere, or read what it may not."""
        target = scenario.target_of(topology)
        self._check_urls(issuer, target)
        self._check_files(scenario, target)
        if not target.verify_tls and not self.insecure and has_secrets(scenario):
            raise UserError(
                "target.verify_tls is false, so that secrets would go to whoever answers; "
                "start the worker with --insecure if that is meant."
            )

    def _check_urls(self, issuer: str, target: Target) -> None:
        for url in urls_of(target, issuer):
            if not self._is_target(parse_origin(url)):
                raise UserError(
                    f"the master wants load on {url}; this worker serves {', '.join(self.targets)} alone: "
                    f"start it with --target {parse_origin(url)} too if that is meant."
                )

    def _is_target(self, origin: str) -> bool:
        return origin in self.targets or origin.rpartition(":")[0] + ANY_PORT in self.targets

    def _check_files(self, scenario: Scenario, target: Target) -> None:
        for key, name in _files(scenario, target):
            path = PurePosixPath(name)
            if self.secrets_directory is None:
                raise UserError(f"{key} is file {name!r}; start the worker with --secrets-directory, where it stands.")
            if path.is_absolute() or ".." in path.parts:
                raise UserError(
                    f"{key} is file {name!r}; with workers on other hosts it must be a relative path without '..', "
                    "which each looks up in its --secrets-directory."
                )


def parse_origin(text: str) -> str:
    """Scheme, host and port of a URL: ``https://host:443``. A bare host means https; port ``*`` is any port.

    Raises UserError where it is none.
    """
    url = text if "://" in text else f"https://{text}"
    is_any = url.endswith(ANY_PORT)
    try:
        parts = urlsplit(TypeAdapter(Url).validate_python(url.removesuffix(ANY_PORT)))
    except ValidationError as error:
        raise UserError(f"{text!r} is no host and no http or https URL, such as https://iam.example.org.") from error
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (ANY_PORT if is_any else f":{parts.port or _PORTS[parts.scheme]}")


def urls_of(target: Target, issuer: str) -> Iterator[str]:
    """Everything that is connected to because the scenario says so; a proxy of the worker's own environment is not."""
    yield issuer
    if target.token_endpoint:
        yield target.token_endpoint
    yield from target.nodes.values()
    if target.proxy and target.proxy.literal:
        yield target.proxy.literal
    scheme, _, rest = parse_origin(issuer).partition("://")
    port = rest.rpartition(":")[2]
    for address in dict.fromkeys(address for addresses in target.resolve.values() for address in addresses):
        yield f"{scheme}://[{address}]:{port}" if ":" in address else f"{scheme}://{address}:{port}"


def _files(scenario: Scenario, target: Target) -> Iterator[tuple[str, str]]:
    """Every file that the worker would read, with what it is for."""
    yield from (("a secret", reference.file) for reference in secrets_of(scenario) if reference.file)
    if scenario.users.file:
        yield "users.file", scenario.users.file
    if target.proxy and target.proxy.file:
        yield "target.proxy", target.proxy.file
    for key in ("ca_bundle", "client_certificate", "client_key", "refresh_tokens"):
        if getattr(target, key):
            yield f"target.{key}", getattr(target, key)
