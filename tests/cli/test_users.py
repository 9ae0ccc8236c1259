"""`users` makes what a load test needs and removes exactly that: against fakes of both admin APIs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from iam_loadtest.cli import users as users_command
from iam_loadtest.runner.embedded_iam import embedded_iam
from iam_loadtest.scenario.topology import EmbeddedTopology
from tests.cli.front_door import Called, call
from tests.hostile_discovery import CASES, hostile_issuer
from tests.runner.fake_admin import TOKEN, FakeAdmin, fake_indigo, fake_keycloak
from tests.runner.servers import text

Fake = Callable[[], AbstractContextManager[tuple[FakeAdmin, str]]]
BOTH = pytest.mark.parametrize("fake", [fake_keycloak, fake_indigo], ids=["keycloak", "indigo-iam"])
MARKED = "iam-loadtest loadtest"


@pytest.fixture
def users(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Called]:
    """Calls `users` in a directory of its own, with the admin token in ADMIN_TOKEN."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADMIN_TOKEN", TOKEN)

    def called(command: str, issuer: str, *options: object) -> Called:
        done = call(capsys, "users", command, issuer, "--admin-token", "ADMIN_TOKEN", *options)
        assert TOKEN not in done.out + done.err
        return done

    return called


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def names(fake: FakeAdmin) -> set[str]:
    return {str(one.get("username") or one.get("userName")) for one in fake.users.values()}


@BOTH
def test_users_are_made_with_the_marker_and_removed_by_it_and_others_stay(
    fake: Fake, users: Callable[..., Called], tmp_path: Path
) -> None:
    """More than a page of them; their passwords stand in a file for its owner alone, which a scenario can use."""
    with fake() as (iam, issuer):
        made = users("make", issuer, "--count", 120, "--pattern", "new_{n}")
        assert (made.code, made.out) == (0, "120 users made, 0 were there: users.csv\n")
        assert len(iam.users) == 121
        listed = rows(tmp_path / "users.csv")
        assert [one["username"] for one in listed[:2]] == ["new_1", "new_2"]
        assert len({one["password"] for one in listed}) == 120
        assert (tmp_path / "users.csv").stat().st_mode & 0o077 == 0
        assert listed[0]["password"] not in made.out + made.err
        looked = users("clean", issuer, "--dry-run")
        assert looked.out.startswith(f"120 users and 0 clients at {issuer} carry the marker 'loadtest'.\n")
        assert len(iam.users) == 121
        assert users("clean", issuer, "--yes", "--marker", "another").code == 0
        assert len(iam.users) == 121
        assert users("clean", issuer, "--yes").code == 0
        assert names(iam) == {"loadtest_7"}, "whose name fits but who carries no marker"


@BOTH
def test_a_call_that_was_interrupted_is_called_again_and_goes_on(
    fake: Fake, users: Callable[..., Called], tmp_path: Path
) -> None:
    """The admin token expires after some users; the passwords of those that were made stay what they are."""
    with fake() as (iam, issuer):
        iam.refuses_after = 20
        ended = users("make", issuer, "--count", 60, "--pattern", "new_{n}")
        assert ended.code == 1
        assert ended.err.endswith("is not good, or has expired; get a new one and call again: it goes on.\n")
        before = rows(tmp_path / "users.csv")
        made = len(iam.users) - 1
        assert 0 < made < 60
        iam.refuses_after = None
        again = users("make", issuer, "--count", 60)
        assert again.out == f"{60 - made} users made, {made} were there: users.csv\n"
        assert rows(tmp_path / "users.csv") == before
        assert len(iam.users) == 61


@BOTH
def test_a_name_that_is_somebody_elses_is_not_taken_over(fake: Fake, users: Callable[..., Called]) -> None:
    with fake() as (iam, issuer):
        refused = users("make", issuer, "--count", 7)
        assert refused.code == 1
        assert "'loadtest_7' is there already without the marker; choose other names." in refused.err
        assert iam.users["old"]["lastName"] == "Person"


@BOTH
def test_users_of_a_file_keep_the_passwords_that_it_has(
    fake: Fake, users: Callable[..., Called], tmp_path: Path
) -> None:
    (tmp_path / "wanted.csv").write_text("username,password\nada,chosen-one\nbob,\n")
    with fake() as (iam, issuer):
        assert users("make", issuer, "--from-file", "wanted.csv", "--users-file", "out.csv").code == 0
        assert names(iam) == {"loadtest_7", "ada", "bob"}
    ada, bob = rows(tmp_path / "out.csv")
    assert ada == {"username": "ada", "password": "chosen-one"}
    assert len(bob["password"]) >= 16


