"""`iam-loadtest worker`, and what `run` says and refuses about workers on other hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.runner.load_processes import free_port
from tests.cli.front_door import call

TARGET = ("--target", "https://iam.example.org")


@pytest.mark.parametrize("master", ["", "host:", "host:0", "host:65536", "host:port", "[::1", ":5557"])
def test_a_master_that_is_no_host_and_port_is_wrong_usage(master: str, capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "worker", "--master", master, *TARGET, "--max-idle", "100ms")
    assert called.code == 2


def test_a_worker_must_name_where_its_secrets_may_go(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "worker", "--master", "127.0.0.1")
    assert called.code == 2
    assert "Missing option '--target'" in called.err


def test_a_target_that_is_no_url_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "worker", "--master", "127.0.0.1", "--target", "ftp://iam.example.org")
    assert called.code == 1
    assert called.err.startswith("'ftp://iam.example.org' is no host and no http or https URL")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_no_master_is_said_once_and_exit_code_1_after_the_time(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    called = call(capsys, "worker", "--master", f"{host}:{port}", *TARGET, "--max-idle", "500ms")
    assert called.code == 1
    waiting, error = called.err.splitlines()
    assert waiting.startswith(f"Waiting for a master at {host.strip('[]')}:{port} (")
    assert "within 500ms; start it with `iam-loadtest run --workers-external`" in error


def test_json_lines_are_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    called = call(capsys, "worker", "--master", f"127.0.0.1:{port}", *TARGET, "--max-idle", "500ms", "--json-log")
    expected = f'{{"event": "worker_waiting", "master": "127.0.0.1:{port}", "why": "Connection refused"}}\n'
    assert called.out == expected


def test_an_address_needs_workers_of_other_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "run", tmp_path / "s.yaml", "--bind", "127.0.0.1")
    assert called.code == 2
    assert "--workers-external N" in called.err


def test_the_number_of_workers_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--workers-external", "2", "--workers", "3", "--port", free_port())
    called = call(capsys, "run", tmp_path / "s.yaml", *options)
    assert called.code == 2
    assert "leave --workers out" in called.err


def test_an_address_of_another_machine_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--workers-external", "2", "--bind", "192.0.2.1", "--reports", tmp_path / "reports")
    called = call(capsys, "run", tmp_path / "s.yaml", *options)
    assert called.code == 1
    assert called.err.startswith("--bind 192.0.2.1 --port 5557: cannot be listened on")
    assert not (tmp_path / "reports").exists()
