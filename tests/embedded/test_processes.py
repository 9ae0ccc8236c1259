"""The processes behind the one port: they share the load, are replaced, and never outlive their parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import requests

from iam_loadtest.embedded.settings import check_issuer
from iam_loadtest.errors import UserError
from tests.cli.front_door import call
from tests.embedded.backends import answers, redis_server
from tests.embedded.server import COMMAND, CRED, Iam, children, running_iam, wait_for


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    with running_iam(tmp_path_factory.mktemp("four"), "--workers", "4") as running:
        yield running


def backend_of(connection: socket.socket) -> str:
    """The frontend that answers on this keep-alive connection."""
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: iam\r\n\r\n")
    answer = b""
    while not answer.endswith(b'"}'):
        answer += connection.recv(4096)
    return answer.lower().split(b"x-backend: ")[1].split(b"\r\n")[0].decode()


def open_connections(iam: Iam) -> dict[str, int]:
    lines = iam.get("metrics").text.splitlines()
    found = [line for line in lines if line.startswith("iam_open_connections{")]
    return {line.split('"')[1]: int(line.rsplit(" ", 1)[1]) for line in found}


@pytest.mark.parametrize("connections", [20, 100])
def test_keep_alive_connections_are_spread_evenly(four: Iam, connections: int) -> None:
    """An uneven spread would be noise in every comparison of topologies: here nobody has one more than another."""
    four.http.close()
    wait_for(lambda: sum(open_connections(four).values()) <= 1, "earlier connections are closed")
    four.http.close()
    opened = [socket.create_connection(("127.0.0.1", four.port)) for _ in range(connections)]
    try:
        shares = Counter(backend_of(connection) for connection in opened)
    finally:
        for connection in opened:
            connection.close()
    assert set(shares) == {f"frontend-{number}" for number in (1, 2, 3, 4)}
    assert max(shares.values()) - min(shares.values()) <= 1


def test_a_connection_that_closes_makes_room_at_its_frontend(four: Iam) -> None:
    opened = [socket.create_connection(("127.0.0.1", four.port)) for _ in range(8)]
    names = [backend_of(connection) for connection in opened]
    leaving = names[0]
    for connection, name in zip(opened, names, strict=True):
        if name == leaving:
            connection.close()
    four.http.close()
    wait_for(lambda: open_connections(four)[leaving] <= 1, "the frontend has noticed")
    four.http.close()
    replacements = [socket.create_connection(("127.0.0.1", four.port)) for _ in range(2)]
    assert leaving in {backend_of(connection) for connection in replacements}
    for connection in (*opened, *replacements):
        connection.close()


def test_each_process_is_small_and_says_its_name(four: Iam) -> None:
    for pid in (four.process.pid, *four.worker_pids()):
        assert psutil.Process(pid).memory_info().rss < 80 * 1024 * 1024
    assert len(four.worker_pids()) == 4


def test_a_dead_worker_is_replaced_under_its_old_name_and_this_is_logged(tmp_path: Path) -> None:
    with running_iam(tmp_path, "--workers", "2") as iam:
        before = iam.worker_pids()
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len(set(iam.worker_pids()) - set(before)) == 1, "a successor is there")
        opened = [socket.create_connection(("127.0.0.1", iam.port)) for _ in range(4)]
        assert {backend_of(connection) for connection in opened} == {"frontend-1", "frontend-2"}
        for connection in opened:
            connection.close()
        assert "died (killed by SIGKILL); it is started again" in (tmp_path / "stderr.txt").read_text()
        assert 'iam_worker_starts_total{backend="frontend-1"} 2' in iam.get("metrics").text


def test_no_worker_survives_its_killed_parent_and_the_next_start_clears_up(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary)}
    with running_iam(tmp_path / "first", "--workers", "3", env=environment) as iam:
        workers = iam.worker_pids()
        assert len(workers) == 3
        assert len(list(temporary.iterdir())) == 1
        iam.process.kill()
        iam.process.wait(60)
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in workers), "all workers are gone")
    with running_iam(tmp_path / "second", env=environment):
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_though_connections_are_open(tmp_path: Path, number: int) -> None:
    with running_iam(tmp_path, "--workers", "2") as iam:
        idle = [socket.create_connection(("127.0.0.1", iam.port)) for _ in range(4)]
        backend_of(idle[0])
        workers = iam.worker_pids()
        iam.process.send_signal(number)
        assert iam.process.wait(60) == 0
        assert not any(psutil.pid_exists(pid) for pid in workers)
        assert not (tmp_path / "ready.json").exists()
        for connection in idle:
            connection.close()


def test_requests_under_way_at_the_stop_are_answered(tmp_path: Path) -> None:
    with running_iam(tmp_path) as iam:
        connection = socket.create_connection(("127.0.0.1", iam.port))
        backend_of(connection)
        form = b"grant_type=client_credentials&client_id=x&client_secret=y"
        head = b"POST /token HTTP/1.1\r\nHost: iam\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(form)
        connection.sendall(head + form[:10])
        assert connection.recv(4096).startswith(b"HTTP/1.1 100"), "the server has begun to read it"
        iam.process.terminate()
        wait_for(lambda: not answers(iam.port), "it stops")
        connection.sendall(form[10:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 401")
        assert iam.process.wait(60) == 0


def test_it_says_that_it_is_a_stand_in_and_listens_on_loopback(four: Iam) -> None:
    said = (four.directory / "stderr.txt").read_text()
    assert "stand-in for tests" in said
    assert f"Ready: http://127.0.0.1:{four.port}/" in said
    listening = [c for c in psutil.Process(four.process.pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_another_address_is_possible_with_a_warning(tmp_path: Path) -> None:
    with running_iam(tmp_path, "--host", "0.0.0.0") as iam:
        assert iam.issuer == f"http://localhost:{iam.port}/"
        assert "Warning: --host 0.0.0.0 lets other machines reach it" in (tmp_path / "stderr.txt").read_text()


def test_a_port_in_use_is_one_clear_line(four: Iam) -> None:
    command = [*COMMAND, "--port", str(four.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "--port" in (line := done.stderr.strip().splitlines()[-1])
    assert "Address already in use" in line


@pytest.fixture
def refuse(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The one line on standard error of an IAM that cannot start, called in this process: it gets as far as that."""
    monkeypatch.setattr("iam_loadtest.embedded.serve._allow_many_connections", lambda: None)
    monkeypatch.setattr("iam_loadtest.embedded.serve._Parent", lambda *_: pytest.fail("it starts"))
    monkeypatch.setattr("iam_loadtest.embedded.redis_sessions._TIMEOUT_S", 0.3)

    def line_of(*options: str) -> str:
        called = call(capsys, "iam", *options)
        assert called.code == 1, called.err
        return called.err.strip().splitlines()[-1]

    return line_of


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--database", "mysql://iam:hidden-pw@127.0.0.1:1/iam"], "--database: cannot be"),
        (["--database", "mysql://iam:hidden-pw@127.0.0.1:1"], "names no database"),
        (["--database", "mysql://127.0.0.1/iam"], "names no user"),
        (["--database", "mysql://iam:hidden-pw@h/iam?colour=red"], "unknown option 'colour'"),
        (["--database", "mysql://iam:hidden-pw@h/iam?pool=none"], "pool=none must be a number above 0"),
        (["--database", "mysql://iam:hidden-pw@h/iam?timeout=-1"], "timeout=-1 must be a number above 0"),
        (["--database", "mysql://iam:hidden-pw@h/iam?read=:x"], "is no address"),
        (["--database", "mysql://iam:hidden-pw@h:port/iam"], "cannot be read"),
        (["--database", "mysql://iam:${NOT_SET_ANYWHERE}@h/iam"], "${NOT_SET_ANYWHERE} is used in a URL but not set"),
        (["--sessions", "memcached://127.0.0.1"], "--sessions: must be redis://"),
        (["--sessions", "sentinel://127.0.0.1:1"], "names no service"),
        (["--sessions", "sentinel:///mymaster"], "names no sentinel"),
        (["--sessions", "sentinel://127.0.0.1:x/mymaster"], "is no address"),
        (["--request-log", "/no/such/directory/log"], "--request-log /no/such/directory/log: /no/such/directory is no"),
        (
            ["--ready-file", "/no/such/directory/ready"],
            "--ready-file /no/such/directory/ready: /no/such/directory is no",
        ),
        (
            ["--database", "/no/such/directory/iam.sqlite"],
            "--database /no/such/directory/iam.sqlite: /no/such/directory is no directory",
        ),
        (["--sessions", "redis://:hidden-pw@127.0.0.1:1/0"], "--sessions: The session store does not answer"),
        (["--sessions", "sentinel://:hidden-pw@127.0.0.1:1/m"], "--sessions: The session store does not answer"),
        (["--sessions", "redis://:hidden-pw/x@127.0.0.1:1/0"], "--sessions: the URL cannot be read; write redis://"),
        (["--host", "192.0.2.1"], "--host 192.0.2.1 cannot be listened on"),
        (["--host", "nosuch.invalid"], "--host nosuch.invalid cannot be listened on"),
        (["--host", "two..dots"], "--host two..dots cannot be listened on"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_setting_that_cannot_work_is_one_clear_line_without_a_password(
    refuse: Callable[..., str], options: list[str], said: str
) -> None:
    line = refuse("--port", "0", *options)
    assert said in line
    assert "hidden-pw" not in line


@pytest.mark.parametrize("url", ["postgres://u:hidden-pw@127.0.0.1:1/x", "sqlite:///x", "MYSQL://u:hidden-pw@h/x"])
def test_a_url_of_another_database_makes_no_file_of_its_name(
    refuse: Callable[..., str], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refuse("--port", "0", "--database", url)
    assert "a URL of this kind is not known; write mysql://" in line
    assert "path of a SQLite file" in line
    assert "127.0.0.1" not in line
    assert "hidden-pw" not in line
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_of_the_database_is_not_made(refuse: Callable[..., str], tmp_path: Path) -> None:
    assert "make it, or name another" in refuse("--database", str(tmp_path / "a" / "b" / "iam.sqlite"))
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_is_not_set_is_to_be_exported_not_written_out(refuse: Callable[..., str]) -> None:
    line = refuse("--database", "mysql://iam:${NOT_SET_ANYWHERE}@h/iam")
    assert "export NOT_SET_ANYWHERE" in line
    assert "write" not in line


@pytest.mark.parametrize(
    "issuer",
    [
        "foo", "ftp://h/", "http:///", "https://", "https://u:pw@h/", "https://h/?a=b", "https://h/?", "https://h/#f",
        "https://h:port/", "https://h /", "//h/", "https://[h/",
    ],
)  # fmt: skip
def test_an_issuer_that_no_token_can_have_is_refused(issuer: str) -> None:
    with pytest.raises(UserError, match=r"^--issuer: must be an http:// or https:// URL") as caught:
        check_issuer(issuer)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("issuer", ["http://localhost:8490", "https://iam.example.org/realm/a/", "http://[::1]:1/"])
def test_an_issuer_is_an_http_url_with_or_without_port_and_path(issuer: str) -> None:
    check_issuer(issuer)


def test_the_command_checks_its_issuer(refuse: Callable[..., str]) -> None:
    assert "--issuer: must be" in refuse("--port", "0", "--issuer", "foo")


def test_a_database_of_another_program_version_is_refused(refuse: Callable[..., str], tmp_path: Path) -> None:
    database = tmp_path / "iam.sqlite"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE meta (name VARCHAR(64) PRIMARY KEY, value VARCHAR(255))")
        connection.execute("INSERT INTO meta (name, value) VALUES ('schema_version', '0')")
    assert "use an empty database" in refuse("--port", "0", "--database", str(database))


def test_a_file_that_is_no_database_is_refused(refuse: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(
        "this is not a database, it is a note about one, and long enough to be read\n" * 9
    )
    assert "--database: cannot be opened" in refuse("--port", "0", "--database", str(tmp_path / "note.txt"))


def test_the_database_of_a_given_path_is_for_its_owner_only(iam: Iam) -> None:
    assert (iam.directory / "iam.sqlite").stat().st_mode & 0o777 == 0o600


def samples(iam: Iam) -> Counter[tuple[str, str, str]]:
    """Requests by endpoint, grant and status, summed over the frontends."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for line in iam.get("metrics").text.splitlines():
        if line.startswith("iam_requests_total{"):
            labels = line.split('"')
            counts[labels[1], labels[3], labels[5]] += int(line.rsplit(" ", 1)[1])
    return counts


def test_metrics_on_one_port_count_every_request_of_every_frontend(four: Iam) -> None:
    before = samples(four)
    sessions = [requests.Session() for _ in range(8)]
    for number in range(80):
        form = {"grant_type": "client_credentials"}
        sessions[number % 8].post(four.issuer + "token", form, auth=CRED, timeout=60)
    for number in range(24):
        sessions[number % 8].post(four.issuer + "token", {"grant_type": "password"}, timeout=60)
    sessions[0].post(four.issuer + "token", {"grant_type": "nonsense"}, timeout=60)
    for session in sessions:
        session.close()
    after = samples(four)
    after.subtract(before)
    assert +after == Counter(
        {
            ("token", "client_credentials", "200"): 80,
            ("token", "password", "401"): 24,
            ("token", "other", "400"): 1,
            ("metrics", "", "200"): 1,
        }
    )


def test_the_request_log_has_one_line_per_request_and_no_secret(tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    with running_iam(tmp_path, "--workers", "2", "--request-log", str(log)) as iam:
        issued = iam.password("test_140")
        iam.refresh(issued["refresh_token"])
        iam.refresh("unknown-token-in-a-refusal")
        iam.get("login?username=test_140&password=in-the-query")
        assert iam.stop() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    seen = [(line["endpoint"], line["grant"], line["status"]) for line in lines]
    assert seen == [
        ("token", "password", 200),
        ("token", "refresh_token", 200),
        ("token", "refresh_token", 401),
        ("login", None, 200),
    ]
    assert len({line["request_id"] for line in lines}) == 4
    everything = log.read_text() + (tmp_path / "stderr.txt").read_text()
    for secret in ("test_140", "in-the-query", "unknown-token", issued["refresh_token"], issued["access_token"]):
        assert secret not in everything


def test_the_command_line_of_a_worker_holds_no_password(tmp_path: Path) -> None:
    """${NAME} in a URL is replaced inside the process only."""
    with redis_server(tmp_path / "redis", "requirepass pw-from-env") as port:
        options = ["--sessions", f"redis://:${{REDIS_PW}}@127.0.0.1:{port}/0"]
        with running_iam(tmp_path / "iam", *options, env={"REDIS_PW": "pw-from-env"}) as iam:
            for pid in (iam.process.pid, *children(iam.process.pid)):
                assert b"pw-from-env" not in Path(f"/proc/{pid}/cmdline").read_bytes()
