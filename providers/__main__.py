"""``python -m providers``: install a provider, or run it while a command runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import click

from providers import keycloak, nanoidp, oidc_provider
from providers.keycloak import lab
from providers.missing import ProviderError

PROVIDERS: dict[str, ModuleType] = {
    "keycloak": keycloak,
    "keycloak-lab": lab,
    "nanoidp": nanoidp,
    "oidc-provider": oidc_provider,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice(sorted(PROVIDERS)))
@click.argument("command", nargs=-1)
@click.option("--install", is_flag=True, help="Download and build only.")
def main(name: str, command: tuple[str, ...], install: bool) -> None:
    """Run the provider NAME while COMMAND runs, with its issuer and secrets in COMMAND's environment.

    \b
    python -m providers keycloak -- iam-loadtest run scenarios/keycloak.yaml
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    provider = PROVIDERS[name]
    if not install and not command:
        raise click.UsageError("name a COMMAND to run beside it, after --, or --install.")
    lacking = provider.missing()
    if lacking:
        raise click.ClickException(f"{name} cannot run here; install: {'; '.join(lacking)}.")
    try:
        provider.install()
        if not install:
            sys.exit(_run_beside(provider, command))
    except ProviderError as error:
        raise click.ClickException(str(error)) from error


def _run_beside(provider: ModuleType, command: tuple[str, ...]) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="iam-loadtest-provider-") as directory,
        provider.running(Path(directory)) as running,
    ):
        if running.issuer:
            click.echo(f"{running.issuer} answers.", err=True)
        return _run(command, {**os.environ, **running.environ})


def _run(command: tuple[str, ...], environ: dict[str, str]) -> int:
    """The exit code of a command. Ctrl-C reaches it from the terminal: it ends by itself, and the provider after it."""
    try:
        process = subprocess.Popen(command, env=environ)
    except OSError as error:
        raise click.ClickException(f"{command[0]} cannot be started: {error.strerror}.") from error
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


if __name__ == "__main__":
    main()