@BOTH
def test_clients_get_new_secrets_and_the_grants_that_were_asked_for(
    fake: Fake, users: Callable[..., Called], tmp_path: Path
) -> None:
    wanted = "client_id,auth,grants,scope,redirect_uris\n"
    wanted += "lt-subject,post,password refresh_token,openid offline_access,\n"
    wanted += "lt-actor,basic,token_exchange,openid,\nlt-web,none,authorization_code,openid,http://localhost/cb\n"
    (tmp_path / "wanted.csv").write_text(wanted)
    with fake() as (iam, issuer):
        assert (
            users("make", issuer, "--clients-from", "wanted.csv").out == "3 clients made, 0 were there: clients.csv\n"
        )
        made = {str(one.get("clientId") or one.get("client_id")): one for one in iam.clients.values()}
        assert set(made) == {"lt-subject", "lt-actor", "lt-web"}
        listed = {one["client_id"]: one for one in rows(tmp_path / "clients.csv")}
        subject = made["lt-subject"]
        assert subject.get("secret", subject.get("client_secret")) == listed["lt-subject"]["secret"] != ""
        assert listed["lt-web"]["secret"] == ""
        if "clientId" in subject:
            assert (subject["directAccessGrantsEnabled"], subject["serviceAccountsEnabled"]) == (True, False)
            assert made["lt-actor"]["attributes"]["standard.token.exchange.enabled"] == "true"
            assert made["lt-web"]["publicClient"] is True
        else:
            assert subject["token_endpoint_auth_method"] == "client_secret_post"
            assert made["lt-actor"]["grant_types"] == ["urn:ietf:params:oauth:grant-type:token-exchange"]
            assert made["lt-web"]["redirect_uris"] == ["http://localhost/cb"]
            assert made["lt-web"]["clear_access_tokens_on_refresh"] is True, "the database's default, not the API's"
        assert (tmp_path / "clients.csv").stat().st_mode & 0o077 == 0
        assert not (tmp_path / "clients.csv.new").exists()
        assert users("clean", issuer, "--yes").code == 0
        assert iam.clients == {}


@BOTH
def test_a_client_that_is_somebody_elses_is_not_taken_over(
    fake: Fake, users: Callable[..., Called], tmp_path: Path
) -> None:
    (tmp_path / "wanted.csv").write_text("client_id,auth,grants\nours,post,password\n")
    with fake() as (iam, issuer):
        iam.clients["ours"] = {"id": "ours", "clientId": "ours", "client_id": "ours"}
        refused = users("make", issuer, "--clients-from", "wanted.csv")
        assert refused.code == 1
        assert refused.err.endswith("'ours' is there already without the marker; choose other names.\n")


@pytest.mark.parametrize(("fake", "path"), [(fake_keycloak, "/admin/realms/one/users"), (fake_indigo, "/scim/Users")])
def test_a_password_that_the_iam_refuses_and_repeats_is_not_shown(
    fake: Fake, path: str, users: Callable[..., Called], tmp_path: Path
) -> None:
    """As servers do that say what is wrong with it; the admin token is not shown either (see ``users``)."""
    (tmp_path / "mine.csv").write_text("username,password\nada,sesame open\n")
    with fake() as (iam, issuer):

        def refuse(request: BaseHTTPRequestHandler) -> None:
            text(400, f"{request.headers['Authorization']} {vars(request)['content'].decode()}")(request)

        iam[path] = refuse
        refused = users("make", issuer, "--from-file", "mine.csv")
    assert refused.code == 1
    assert "sesame open" not in refused.err
    assert "<secret>" in refused.err


