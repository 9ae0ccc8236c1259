"""Which addresses a host has, in which order users try them, and how changes are noticed."""

from __future__ import annotations

import gc
import socket
import weakref

import gevent
import pytest

from iam_loadtest.load.address_book import LEFT_OUT_S, MAX_HOSTS, AddressBook, addresses_of

THREE = ("192.0.2.1", "192.0.2.2", "2001:db8::3")


class Resolver:
    """DNS of a test: what it answers can be changed, and it counts questions."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    def __call__(self, host: str) -> tuple[str, ...]:
        self.asked += 1
        gevent.sleep(0)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.addresses


def book(resolver: Resolver, refresh_s: float = 3600) -> AddressBook:
    return AddressBook({}, resolver, refresh_s)


def test_users_begin_at_one_address_each_in_turn_and_go_on_with_the_others() -> None:
    known = book(Resolver(*THREE))
    one, two, three = THREE
    assert [known.order("iam.test", number, 5) for number in range(4)] == [
        [one, two, three],
        [two, three, one],
        [three, one, two],
        [one, two, three],
    ]


def test_an_address_that_could_not_be_reached_is_last_for_a_while() -> None:
    now = [0.0]
    known = AddressBook({}, Resolver(*THREE), 3600, lambda: now[0])
    known.order("iam.test", 0, 5)
    known.leave_out(THREE[1])
    assert known.order("iam.test", 1, 5) == [THREE[2], THREE[0], THREE[1]]
    assert {known.order("iam.test", number, 5)[0] for number in range(10)} == {THREE[0], THREE[2]}
    now[0] = LEFT_OUT_S
    assert known.order("iam.test", 1, 5)[0] == THREE[1]


def test_where_no_address_can_be_reached_all_are_tried() -> None:
    known = book(Resolver(*THREE))
    for address in THREE:
        known.leave_out(address)
    assert sorted(known.order("iam.test", 0, 5)) == sorted(THREE)


def test_many_users_at_once_ask_once() -> None:
    resolver = Resolver(*THREE)
    known = book(resolver)
    users = [gevent.spawn(known.order, "iam.test", number, 5) for number in range(100)]
    gevent.joinall(users, raise_error=True)
    assert resolver.asked == 1


def test_a_name_that_cannot_be_resolved_is_asked_for_again_by_the_next_user() -> None:
    resolver = Resolver()
    known = book(resolver)
    with pytest.raises(socket.gaierror):
        known.of("iam.test", 5)
    resolver.addresses = THREE
    assert known.of("iam.test", 5) == THREE


def test_a_name_that_no_host_can_have_cannot_be_resolved() -> None:
    """Python refuses it before the system's resolver is asked, with another error."""
    with pytest.raises(socket.gaierror):
        AddressBook({}).of("a..b", 5)


def test_however_many_hosts_redirects_name_few_are_kept() -> None:
    resolver = Resolver(*THREE)
    known = book(resolver)
    for number in range(3 * MAX_HOSTS):
        assert known.of(f"host-{number}.test", 5) == THREE
    resolver.asked = 0
    known.refresh()
    assert resolver.asked <= MAX_HOSTS


def test_a_resolver_that_does_not_answer_ends_at_the_limit() -> None:
    with pytest.raises(TimeoutError):
        AddressBook({}, lambda host: gevent.sleep(60) or THREE).of("iam.test", 0.05)


def test_addresses_and_pinned_names_are_not_asked_for() -> None:
    resolver = Resolver()
    known = AddressBook({"iam.test": ("127.0.0.2",)}, resolver)
    assert known.of("iam.test", 5) == ("127.0.0.2",)
    assert known.of("127.0.0.1", 5) == ("127.0.0.1",)
    assert known.of("::1", 5) == ("::1",)
    assert resolver.asked == 0


def test_a_refresh_changes_the_version_only_where_addresses_changed() -> None:
    resolver = Resolver(*THREE)
    known = book(resolver)
    known.of("iam.test", 5)
    known.refresh()
    assert known.version == 0
    resolver.addresses = THREE[:1]
    known.refresh()
    assert known.version == 1
    assert known.holds("iam.test", THREE[0])
    assert not known.holds("iam.test", THREE[1])


def test_a_name_that_cannot_be_resolved_any_more_keeps_its_addresses() -> None:
    resolver = Resolver(*THREE)
    known = book(resolver)
    known.of("iam.test", 5)
    resolver.addresses = ()
    known.refresh()
    assert known.of("iam.test", 5) == THREE


def test_names_are_asked_for_again_beside_the_load() -> None:
    resolver = Resolver(*THREE)
    known = book(resolver, refresh_s=0.01)
    known.of("iam.test", 5)
    resolver.addresses = THREE[1:]
    with gevent.Timeout(10):
        while known.version == 0:
            gevent.sleep(0.01)
    assert known.of("iam.test", 5) == THREE[1:]


def test_a_book_that_nobody_uses_any_more_is_not_refreshed() -> None:
    resolver = Resolver(*THREE)
    known = book(resolver, refresh_s=0.02)
    known.of("iam.test", 5)
    gone = weakref.ref(known)
    del known
    with gevent.Timeout(10):
        while gone() is not None:
            gevent.sleep(0.01)
            gc.collect()
    gevent.sleep(0.05)
    asked = resolver.asked
    gevent.sleep(0.05)
    assert resolver.asked == asked


@pytest.mark.parametrize(("host", "is_spread"), [("two.test", True), ("one.test", False), ("localhost", False)])
def test_users_are_spread_over_hosts_of_several_addresses_but_not_over_this_machine_s(
    host: str, is_spread: bool
) -> None:
    pins = {"two.test": THREE[:2], "one.test": THREE[:1], "localhost": ("127.0.0.1", "::1")}
    known = AddressBook(pins)
    assert known.is_spread(host) is is_spread
    assert known.order("localhost", 1, 5) == ["127.0.0.1", "::1"]


def test_resolving_does_not_hold_up_other_users() -> None:
    """The system's resolver is asked in a thread: the event loop goes on while it works."""
    went_on: list[bool] = []
    gevent.spawn(lambda: went_on.append(True))
    assert "127.0.0.1" in addresses_of("localhost") or "::1" in addresses_of("localhost")
    assert went_on == [True]
