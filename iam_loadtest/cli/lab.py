"""``iam-loadtest lab``: build deployments on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_loadtest.errors import UserError

if TYPE_CHECKING:
    from iam_loadtest.results.lab_state import LabState

DEFAULT_PORT = 8492
_POLL_S = 0.1
_DEFAULT = Path(tempfile.gettempdir()) / f"iam-loadtest-lab-{os.getuid()}"
_directory = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=_DEFAULT,
    show_default=True,
    help="Where the lab keeps its data, sockets and logs; one lab to a directory.",
)


@click.group("lab")
def lab() -> None:
    """Build a deployment on this machine: clusters with latency between them, HAProxy, frontends and databases.

    Everything runs in namespaces of its own; links, routes and firewall of the machine stay as they are.
    """


@lab.command(short_help="Build a topology, until Ctrl-C.")
@click.argument("topology")
@_directory
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="Port of 127.0.0.1; 0: free."
)
@click.option("--background", is_flag=True, help="Return when the lab is ready; `lab down` ends it.")
@click.option("--observe", is_flag=True, help="Write each second how every server fares into observed.csv.")
def up(topology: str, directory: Path, port: int, background: bool, observe: bool) -> None:
    """Build a TOPOLOGY: SCENARIO:NAME, or a YAML file with the keys of one topology. Ctrl-C ends it."""
    from iam_loadtest.lab.launch import run_lab  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.lab_file import load_lab_topology  # noqa: PLC0415  not needed for --help

    noun = load_lab_topology(topology)
    directory = directory.absolute()
    if background:
        _up_in_background(topology, directory, port, observe)
    else:
        run_lab(noun, directory, port, _say_ready, observe)


@lab.command(short_help="Say whether a lab is running, and its servers.")
@_directory
def status(directory: Path) -> None:
    """Say whether a lab is running, and what its servers are."""
    from iam_loadtest.lab.control import last_problem, running_lab  # noqa: PLC0415  not needed for --help

    found = running_lab(directory.absolute())
    if found is None:
        click.echo(f"No lab is running in {directory}.")
        if problem := last_problem(directory.absolute()):
            click.echo(f"The last one failed: {problem}; its logs are in {directory / 'logs'}.")
        return
    click.echo(f"The lab in {directory} is {found.state.phase}.")
    if found.state.phase == "ready":
        _describe(found.state)


@lab.command()
@_directory
def down(directory: Path) -> None:
    """End the lab; its logs stay."""
    from iam_loadtest.lab.control import take_down  # noqa: PLC0415  not needed for --help

    ended = take_down(directory.absolute())
    click.echo("The lab has ended." if ended else f"No lab is running in {directory}.")


@lab.command(
    "exec", short_help="Run a command in the network of a node.", context_settings={"allow_interspersed_args": False}
)
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@_directory
def execute(node: str, command: tuple[str, ...], directory: Path) -> None:
    """Run a COMMAND in the network of a NODE; give --directory before NODE, what follows it is the command's."""
    from iam_loadtest.lab.control import execute_in  # noqa: PLC0415  not needed for --help

    words = command[1:] if command[0] == "--" else command
    if not words:
        raise click.UsageError("Missing argument 'COMMAND...'.")
    sys.exit(execute_in(directory.absolute(), node, words))


@lab.command(short_help="Try what of the lab works here.")
def doctor() -> None:
    """Try what of the lab works on this machine, and say how to get the rest."""
    from iam_loadtest.lab.doctor import examine  # noqa: PLC0415  not needed for --help

    for finding in examine():
        click.echo(f"{'works' if finding.works else 'no':<6} {finding.subject:<24} {finding.words}")


def _up_in_background(topology: str, directory: Path, port: int, observe: bool) -> None:
    command = [sys.executable, "-m", "iam_loadtest", "lab", "up", topology, "--directory", str(directory)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  this program itself
            [*command, "--port", str(port), *(["--observe"] if observe else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        state = _awaited(process, directory)
        if state is None:
            output.seek(0)
            click.echo(output.read().decode("utf-8", errors="replace").rstrip(), err=True)
            sys.exit(process.returncode or 1)
    _describe(state)


def _awaited(process: subprocess.Popen[bytes], directory: Path) -> LabState | None:
    """The state of a lab that got ready; None where it ended before."""
    from iam_loadtest.lab.control import running_lab  # noqa: PLC0415  not needed for --help

    try:
        while process.poll() is None:
            with suppress(UserError):  # it may be removing what an earlier lab left, and ends itself where it cannot
                found = running_lab(directory, launcher=process.pid)
                if found and found.state.phase == "ready":
                    return found.state
            time.sleep(_POLL_S)
    except BaseException:  # Ctrl-C: nobody waits for the lab any more; it is raised again
        process.terminate()
        process.wait()
        raise
    return None


def _say_ready(state: LabState) -> None:
    _describe(state)
    click.echo("Ctrl-C ends it.", err=True)


def _describe(state: LabState) -> None:
    took_s = sum(state.took_s.values())
    click.echo(f"Ready: {state.issuer} after {took_s:.1f} s, frontends {', '.join(state.nodes)}")
    for pair, rtt_ms in state.rtt_ms.items():
        shown = "no answer" if rtt_ms is None else f"{rtt_ms:.2f} ms"
        made = state.links.get(pair, "way of the first cluster")
        click.echo(f"Round trip between clusters {pair}: {shown}, by {made}")
    for name, address in state.hosts.items():
        click.echo(f"  {name:<14} {address}")
    for words in state.died:
        click.echo(f"  {words}")
