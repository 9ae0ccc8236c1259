"""Which hosts are this machine alone."""

from __future__ import annotations

import pytest

from iam_loadtest.oidc.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "iam.localhost"])
def test_loopback_addresses_and_the_names_kept_for_them_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "*", "0.0.0.0", "::", "10.0.0.1", "mylocalhost", "localhost.example.org", "127.0.0.1.example.org"]
)
def test_every_other_host_is_not(host: str) -> None:
    """Every address at once, too, which others reach."""
    assert not is_loopback(host)