@BOTH
def test_an_admin_without_rights_is_told_which_are_needed(fake: Fake, users: Callable[..., Called]) -> None:
    with fake() as (iam, issuer):
        iam.refuses_after, iam.refusal = 0, 403
        refused = users("make", issuer, "--count", 1)
    assert refused.code == 1
    assert "status 403: the admin token may not do that; it needs the " in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "there", "reason"),
    [
        (
            ("--count", 5),
            {"users.csv": "username,password\na,b\n"},
            "users.csv: is of an earlier call with --count 1, not 5; name another --users-file, or go on with that",
        ),
        (
            ("--count", 1, "--pattern", "new_{n}"),
            {"users.csv": "username,password\na,b\n"},
            "users.csv: is of an earlier call and holds other names than --pattern says; name another file.",
        ),
        (("--count", 1), {"users.csv": "username\na\n"}, "users.csv: has no column password; its first line must name"),
        (("--from-file", "w.csv"), {"w.csv": "name\na\n"}, "w.csv: has no column username; its first line must name"),
        (("--from-file", "w.csv"), {"w.csv": "username\na\na\n"}, "w.csv: line 3 names 'a', as line 2 does; remove"),
        (
            ("--from-file", "w.csv"),
            {"w.csv": "username\na\n", "users.csv": "username,password\nb,p\n"},
            "users.csv: is of an earlier call and holds other names than w.csv says; name another file.",
        ),
        (
            ("--clients-from", "w.csv"),
            {"w.csv": "client_id,auth,grants\na,post,password\n,post,password\n"},
            "w.csv: line 3 has no client_id; give one.",
        ),
        (
            ("--clients-from", "w.csv"),
            {"w.csv": "client_id,auth,grants\na,client_secret_post,password\n"},
            "w.csv: line 2: auth is 'client_secret_post'; it must be one of basic, post, none.",
        ),
        (
            ("--clients-from", "w.csv"),
            {"w.csv": "client_id,auth,grants\na,post,password;refresh_token\n"},
            "w.csv: line 2: grants holds 'password;refresh_token'; they must be of client_credentials, password, ",
        ),
        (
            ("--clients-from", "w.csv"),
            {"w.csv": "client_id,auth,grants\na,post,authorization_code\n"},
            "w.csv: line 2: grants holds authorization_code, and redirect_uris is empty; give one.",
        ),
        (("--count", 1, "--users-file", "gone/u.csv"), {}, "gone/u.csv: cannot be written: No such file or directory;"),
        (("--from-file", "gone.csv"), {}, "gone.csv: cannot be read: No such file or directory; name a CSV file."),
    ],
)
def test_a_file_that_does_not_fit_makes_nothing_and_is_said_in_one_line(
    options: tuple[object, ...], there: dict[str, str], reason: str, users: Callable[..., Called], tmp_path: Path
) -> None:
    for name, content in there.items():
        (tmp_path / name).write_text(content)
    with fake_keycloak() as (iam, issuer):
        refused = users("make", issuer, *options)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err.startswith(reason)
        assert refused.err.count("\n") == 1
        assert (len(iam.users), iam.clients) == (1, {})


