"""What a VPN needs of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.lab import vpn
from iam_loadtest.lab.vpn import LinkEnd, build_tunnel

ENDS = (
    LinkEnd("router-1", "wan2", "10.78.2.1", "10.77.2.0/24"),
    LinkEnd("router-2", "wan2", "10.78.2.2", "10.77.0.0/16"),
)


def test_without_tun_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """wireguard-go itself says only that it failed."""

    def refuse(*_: object) -> int:
        raise UserError("/dev/net/tun is refused (Permission denied); run the lab as root.")

    monkeypatch.setattr(vpn, "run_ip", refuse)
    monkeypatch.setattr(vpn, "open_tun", refuse)
    monkeypatch.setattr(vpn, "require_program", str)
    with pytest.raises(UserError, match=r"no WireGuard, and wireguard-go needs TUN: /dev/net/tun is refused"):
        build_tunnel(2, ENDS, tmp_path)
