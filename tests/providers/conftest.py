"""Providers that others wrote, started once for all tests of a module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from providers import keycloak, nanoidp, oidc_provider
from providers.missing import ProviderError
from tests.providers.under_test import UnderTest

REQUIRED = "IAM_LOADTEST_REQUIRED_PROVIDERS"
"""Names of providers whose tests fail, and are not skipped, where the machine cannot have them."""


@contextmanager
def provider_under_test(name: str, provider: ModuleType, directory: Path) -> Iterator[UnderTest]:
    """A running provider; skips, or fails where it is required, with what the machine lacks."""
    lacking = provider.missing()
    if lacking:
        _cannot(name, f"not here: {'; '.join(lacking)}")
    try:
        provider.install()
    except ProviderError as error:
        _cannot(name, f"cannot be installed: {error}")
    (directory / "provider").mkdir()
    (directory / "work").mkdir()
    with provider.running(directory / "provider") as running:
        yield UnderTest(name, running, directory / "work")


def _cannot(name: str, reason: str) -> None:
    if name in os.environ.get(REQUIRED, "").split():
        pytest.fail(f"{name} is required here ({REQUIRED}) and {reason}")
    pytest.skip(f"{name} {reason}")


@pytest.fixture(scope="module")
def keycloak_server(tmp_path_factory: pytest.TempPathFactory, unmeasured: None) -> Iterator[UnderTest]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1")  # half the CPU until it is ready
        directory = tmp_path_factory.mktemp("keycloak")
        with provider_under_test("keycloak", keycloak, directory) as under_test:
            yield under_test


@pytest.fixture(scope="module")
def oidc_provider_server(tmp_path_factory: pytest.TempPathFactory, unmeasured: None) -> Iterator[UnderTest]:
    with provider_under_test("oidc-provider", oidc_provider, tmp_path_factory.mktemp("oidc-provider")) as under_test:
        yield under_test


@pytest.fixture(scope="module")
def nanoidp_server(tmp_path_factory: pytest.TempPathFactory, unmeasured: None) -> Iterator[UnderTest]:
    with provider_under_test("nanoidp", nanoidp, tmp_path_factory.mktemp("nanoidp")) as under_test:
        yield under_test
