"""Hooks are told what they need, keep their output, and fail the trial where they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.results.run import PlannedTrial
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.hook import HOOKS_LOG, hook_environment, run_hook
from iam_loadtest.scenario.hook import Hook
from tests.runner.children import daemon, eventually, is_running, pid_in, python, writes_its_pid

PLANNED = PlannedTrial(7, "two", "refresh", 2)


def hook(code: str, timeout: object = 30) -> Hook:
    """A hook that runs this Python code."""
    return Hook.model_validate({"command": python(code), "timeout": timeout})


def run(directory: Path, what: Hook) -> None:
    run_hook("before_trial", what, directory, hook_environment(PLANNED, directory, "https://iam.example.org/"))


def log_of(directory: Path) -> list[str]:
    return (directory / HOOKS_LOG).read_text(encoding="utf-8").splitlines()


def failure_of(directory: Path, what: Hook) -> str:
    with pytest.raises(TrialFailedError) as caught:
        run(directory, what)
    return str(caught.value)


def test_a_hook_is_told_topology_workload_trial_directory_and_issuer(tmp_path: Path) -> None:
    """On top of the runner's own environment."""
    run(
        tmp_path,
        hook(
            "import os; print(*(f'{k}={v}' for k, v in sorted(os.environ.items()) if 'IAM_LOADTEST' in k), sep='\\n')"
        ),
    )
    assert log_of(tmp_path)[1:] == [
        "IAM_LOADTEST_ISSUER=https://iam.example.org/",
        "IAM_LOADTEST_TOPOLOGY=two",
        f"IAM_LOADTEST_TRIAL_DIRECTORY={tmp_path}",
        "IAM_LOADTEST_TRIAL_NUMBER=2",
        "IAM_LOADTEST_WORKLOAD=refresh",
    ]


def test_output_of_all_hooks_of_a_trial_is_kept(tmp_path: Path) -> None:
    """One after another in one file, each below its name; arguments, which may be long, are not repeated."""
    run(tmp_path, hook("print('first')"))
    run(tmp_path, hook("import sys; sys.stderr.write('second\\n')"))
    head = f"# before_trial: {python('')[0]}"
    assert log_of(tmp_path) == [head, "first", head, "second"]


def test_a_failing_hook_fails_the_trial_with_its_last_line(tmp_path: Path) -> None:
    """The exit code, what the command said last, and where the rest is."""
    assert failure_of(tmp_path, hook("print('trying'); print('no such release'); raise SystemExit(3)")) == (
        "hook before_trial ended with exit code 3: no such release; see hooks.log."
    )


def test_a_silent_failing_hook_says_so(tmp_path: Path) -> None:
    """An empty reason would look like a mistake of ours."""
    assert failure_of(tmp_path, hook("raise SystemExit(1)")) == (
        "hook before_trial ended with exit code 1: it printed nothing; see hooks.log."
    )


def test_a_token_in_a_hook_s_last_line_is_taken_out(tmp_path: Path) -> None:
    """The reason goes into trial.json and the report."""
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJoYXJyeSJ9.c2lnbmF0dXJl"
    assert "<token>" in failure_of(tmp_path, hook(f"print('curl: {token} refused'); raise SystemExit(1)"))


def test_bytes_that_are_no_text_and_escape_codes_do_no_harm(tmp_path: Path) -> None:
    """The reason is shown on terminals: it can neither move a cursor nor end the runner. The log has every byte."""
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) + b'\\n\\x1b]0;title\\x07\\x1b[31mno \\xff release')"
    reason = failure_of(tmp_path, hook(f"{code}; sys.exit(1)"))
    assert reason.isprintable()
    assert reason == "hook before_trial ended with exit code 1: ]0;title [31mno \ufffd release; see hooks.log."
    assert bytes(range(256)) in (tmp_path / HOOKS_LOG).read_bytes()


def test_of_a_long_log_the_end_alone_is_read(tmp_path: Path) -> None:
    """A hook may print gigabytes; its last line is the reason all the same."""
    code = "print('x' * 70_000); print('y ' * 40_000); print('out of memory'); raise SystemExit(1)"
    assert failure_of(tmp_path, hook(code)).endswith("exit code 1: out of memory; see hooks.log.")


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """127 is what a shell would say as well."""
    assert failure_of(tmp_path, Hook.model_validate("no-such-program --now")) == (
        "hook before_trial ended with exit code 127: no-such-program: cannot be started: No such file or directory; "
        "see hooks.log."
    )


def test_a_hook_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    """The limit is named; neither the command nor its child is left."""
    child = writes_its_pid(tmp_path / "child")
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert failure_of(tmp_path, hook(code, timeout="5s")) == "hook before_trial did not end within 5s; see hooks.log."
    assert eventually(lambda: not is_running(pid_in(tmp_path / "child")))


def test_a_daemon_that_a_hook_leaves_is_ended(tmp_path: Path) -> None:
    """Services are started through a service manager, not from a hook."""
    run(tmp_path, hook(daemon(tmp_path / "daemon")))
    assert not is_running(pid_in(tmp_path / "daemon"))


def test_hooks_see_no_terminal(tmp_path: Path) -> None:
    """A command that asks a question does not wait for an answer that never comes."""
    with pytest.raises(TrialFailedError, match="EOFError"):
        run(tmp_path, hook("input('Sure? ')"))


def test_what_hooks_print_is_for_their_owner_alone(tmp_path: Path) -> None:
    """They are given the runner's environment, and it is kept as it is."""
    run(tmp_path, hook("print(1)"))
    run(tmp_path, hook("print(2)"))
    assert (tmp_path / HOOKS_LOG).stat().st_mode & 0o777 == 0o600
    assert [line for line in log_of(tmp_path) if not line.startswith("#")] == ["1", "2"]
