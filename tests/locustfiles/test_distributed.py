"""A plain master and its workers: what the master decided before a test is what workers do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iam_loadtest.results.load_result import read_load_result
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import FakeIam, end, ended, free_port, start_locust, with_end

FORGING = """\
import locust

from iam_loadtest.load.plugin import install
from iam_loadtest.load.users import WorkloadUser

install()


def forge(environment, **_):
    forged = {"scenario": "/etc/passwd", "workload": "mixed", "ca_bundle": "/forged.pem", "client_id": "forged"}
    vars(environment.parsed_options).update(forged)
    environment.host = "http://127.0.0.1:1/forged/"


@locust.events.init.add_listener
def forge_last(environment, **_):
    environment.events.test_start.add_listener(forge)
"""
"""As a second POST /swarm would, between the start of a test and the first message that starts users."""


def run_distributed(directory: Path, fake: FakeIam, mode: str, locustfile: str, *of_worker: str, **environ: str) -> str:
    """What a master printed that ran with one worker until there were some requests, or up to an error."""
    (directory / "locustfile.py").write_text(locustfile)
    port, log = str(free_port()), directory / "master.log"
    file = with_end(directory / "locustfile.py")
    there = ("--worker", "--master-host", "127.0.0.1", "--master-port", port, *of_worker)
    where: dict[str, Any] = {"cwd": directory, "is_measured": False}
    before = sum(fake.counts(mode).values())
    worker = start_locust(*file, *there, log=directory / "worker.log", **where, **environ)
    try:
        bind = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "1")
        head = ("--headless", "--only-summary", "-u", "4", "-r", "4")
        options = ("--issuer", fake.issuer(mode), "--workload", "access", "--samples", "out")
        master = start_locust(*file, *bind, *head, *options, log=log, **where)
        ended(master, directory, log, lambda: sum(fake.counts(mode).values()) > before + 20)
        return log.read_text()
    finally:
        end(worker)


def test_options_that_change_after_the_start_do_not_reach_the_workers(tmp_path: Path, fake: FakeIam) -> None:
    output = run_distributed(tmp_path, fake, "ok", FORGING)
    result = read_load_result(tmp_path / "out")
    assert result is not None, output
    assert (result.status, result.reason) == (TrialStatus.OK, None), output
    assert set(read_samples(tmp_path / "out" / "samples.parquet")["step"].to_pylist()) == {"issue", "workflow"}


def test_a_worker_with_an_issuer_of_its_own_sends_its_secrets_to_no_other(tmp_path: Path, fake: FakeIam) -> None:
    own = ("--issuer", "https://iam.example.org/")
    plain = FORGING.partition("def forge")[0]
    secret = {"IAM_LOADTEST_CLIENT_SECRET": "hidden"}
    output = run_distributed(tmp_path, fake, "own-issuer", plain, *own, **secret)
    assert "another one than at the start of this process, which holds secrets" in output
    assert "hidden" not in output + (tmp_path / "worker.log").read_text()
    assert fake.counts("own-issuer") == {}
