"""`check` reaches every topology, walks every workload once and verifies a token; a failure is exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iam_loadtest.runner.embedded_iam import embedded_iam
from iam_loadtest.scenario.topology import EmbeddedTopology
from tests.cli.front_door import call
from tests.runner.servers import DISCOVERY, document, serving

SCENARIO = """\
name: both
topologies:
  built-in: {{provider: embedded, frontends: 2}}
  there: {{provider: url, issuer: "{issuer}"}}
  gone: {{provider: url, issuer: "http://127.0.0.1:9/"}}
target: {{health_timeout: 100ms, timeout: 5s}}
clients:
  access: {{id: client-cred, secret: "{secret}"}}
  subject: {{id: token-exchange-subject, secret: secret, auth: post}}
  actor: {{id: token-exchange-actor, secret: secret, auth: post}}
users: {{password: password}}
"""


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A built-in IAM that runs already."""
    directory = tmp_path_factory.mktemp("iam")
    with embedded_iam(EmbeddedTopology.model_validate({"provider": "embedded"}), directory) as iam:
        yield iam.issuer


def scenario(directory: Path, issuer: str, secret: str = "secret") -> Path:
    path = directory / "both.yaml"
    path.write_text(SCENARIO.format(issuer=issuer, secret=secret), encoding="utf-8")
    return path


