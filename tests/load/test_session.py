"""What the users of one process share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from iam_loadtest.errors import SecretMissingError, UserError
from iam_loadtest.load.http_transport import HttpTransport
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.session import MIN_PHASE_S, LoadSession, Place, SessionHolder, holder_of, open_session
from iam_loadtest.load.setup import Choices, LoadSetup, setup_of_choices
from iam_loadtest.load.virtual_user import VirtualUser
from tests.load.processes import FakeIam


@pytest.fixture
def setup(fake: FakeIam) -> LoadSetup:
    return setup_of_choices(Choices(issuer=fake.issuer("ok")))


def opened(setup: LoadSetup, place: Place = Place(), own: str = "refresh") -> LoadSession:  # noqa: B008  frozen
    return open_session(setup, [own], place, Recorder(), environ={})


def start(session: LoadSession, own: str | None = "refresh") -> tuple[VirtualUser, float]:
    return session.start_user(own, lambda *_: None, lambda: False)


def logins(session: LoadSession, users: int) -> list[str]:
    return [start(session)[0]._login.username for _ in range(users)]


def test_no_login_is_shared_where_there_are_enough_whatever_the_worker(setup: LoadSetup) -> None:
    """248 test users over three workers: 80 virtual users of each have a login of their own."""
    used = [login for slot in range(3) for login in logins(opened(setup, Place(slot, 3)), 80)]
    assert len(set(used)) == 240


def test_more_users_than_logins_share_them_evenly(setup: LoadSetup) -> None:
    used = logins(opened(setup), 2 * 248)
    assert {used.count(login) for login in set(used)} == {2}


def test_phases_are_spread_and_the_same_for_the_same_seed(setup: LoadSetup) -> None:
    phases = [start(session)[1] for session in [opened(setup)] for _ in range(200)]
    again = [start(session)[1] for session in [opened(setup)] for _ in range(200)]
    other = [start(session)[1] for session in [opened(setup, Place(1, 2))] for _ in range(200)]
    assert phases == again != other
    assert min(phases) < 0.1 * MIN_PHASE_S < 0.9 * MIN_PHASE_S < max(phases) < MIN_PHASE_S


def test_a_long_think_time_is_the_length_of_the_phase(setup: LoadSetup) -> None:
    load = setup.scenario.load.model_copy(update={"think_time_s": 60.0})
    session = opened(replace(setup, scenario=setup.scenario.model_copy(update={"load": load})))
    assert session.think_time_s == 60
    assert 30 < max(start(session)[1] for _ in range(50)) < 60


def test_mixed_users_take_the_workloads_in_turn(fake: FakeIam) -> None:
    session = opened(setup_of_choices(Choices(issuer=fake.issuer("ok"), workload="mixed")))
    names = [start(session)[0]._mix.draw().workload.name for _ in range(6)]
    assert names == ["access", "refresh", "workflow"] * 2


def test_mixed_users_of_many_processes_with_few_each_take_all_workloads_alike(fake: FakeIam) -> None:
    setup = setup_of_choices(Choices(issuer=fake.issuer("ok"), workload="mixed"))
    sessions = [opened(setup, Place(slot, 6)) for slot in range(6)]
    names = [start(session)[0]._mix.draw().workload.name for session in sessions]
    assert {name: names.count(name) for name in names} == {"access": 2, "refresh": 2, "workflow": 2}


def test_users_of_a_mix_share_one_sequence_of_draws(tmp_path: Path, fake: FakeIam) -> None:
    """Two thirds of the chains are of the heavier workload, whoever runs them."""
    path = tmp_path / "mix.yaml"
    path.write_text(
        "name: m\ntopologies: {one: {provider: embedded}}\nworkloads:\n"
        "  access: [issue]\n  refresh: [issue_for_user, refresh]\n  day: {mix: {access: 2, refresh: 1}}\n"
    )
    choices = Choices(issuer=fake.issuer("ok"), workload="day", scenario=str(path))
    session = opened(setup_of_choices(choices))
    users = [start(session)[0] for _ in range(3)]
    drawn = [user._mix.draw().workload.name for _ in range(10) for user in users]
    assert abs(drawn.count("access") - 20) <= 1


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("discovery-html", "the answer is not JSON; start the built-in IAM with `iam-loadtest iam`"),
        ("discovery-wrong", "the discovery document is of issuer 'http://other.invalid/'"),
    ],
)
def test_a_provider_that_does_not_say_its_endpoints_is_named(fake: FakeIam, mode: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        opened(setup_of_choices(Choices(issuer=fake.issuer(mode))))
    assert message in str(error.value)
    assert fake.issuer(mode) + ".well-known/openid-configuration: " in str(error.value)


def test_a_given_token_endpoint_needs_no_discovery(setup: LoadSetup) -> None:
    target = setup.target.model_copy(update={"token_endpoint": "http://127.0.0.1:1/token"})
    session = opened(replace(setup, issuer="http://127.0.0.1:1/", target=target))
    assert start(session)[0]._mix.draw().workload.steps[0].form.url == "http://127.0.0.1:1/token"


def test_a_missing_secret_is_said_before_any_user_starts(fake: FakeIam) -> None:
    setup = setup_of_choices(Choices(issuer=fake.issuer("ok"), client_id="mine"))
    with pytest.raises(SecretMissingError, match="IAM_LOADTEST_CLIENT_SECRET is not set"):
        opened(setup)


def test_users_have_transports_of_their_own_over_one_tls_context(setup: LoadSetup) -> None:
    session = opened(setup)
    first, second = start(session)[0], start(session)[0]
    assert isinstance(first._transport, HttpTransport)
    assert first._transport is not second._transport
    contexts = {id(user._transport._settings.tls) for user in (first, second)}
    assert len(contexts) == 1


def test_no_user_begins_once_the_test_ends_though_one_waited_for_its_start(setup: LoadSetup) -> None:
    holder = SessionHolder()
    holder.session = opened(setup)
    waiting = gevent.spawn(holder.admit)
    gevent.sleep(0)
    holder.end()
    assert waiting.get(timeout=60) is None
    assert holder.admit() is None
    holder.clear()
    holder.session = opened(setup)
    holder.is_ready.set()
    assert holder.admit() is holder.session, "the next test has users again"


def test_what_ends_all_users_is_said_once_in_each_test() -> None:
    holder, told = SessionHolder(), list[str]()
    holder.on_trouble = lambda error: told.append(str(error))
    for word in ("no token left", "no token left"):
        holder.tell(UserError(word))
    holder.clear()
    holder.tell(UserError("again"))
    assert told == ["no token left", "again"]


def test_the_holder_stays_with_its_environment() -> None:
    class Environment:
        """Stands for Locust's."""

    environment = Environment()
    holder = holder_of(environment)
    assert holder_of(environment) is holder
    holder.is_ready.set()
    holder.clear()
    assert (holder.session, holder.is_ready.is_set()) == (None, False)
    assert isinstance(holder, SessionHolder)
