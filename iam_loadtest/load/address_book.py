"""Which addresses a host has, kept fresh beside the load: users are spread over all of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from time import monotonic

import gevent
from gevent import socket
from gevent.event import AsyncResult

REFRESH_S = 30.0
"""How often names are asked for again; the system's resolver does not tell how long an answer holds."""
LEFT_OUT_S = 30.0
"""How long an address that could not be reached stands behind the others."""
MAX_HOSTS = 64
"""Redirects can name any number of hosts; beyond so many, all are asked for anew."""

Addresses = tuple[str, ...]


class AddressBook:
    """The addresses of hosts, for all users of a process. ``pins`` are taken instead of asking.

    A name is asked for once, by whoever needs it first, and then every ``refresh_s`` as long as the book is in use:
    no request waits for that. ``version`` changes whenever the addresses of a host do.
    """

    def __init__(
        self,
        pins: Mapping[str, Addresses],
        look_up: Callable[[str], Addresses] | None = None,
        refresh_s: float = REFRESH_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._pins = {host.lower(): addresses for host, addresses in pins.items()}
        self._look_up = look_up or addresses_of
        self._refresh_s = refresh_s
        self._clock = clock
        self._known: dict[str, Addresses] = {}
        self._asked: dict[str, AsyncResult[Addresses]] = {}
        self._unreachable: dict[str, float] = {}
        self._refreshing: gevent.Greenlet | None = None
        self.version = 0

    def of(self, host: str, limit_s: float) -> Addresses:
        """Every address of a host, in a fixed order; raises OSError where there is none, TimeoutError after a while."""
        known = self._at_hand(host)
        if known is not None:
            return known
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked[host] = AsyncResult()
            gevent.spawn(self._ask, host, asked)
        if asked.wait(max(limit_s, 0.0)) is None and not asked.ready():
            raise TimeoutError
        found: Addresses = asked.get()
        return found

    def order(self, host: str, number: int, limit_s: float) -> list[str]:
        """The addresses as user ``number`` tries them: its own one first, those lately out of reach last."""
        known = self.of(host, limit_s)
        if host == "localhost":
            return list(known)
        now_s = self._clock()
        good = [one for one in known if self._unreachable.get(one, 0.0) <= now_s]
        bad = [one for one in known if one not in good]
        first = number % len(good) if good else 0
        return [*good[first:], *good[:first], *bad]

    def leave_out(self, address: str) -> None:
        """Let the other addresses of its hosts be tried first for a while."""
        self._unreachable[address] = self._clock() + LEFT_OUT_S

    def is_spread(self, host: str) -> bool:
        """Whether users of a host are at more than one address."""
        return host != "localhost" and len(self._at_hand(host) or ()) > 1

    def holds(self, host: str, address: str) -> bool:
        """Whether an address is still one of the host's."""
        return address in (self._at_hand(host) or ())

    def refresh(self) -> None:
        """Ask for every name again; one that cannot be resolved now keeps its addresses."""
        for host, before in list(self._known.items()):
            with suppress(OSError):
                now = self._look_up(host)
                if now != before:
                    self._known[host] = now
                    self.version += 1

    def _at_hand(self, host: str) -> Addresses | None:
        """Addresses that need not be asked for: pinned, known, or the host is one itself."""
        return self._pins.get(host) or self._known.get(host) or ((host,) if _is_address(host) else None)

    def _ask(self, host: str, asked: AsyncResult[Addresses]) -> None:
        try:
            found = self._look_up(host)
            if len(self._known) >= MAX_HOSTS:
                self._known.clear()
            self._known[host] = found
        except OSError as error:
            asked.set_exception(error)
        else:
            asked.set(found)
            if self._refreshing is None:
                self._refreshing = gevent.spawn(_keep_fresh, weakref.ref(self), self._refresh_s)
        finally:
            del self._asked[host]


def addresses_of(host: str) -> Addresses:
    """The IPv4 and IPv6 addresses that the system's resolver knows, in a thread of its own; raises socket.gaierror.

    IPv6 addresses are left out on a machine that has none itself.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "no host has such a name") from error
    return tuple(sorted({str(entry[4][0]) for entry in found}))


def _keep_fresh(book: weakref.ref[AddressBook], refresh_s: float) -> None:
    """Refresh a book as long as somebody uses it."""
    while True:
        gevent.sleep(refresh_s)
        used = book()
        if used is None:
            return
        used.refresh()
        del used


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        ip_address(host.partition("%")[0])
        return True
    return False
