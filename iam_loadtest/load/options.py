"""Options of a plain Locust run.

No secret is an option: options show in the process list, and Locust sends them to workers in clear.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from iam_loadtest.errors import UserError
from iam_loadtest.load.setup import (
    CLIENT_SECRET_VARIABLE,
    OWN_WORKLOAD,
    Choices,
    workload_choices,
)
from iam_loadtest.scenario.builtin import DEFAULT_ISSUER


def add_options(parser: Any) -> None:
    """Add the options to Locust's parser; four of them are fields of the web UI."""
    for name, help_text, metavar in (
        ("issuer", f"As --host; the scenario's, or {DEFAULT_ISSUER}, where empty.", "<url>"),
        (
            "client-id",
            f"First step's client, secret in {CLIENT_SECRET_VARIABLE}; the scenario's where empty.",
            "<id>",
        ),
        ("scope", "First step's scopes; the scenario's where empty.", "<scopes>"),
    ):
        option = f"--{name}"
        parser.add_argument(option, default="", help=help_text, metavar=metavar, env_var=_variable(name))
    parser.add_argument(
        "--workload",
        default=OWN_WORKLOAD,
        choices=list(workload_choices(_scenario_argument(sys.argv[1:]))),
        help=f"What users run: a workload, mixed (all in equal shares), or {OWN_WORKLOAD}: what the locustfile says.",
        env_var=_variable("workload"),
    )
    for name, help_text, metavar in (
        ("scenario", "Scenario file whose clients, users, steps, workloads and target are used.", "<file>"),
        ("topology", "Topology of the scenario; its first one where left out.", "<name>"),
        ("samples", "Where samples.parquet (every request, exact) and load.json go; DIR-2 for a second test.", "<dir>"),
        ("ca-bundle", "PEM file of further certificate authorities.", "<file>"),
    ):
        _add_hidden(parser, name, help_text, default="", metavar=metavar)
    _add_hidden(parser, "insecure", "Do not check the server's certificate.", default=False, action="store_true")


def choices_of(options: Any) -> Choices:
    """The values of the options, as a command line or the web UI gave them."""
    return Choices(
        issuer=_text(options.issuer),
        client_id=_text(options.client_id),
        scope=_text(options.scope),
        workload=_text(options.workload) or OWN_WORKLOAD,
        scenario=_text(options.scenario),
        topology=_text(options.topology),
        samples=_text(options.samples),
        ca_bundle=_text(options.ca_bundle),
        insecure=bool(options.insecure),
    )


class IssuerFields:
    """The web UI has two fields for an issuer: Locust's own Host, and issuer. Whichever was changed last counts."""

    def __init__(self) -> None:
        self._host = ""
        self._issuer = ""
        self._seen = ("", "")
        self._chosen = ""

    def choose(self, options: Any) -> str:
        """The issuer that the options ask for, empty for the scenario's; raises UserError where two are asked for.

        What is not shown afterwards counts as a change again: a refused value is refused each time, never dropped.
        """
        issuer, host = _text(options.issuer), _text(options.host)
        is_first = not self._chosen
        changed = [issuer] if issuer and issuer != self._issuer else []
        changed += [host] if host and host not in {self._host, self._chosen} else []
        self._seen = (host, issuer)
        if len(set(changed)) > 1 and not is_first:
            raise UserError(f"Host is {host!r} and issuer is {issuer!r}; both name the issuer, so change one of them.")
        return changed[0] if changed else self._chosen

    def show(self, environment: Any, issuer: str) -> None:
        """Let the web UI show the issuer as Host, and Locust tell it to its workers: the last choice was usable."""
        self._host, self._issuer = self._seen
        self._chosen = environment.host = issuer


def _add_hidden(parser: Any, name: str, help_text: str, **settings: Any) -> None:
    """An option that the web UI does not show: who may open the page may not name files of this machine."""
    parser.add_argument(f"--{name}", help=help_text, include_in_web_ui=False, env_var=_variable(name), **settings)


def _variable(option: str) -> str:
    return "IAM_LOADTEST_" + option.upper().replace("-", "_")


def _scenario_argument(arguments: Sequence[str]) -> str:
    """The scenario that is named, needed before the command line is parsed: its workloads are an option's choices."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--scenario", default=os.environ.get(_variable("scenario"), ""))
    return str(parser.parse_known_args(list(arguments))[0].scenario)


def _text(value: object) -> str:
    return str(value or "").strip()
