"""Ports of a plain Locust run that other machines can reach: Locust opens both to everybody unless it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_EVERYWHERE: Final = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104  compared with, never bound to


def open_ports(options: Any, has_web_ui: bool, is_master: bool) -> Iterator[str]:
    """What to tell whoever started Locust with these options."""
    if has_web_ui and options.web_host in _EVERYWHERE and not options.web_login:
        yield (
            "The web UI listens on every address and asks nobody who they are: whoever reaches it can start load from "
            "here. Add --web-host 127.0.0.1 to keep it to this machine."
        )
    if is_master and options.master_bind_host in _EVERYWHERE:
        yield (
            "The port for workers listens on every address and knows no password: whoever reaches it can pose as a "
            "worker. Add --master-bind-host with an address of a private network, or 127.0.0.1 for workers on this "
            "machine."
        )