def test_nothing_is_removed_where_nobody_says_yes(
    users: Callable[..., Called], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_keycloak() as (iam, issuer):
        assert users("make", issuer, "--count", 12, "--pattern", "new_{n}").code == 0
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        asked = users("clean", issuer)
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        refused = users("clean", issuer)
        assert len(iam.users) == 13
    assert "  and 2 more\n" in asked.out
    assert asked.code == 1
    assert asked.err.endswith("nothing was removed: nobody can be asked; --yes removes without asking.\n")
    assert (refused.code, refused.out.endswith("Nothing was removed.\n")) == (0, True)


def test_what_was_marked_while_somebody_was_asked_is_not_removed(
    users: Callable[..., Called], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one's users may carry the same marker; the answer was about those that were shown."""
    with fake_indigo() as (iam, issuer):
        iam.clients["ours"] = {"client_id": "ours", "client_description": MARKED}

        def confirmed(_: str) -> bool:
            iam.clients["theirs"] = {"client_id": "theirs", "client_description": MARKED}
            return True

        monkeypatch.setattr(users_command, "_confirmed", confirmed)
        done = users("clean", issuer)
    assert (done.code, set(iam.clients)) == (0, {"theirs"})
    assert done.out.endswith("0 users and 1 client removed.\n")


def test_a_name_with_a_path_in_it_removes_itself_and_no_other(users: Callable[..., Called]) -> None:
    """INDIGO IAM addresses clients by their names. A code for the terminal in a name reaches no terminal."""
    with fake_indigo() as (iam, issuer):
        for name, marked in (("precious", "Person"), ("lt/../precious", MARKED), ("lt\x1b[2J?x#y", MARKED)):
            iam.clients[name] = {"client_id": name, "client_description": marked}
        done = users("clean", issuer, "--yes")
        assert (done.code, set(iam.clients)) == (0, {"precious"})
        assert "\x1b" not in done.out


def test_a_name_that_addresses_no_single_client_is_left_to_people(users: Callable[..., Called]) -> None:
    """Its address would be that of all clients."""
    with fake_indigo() as (iam, issuer):
        iam.clients["."] = {"client_id": ".", "client_description": MARKED}
        refused = users("clean", issuer, "--yes")
    assert (refused.code, set(iam.clients)) == (1, {"."})
    assert "'.' has no id that it could be addressed by; remove it by hand." in refused.err


def test_an_issuer_that_leads_elsewhere_gets_no_admin_token(users: Callable[..., Called], tmp_path: Path) -> None:
    with hostile_issuer("another-host", tmp_path) as hostile:
        options = ("--ca-bundle", hostile.ca_bundle, "--count", 1, "--provider", "indigo-iam")
        refused = users("make", hostile.server.url, *options)
    assert refused.code == 1
    assert CASES["another-host"] in refused.err
    assert hostile.posts == []


def test_the_token_itself_is_no_reference_and_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A JWT is no name of a variable; an opaque token might be one, and is refused as none is set that is called so."""
    with fake_indigo() as (_, issuer):
        for token in (f"{TOKEN}.x", "a8f5f167f44f4964"):
            given = call(capsys, "users", "clean", issuer, "--admin-token", token)
            assert given.code == 1
            assert "it must not be the secret itself" in given.err
            assert token not in given.err


def test_sessions_are_asked_for_where_the_file_that_they_fill_is_not_there_yet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One scenario may hold both the steps that have tokens and the workload that takes them from the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "both.yaml").write_text("""\
name: both
topologies: {one: {provider: url, issuer: "http://127.0.0.1:9/"}}
target: {refresh_tokens: tokens.csv}
clients: {subject: {id: token-exchange-subject, secret: secret, auth: post}}
users: {first: 100, last: 102, password: password}
steps:
  take: {request: pre_issued}
  issue: {grant: password, client: subject, scope: openid offline_access}
  refresh: {grant: refresh_token, client: subject}
workloads: {refresh: {prime: [take], steps: [refresh]}, login: [issue, refresh]}
""")
    asked = call(capsys, "users", "sessions", "both.yaml", "--workload", "refresh")
    assert (asked.code, asked.err) == (
        1,
        "workload refresh begins with request: pre_issued, whose tokens are yet to be had; name a --workload, or a "
        "scenario, that logs its users in.\n",
    )
    assert not (tmp_path / "tokens.csv").exists(), "an empty file would be taken for one of tokens"
    asked = call(capsys, "users", "sessions", "both.yaml")
    assert asked.code == 1
    assert asked.err.startswith("GET http://127.0.0.1:9/.well-known/openid-configuration: connection refused")


@pytest.mark.usefixtures("unmeasured")
def test_sessions_are_had_once_for_each_user_and_begin_chains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the built-in IAM: three users, of whom one has a session already; then a check begins with one of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iam").mkdir()
    with embedded_iam(EmbeddedTopology.model_validate({"provider": "embedded"}), tmp_path / "iam") as iam:
        text = f"""\
name: sessions
topologies: {{one: {{provider: url, issuer: "{iam.issuer}"}}}}
clients: {{subject: {{id: token-exchange-subject, secret: secret, auth: post}}}}
users: {{first: 100, last: 102, password: password}}
steps:
  issue: {{grant: password, client: subject, scope: openid offline_access}}
  refresh: {{grant: refresh_token, client: subject}}
workloads: {{refresh: [issue, refresh]}}
"""
        (tmp_path / "make.yaml").write_text(text)
        (tmp_path / "tokens.csv").write_text("username,refresh_token\ntest_101,mine\n")
        (tmp_path / "tokens.csv").chmod(0o600)
        made = call(capsys, "users", "sessions", "make.yaml")
        assert (made.code, made.out) == (0, "2 sessions made: tokens.csv\n")
        assert [one["username"] for one in rows(tmp_path / "tokens.csv")] == ["test_101", "test_100", "test_102"]
        assert call(capsys, "users", "sessions", "make.yaml").out == "0 sessions made: tokens.csv\n"
        tokens = [one["refresh_token"] for one in rows(tmp_path / "tokens.csv")][1:]
        (tmp_path / "own.txt").write_text("\n".join(tokens))
        (tmp_path / "own.txt").chmod(0o600)
        use = text.replace("[issue, refresh]", "{prime: [take], steps: [refresh]}")
        use = use.replace("steps:\n", "steps:\n  take: {request: pre_issued}\n") + "target: {refresh_tokens: own.txt}\n"
        (tmp_path / "use.yaml").write_text(use)
        checked = call(capsys, "check", "use.yaml")
        (tmp_path / "tokens.csv").write_text("username,refresh_token\ntest_100," + tokens[0] + "\n")
        ended = call(capsys, "users", "end-sessions", "make.yaml")
        (tmp_path / "own.txt").write_text(tokens[0])
        (tmp_path / "own.txt.used").unlink()
        gone = call(capsys, "check", "use.yaml")
    assert (ended.code, ended.out) == (0, "1 session ended; tokens.csv is removed.\n")
    assert not (tmp_path / "tokens.csv").exists()
    assert gone.code == 1, "the token is worth nothing any more"
    assert checked.code == 0, checked.out + checked.err
    assert "refresh      refresh" in checked.out
    assert not any(token in checked.out + made.out + made.err for token in tokens)
