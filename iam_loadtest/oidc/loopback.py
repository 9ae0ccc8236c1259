"""Whether a host is this machine alone: what is sent there crosses no network, and nobody else reaches it."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Addresses of loopback, and the names that are kept for them (RFC 6761 section 6.3)."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")