def test_every_step_of_every_workload_is_walked(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six requests and three tokens on a built-in IAM that is started for it, and on one that is there already.

    The first token is introspected, too. What was sent and answered stands below each request, without its secrets.
    """
    path = scenario(tmp_path, issuer)
    called = call(capsys, "check", path, "--only", "built-in", "--only", "there")
    assert (called.code, called.err) == (0, "")
    notes = [line for line in called.out.splitlines() if line.startswith("      ")]
    *lines, last = [line for line in called.out.splitlines() if line not in notes]
    assert last == f"All good. Next: iam-loadtest run {path}"
    assert lines[12] == f"there: {issuer}"
    for block in (lines[1:12], lines[13:]):
        assert [line.split()[:2] for line in block] == [
            ["issuer", "discovery"],
            ["access", "issue"],
            ["access", "token"],
            ["access", "(introspection)"],
            ["refresh", "issue"],
            ["refresh", "refresh"],
            ["refresh", "token"],
            ["workflow", "issue"],
            ["workflow", "refresh"],
            ["workflow", "exchange"],
            ["workflow", "token"],
        ]
        assert all(line.endswith(" ok") for line in block if line.split()[1] not in {"token", "discovery"})
        assert all("signature, issuer and expiry are right" in line for line in block if line.split()[1] == "token")
    assert notes[0].split()[:3] == ["sent", "POST", "/token"]
    assert notes[0].endswith("grant_type=client_credentials Authorization=Basic client-cred:***")
    assert notes[1].split()[:3] == ["answered", "access_token=***", "token_type=Bearer"]
    assert any("username=test_100 password=***" in line and "client_secret=***" in line for line in notes)
    assert "eyJ" not in called.out


def test_nodes_and_the_steps_of_probes_are_checked_too(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One node serves, the other does not; each probe is walked from its first step to its last."""
    path = scenario(tmp_path, issuer)
    nodes = f"{{near: {issuer.rstrip('/')}, far: 'http://127.0.0.1:9'}}"
    more = "workloads: {access: [issue]}\nprobes: {kinds: [issue-introspect, double-refresh]}\n"
    text = path.read_text().replace("timeout: 5s", f"timeout: 5s, nodes: {nodes}")
    path.write_text(text + more, encoding="utf-8")
    called = call(capsys, "check", path, "--only", "there")
    assert called.code == 1
    lines = [line for line in called.out.splitlines() if not line.startswith("      ")]
    assert [line.split()[:2] for line in lines[-6:]] == [
        ["issuer", "near"],
        ["issuer", "far"],
        ["issue-introspect", "issue"],
        ["issue-introspect", "introspect"],
        ["double-refresh", "issue"],
        ["double-refresh", "refresh"],
    ]
    assert [line.endswith("  ok") for line in lines[-4:]] == [True] * 4
    assert all(line[18] == " " != line[19] for line in lines[-6:]), "steps begin after the longest name"
    assert f"ok  {issuer.rstrip('/')}" in lines[-6]
    assert "connection" in lines[-5]


def test_a_topology_that_is_down_fails_alone(issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are checked all the same, and the exit code says that not all is well."""
    called = call(capsys, "check", scenario(tmp_path, issuer), "--only", "gone", "--only", "there")
    assert called.code == 1
    assert called.err == (
        "  failed: the IAM was not healthy within 100ms: GET http://127.0.0.1:9/.well-known/openid-configuration: "
        "connection refused (is it running, and is the port right?).\n"
    )
    assert "and is the port right?); waiting up to 100ms (target.health_timeout)\n" in called.out
    assert f"there: {issuer}" in called.out


def test_a_wrong_secret_is_refused_and_not_shown(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The IAM's own words, the step, and exit code 1; the workloads with right secrets are still walked."""
    monkeypatch.setenv("WRONG_SECRET", "hunter2")
    called = call(capsys, "check", scenario(tmp_path, issuer, "${WRONG_SECRET}"), "--only", "there")
    assert called.code == 1
    lines = called.out.splitlines()
    issue = lines[2].split()
    assert [*issue[:3], issue[5]] == ["access", "issue", "401", "refused"]
    assert [line.split()[0] for line in lines[3:7]] == ["sent", "answered", "likely", "remedy"]
    assert "the client's method at the IAM is not client_secret_basic, its secret is another one" in lines[5]
    assert "workflow     exchange" in called.out
    assert "hunter2" not in called.out + called.err


def test_a_secret_that_is_not_there_is_named_first(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked of any IAM."""
    monkeypatch.delenv("NO_SECRET", raising=False)
    path = scenario(tmp_path, issuer, "${NO_SECRET}")
    called = call(capsys, "check", path)
    assert (called.code, called.out) == (1, "")
    assert called.err == (
        f"{path}: clients.access.secret: environment variable NO_SECRET is not set; export it before the run.\n"
    )


def test_an_unknown_topology_lists_the_known_ones(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, one line."""
    called = call(capsys, "check", scenario(tmp_path, issuer), "--only", "three")
    assert (called.code, called.err) == (1, "--only three: must be one of the topologies: built-in, there, gone.\n")


def test_a_token_endpoint_elsewhere_gets_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The document names another host: the check ends before any credentials are sent."""
    with serving() as server:
        server.answers[DISCOVERY] = document(server.discovery(token_endpoint="http://localhost/token"))
        called = call(capsys, "check", scenario(tmp_path, server.url), "--only", "there")
    assert called.code == 1
    assert "token_endpoint is on host 'localhost', the issuer on '127.0.0.1'; where that is meant, name" in called.err


def test_a_server_cannot_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in its answers, names of members among it."""
    hostile = {
        "error": "no\x1b]0;owned\x07",
        "error_description": "\x9b2J\u202eno",
        "\x1b[31mred": "x",
        "scope": "\x1bc",
    }
    with serving() as server:
        server.answers[DISCOVERY] = document(
            server.discovery(token_endpoint_auth_methods_supported=["client_secret_post", "\x1b[2J"])
        )
        server.answers["/token"] = document(hostile, 401)
        called = call(capsys, "check", scenario(tmp_path, server.url), "--only", "there")
    assert called.code == 1
    assert "refused" in called.out
    assert all(line.isprintable() for line in (called.out + called.err).splitlines())


def test_a_secret_that_others_may_read_is_said_and_is_no_failure(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check says it before anything is sent."""
    (tmp_path / "client.secret").write_text("secret")
    (tmp_path / "client.secret").chmod(0o644)
    path = scenario(tmp_path, issuer)
    path.write_text(path.read_text().replace('"secret"', "{file: client.secret}"), encoding="utf-8")
    called = call(capsys, "check", path, "--only", "there")
    assert called.code == 0
    said, _, remedy = called.out.splitlines()[2:5]
    assert said.split()[:2] == ["issuer", "secrets"]
    assert said.endswith(f"{tmp_path / 'client.secret'} holds secrets, and other users may read it")
    assert remedy.split(maxsplit=1) == ["remedy", f"chmod 600 {tmp_path / 'client.secret'}"]
