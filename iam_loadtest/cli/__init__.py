"""The front door: the only room that prints and exits.

Commands live in modules of their own and are imported when they are called, so that ``--help`` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from iam_loadtest import __version__
from iam_loadtest.errors import UserError
from iam_loadtest.oidc.redact import printable

EXIT_CANNOT = 1
EXIT_TRIALS = 3
EXIT_OBJECTIVE = 4
EXIT_INCONCLUSIVE = 5
EXIT_INTERRUPTED = 130

_COMMANDS = {
    "iam": ("iam_loadtest.cli.iam:iam", "Run the built-in IAM, a stand-in for tests."),
    "init": ("iam_loadtest.cli.init:init", "Write a first scenario for an IAM, and check it."),
    "check": ("iam_loadtest.cli.check:check", "Reach every topology and walk every workload once."),
    "users": ("iam_loadtest.cli.users:users", "Make and remove users, clients and sessions at an IAM."),
    "plan": ("iam_loadtest.cli.plan:plan", "Show the trials, their order and how long they take."),
    "run": ("iam_loadtest.cli.run:run", "Run a scenario, or what is missing of a run."),
    "worker": ("iam_loadtest.cli.worker:worker", "Generate load for runs on another host."),
    "report": ("iam_loadtest.cli.report:report", "Write the report of a run."),
    "compare": ("iam_loadtest.cli.compare:compare", "Hold one run against another."),
    "null-iam": ("iam_loadtest.cli.null_iam:null_iam", "Run the null token server: a fixed answer, at once."),
    "calibrate": ("iam_loadtest.cli.calibrate:calibrate", "Measure what the load generator itself can do here."),
    "lab": ("iam_loadtest.cli.lab:lab", "Build a geo-distributed deployment on this machine."),
    "schema": ("iam_loadtest.cli.schema:schema", "Print the JSON Schema of scenario files."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="iam-loadtest")
def cli() -> None:
    """Load testing of OIDC token workflows, compared across deployment topologies.

    \b
    Exit codes: 0 done; 1 cannot do what was asked; 2 wrong usage; 3 finished, some trials failed or were
    invalid; 4 an objective was missed, or worse than the baseline; 5 undecided, with --strict; 130 interrupted.
    """


def main(arguments: list[str] | None = None, **extra: Any) -> None:
    """Run the command line; a UserError becomes its message and exit code 1, Ctrl-C exit code 130."""
    try:
        code = cli.main(args=arguments, prog_name="iam-loadtest", standalone_mode=False, **extra)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except UserError as error:
        for line in str(error).splitlines():
            click.echo(printable(line), err=True)
        sys.exit(EXIT_CANNOT)
    sys.exit(code if isinstance(code, int) else 0)
