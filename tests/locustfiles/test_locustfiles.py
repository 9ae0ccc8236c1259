"""The locustfiles, run as their users run them: real Locust processes against real servers."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

import psutil
import pytest

from iam_loadtest.results.load_result import read_load_result
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import (
    LOCUSTFILES,
    FakeIam,
    end,
    ended,
    free_port,
    run_locust,
    run_locust_until,
    start_locust,
    token_requests,
    with_end,
)

USERS = 10
HEADLESS = ("--headless", "--only-summary", "-u", str(USERS), "-r", str(USERS))
SECRET = "s3cr3t-that-nobody-may-see"
SCENARIO = """\
name: mine
topologies:
  one: {provider: embedded}
  two: {provider: embedded, frontends: 2}
"""


def steps(directory: Path) -> dict[str, int]:
    """Rows of samples.parquet by step."""
    listed = read_samples(directory / "samples.parquet")["step"].to_pylist()
    return {step: listed.count(step) for step in set(listed)}


@pytest.mark.parametrize(
    ("locustfile", "option", "scenario", "grants"),
    [
        ("access_token.py", "--issuer", (), {"issue": "client_credentials"}),
        ("refresh_token.py", "--host", (), {"issue": "password", "refresh": "refresh_token"}),
        (
            "token_exchange.py",
            "--issuer",
            ("--scenario", "mine.yaml", "--topology", "one"),
            {"issue": "password", "refresh": "refresh_token", "exchange": "token_exchange"},
        ),
    ],
)
def test_every_request_of_a_plain_run_is_a_row_and_the_server_counted_as_many(
    tmp_path: Path, iam: str, locustfile: str, option: str, scenario: tuple[str, ...], grants: dict[str, str]
) -> None:
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    before = token_requests(iam)
    *_, last = grants.values()

    def has_gone_through() -> bool:
        return token_requests(iam).get(last, 0) >= before.get(last, 0) + 50

    options = (*HEADLESS, option, iam, *scenario, "--samples", "out")
    is_measured = locustfile == "token_exchange.py"
    files = with_end(LOCUSTFILES / locustfile)
    run = run_locust_until(has_gone_through, *files, *options, cwd=tmp_path, is_measured=is_measured)
    after = token_requests(iam)
    assert run.returncode == 0, run.stdout
    rows = steps(tmp_path / "out")
    chains = rows.pop("workflow")
    assert rows == {step: after[grant] - before.get(grant, 0) for step, grant in grants.items()}
    assert 0 < chains <= min(rows.values())
    result = read_load_result(tmp_path / "out")
    assert result is not None
    assert (result.status, result.counts.sent) == (TrialStatus.OK, sum(rows.values()) + chains)


def test_several_files_run_side_by_side_and_failures_are_told_without_tokens(tmp_path: Path, fake: FakeIam) -> None:
    files = with_end(LOCUSTFILES / "access_token.py", LOCUSTFILES / "refresh_token.py")
    options = (*files, *HEADLESS, "--issuer", fake.issuer("not-found"), "--csv", "stats")

    def have_asked() -> bool:
        return fake.counts("not-found").keys() >= {"client_credentials", "password", "refresh_token"}

    run = run_locust_until(have_asked, *options, cwd=tmp_path, is_measured=False)
    assert run.returncode == 1, "Locust's own code for failed requests"
    told = run.stdout.partition("Error report")[2]
    (error,) = [line.strip() for line in told.splitlines() if " POST " in line]
    assert error.endswith(" POST refresh: stale_read: 401 invalid_token Refresh token <token> was not found")
    assert "Traceback" not in run.stdout
    assert (tmp_path / "stats_exceptions.csv").read_text().count("\n") == 1, "the header alone"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, fake: FakeIam) -> dict[str, Path]:
    """Directories of runs against servers with a fault each, by the fault; they run beside each other, to save time.

    Each is stopped once every one of its users has asked.
    """
    base = tmp_path_factory.mktemp("faulty")
    common = (*with_end(LOCUSTFILES / "access_token.py"), *HEADLESS, "--stop-timeout", "1")
    modes = ("html", "error500", "garbage", "hangup", "redirect", "slow")
    runs: dict[str, subprocess.Popen[str]] = {}

    def have_asked(mode: str) -> bool:
        return sum(fake.counts(mode).values()) >= USERS

    for mode in modes:
        (base / mode).mkdir()
        options = ("--issuer", fake.issuer(mode), "--samples", "out")
        runs[mode] = start_locust(*common, *options, cwd=base / mode, log=base / mode / "log", is_measured=False)
    try:
        codes = {
            mode: ended(run, base / mode, base / mode / "log", partial(have_asked, mode)) for mode, run in runs.items()
        }
    finally:
        for run in runs.values():
            end(run)
    assert codes == dict.fromkeys(modes, 1), "Locust's own code for failed requests"
    return {mode: base / mode for mode in modes}


@pytest.mark.parametrize(
    ("mode", "status", "outcome", "detail"),
    [
        ("html", 200, "protocol_error", "the answer is not JSON"),
        ("error500", 500, "server_error", "500 server_error it broke"),
        ("garbage", 0, "protocol_error", "the answer is not HTTP/1.1"),
        ("hangup", 0, "connection_lost", "the connection ended before the answer"),
        ("redirect", 302, "protocol_error", "302 redirect, which a token endpoint must not answer with"),
        ("slow", 0, "timeout", "no answer before the test ended"),
    ],
)
def test_a_fault_is_classified_and_is_the_reason(
    faulty: dict[str, Path], fake: FakeIam, mode: str, status: int, outcome: str, detail: str
) -> None:
    rows = read_samples(faulty[mode] / "out" / "samples.parquet").to_pylist()
    requests = [row for row in rows if row["step"] == "issue"]
    assert {(row["status"], row["outcome"]) for row in requests} == {(status, outcome)}
    assert len(requests) == sum(fake.counts(mode).values())
    result = read_load_result(faulty[mode] / "out")
    assert result is not None
    assert result.status is TrialStatus.FAILED
    assert result.reason == f"no chain succeeded in the window; most often: {outcome}: {detail}"
    log = (faulty[mode] / "log").read_text()
    assert f"POST issue: {outcome}: {detail}" in log
    assert "Traceback" not in log


def has_users(pid: int, port: int) -> bool:
    """Whether a process has connections to the server, of which a user keeps one; it asked for endpoints over one."""
    there = [one for one in psutil.Process(pid).net_connections("tcp") if one.raddr and one.raddr.port == port]
    return len(there) > 1


def test_a_distributed_run_loses_no_row_and_shows_no_secret(tmp_path: Path, fake: FakeIam) -> None:
    before = fake.counts("pace")
    port = str(free_port())
    file = with_end(LOCUSTFILES / "token_exchange.py")
    reports = ("--samples", "out", "--csv", "stats", "--html", "report.html", "--json-file", "stats")
    options = ("--issuer", fake.issuer("pace"), "--client-id", "my-client", *reports)
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
    secret = {"IAM_LOADTEST_CLIENT_SECRET": SECRET, "IAM_LOADTEST_PASSWORD": SECRET + "2"}
    master = start_locust(*file, "--master", *bind, *HEADLESS, *options, cwd=tmp_path, log=tmp_path / "master.log")
    there = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
    workers = [
        start_locust(*file, *there, cwd=tmp_path, log=tmp_path / f"worker{n}.log", is_measured=False, **secret)
        for n in range(2)
    ]
    command_lines = [Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in (master, *workers)]

    def have_asked() -> bool:
        asked = sum(fake.counts("pace").values()) - sum(before.values())
        return asked > 100 and all(has_users(worker.pid, fake.port) for worker in workers)

    log = tmp_path / "master.log"
    try:
        assert ended(master, tmp_path, log, have_asked) == 0, log.read_text()
    finally:
        for process in (master, *workers):
            end(process)
    rows = read_samples(tmp_path / "out" / "samples.parquet")
    assert set(rows["worker"].to_pylist()) == {0, 1}
    counted = sum(fake.counts("pace").values()) - sum(before.values())
    by_step = steps(tmp_path / "out")
    assert sum(by_step.values()) - by_step["workflow"] == counted
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert sum(row["num_requests"] for row in stats) == counted, "Locust's own statistics agree"
    result = read_load_result(tmp_path / "out")
    assert result is not None
    assert (result.status, result.generator.workers) == (TrialStatus.OK, 2)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 9
    for secret_text in (SECRET, "fake-access-", "fake-refresh-"):
        assert not [text for text in (*written, *command_lines) if secret_text.encode() in text]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--issuer", "http://127.0.0.1:1/"), "http://127.0.0.1:1/.well-known/openid-configuration: no answer"),
        (("--issuer", "iam-test.example.org"), "issuer is 'iam-test.example.org'; it must be an http or https URL"),
        (("--topology", "one"), "--topology is given without --scenario"),
        (("--samples", "full"), "full: already holds samples.parquet of another test; name another directory."),
        (("--scenario", "broken.yaml"), "broken.yaml: topologies"),
    ],
)
def test_a_run_that_cannot_start_says_why_in_one_line_and_ends_with_1(
    tmp_path: Path, iam: str, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "samples.parquet").touch()
    (tmp_path / "broken.yaml").write_text("name: x\ntopologies: {}\n")
    file = ("-f", str(LOCUSTFILES / "access_token.py"))
    run = run_locust(*file, *HEADLESS, "-t", "600s", "--issuer", iam, *options, cwd=tmp_path, is_measured=False)
    assert run.returncode == 1
    errors = [line for line in run.stdout.splitlines() if "/ERROR/" in line]
    assert len(errors) == 1, run.stdout
    assert message in errors[0]
    assert "Traceback" not in run.stdout


def test_a_worker_that_cannot_start_ends_the_run_with_its_reason(tmp_path: Path, fake: FakeIam) -> None:
    """The secret is missing on the worker, where it is needed; the master does not have it either way."""
    port = str(free_port())
    file = ("-f", str(LOCUSTFILES / "access_token.py"))
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    options = (*HEADLESS, "-t", "600s", "--issuer", fake.issuer("ok"), "--client-id", "mine")
    master = start_locust(*file, "--master", *bind, *options, cwd=tmp_path, log=tmp_path / "master.log")
    there = ("--master-host", "127.0.0.1", "--master-port", port)
    worker = start_locust(*file, "--worker", *there, cwd=tmp_path, log=tmp_path / "worker.log")
    try:
        assert master.wait(150) == 1
        worker.wait(60)
    finally:
        end(master)
        end(worker)
    log = (tmp_path / "master.log").read_text()
    assert "environment variable IAM_LOADTEST_CLIENT_SECRET is not set" in log
    assert "Traceback" not in log


def test_load_json_is_readable_by_anyone(tmp_path: Path, fake: FakeIam) -> None:
    """The run lasts until every workload has sent something, however busy the machine is."""
    before = fake.counts("ok").get("token-exchange", 0)
    file = with_end(LOCUSTFILES / "mixed.py")
    options = (*HEADLESS, "--issuer", fake.issuer("ok"), "--samples", "out")
    run = run_locust_until(
        lambda: fake.counts("ok").get("token-exchange", 0) > before + 20, *file, *options, cwd=tmp_path
    )
    assert run.returncode == 0, run.stdout
    document = json.loads((tmp_path / "out" / "load.json").read_text())
    assert document["status"] == "ok"
    assert document["marks"]["window_start_us"] < document["marks"]["window_end_us"] <= document["marks"]["ended_us"]
    chains = {"workflow:access", "workflow:refresh", "workflow:workflow"}
    assert set(steps(tmp_path / "out")) == {"issue", "refresh", "exchange", *chains}, "mixed runs every workload"


def test_a_plain_run_of_an_open_model_starts_chains_by_the_clock(tmp_path: Path, fake: FakeIam) -> None:
    """20 a second once all users run; users wait for arrivals, and those that wait when the test ends end at once."""
    load = "load: {users: 4, workers: 1, arrival_rate_per_s: 20}\n"
    (tmp_path / "open.yaml").write_text(f"name: open\ntopologies: {{one: {{provider: embedded}}}}\n{load}")
    file = ("-f", str(LOCUSTFILES / "access_token.py"), "--scenario", "open.yaml", "--issuer", fake.issuer("ok"))
    run = run_locust(*file, *HEADLESS, "-t", "5s", "--samples", "out", cwd=tmp_path, is_measured=False)
    assert run.returncode == 0, run.stdout
    result = read_load_result(tmp_path / "out")
    assert result is not None
    assert result.status is TrialStatus.OK, "late arrivals are a caution in a plain run"
    arrivals, window_s = result.counts.arrivals, result.marks.window_s
    assert arrivals is not None
    assert window_s is not None
    assert abs(arrivals.offered - 20 * window_s) <= 2
    rows = steps(tmp_path / "out")
    assert rows["issue"] == rows["workflow"] == arrivals.offered - arrivals.dropped
