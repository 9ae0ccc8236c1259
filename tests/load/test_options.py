"""Options, and the two fields of the web UI that name the issuer."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.load.options import IssuerFields, add_options, choices_of
from iam_loadtest.load.setup import Choices

START, OTHER, THIRD = "http://127.0.0.1:1/", "http://127.0.0.1:2/", "http://127.0.0.1:3/"


class Parser(argparse.ArgumentParser):
    """Takes Locust's keywords, and remembers which options the web UI shows."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def add_argument(self, *names: str, include_in_web_ui: bool = True, env_var: str = "", **settings: Any) -> Any:
        if include_in_web_ui and names[0] != "-h":
            self.shown.append(names[0])
        return super().add_argument(*names, **settings)


def parser() -> Parser:
    made = Parser()
    add_options(made)
    return made


def test_the_web_ui_shows_four_fields_and_no_file_name() -> None:
    assert parser().shown == ["--issuer", "--client-id", "--scope", "--workload"]


def test_no_option_is_a_secret() -> None:
    assert not [option for option in parser().format_help().split() if "secret" in option and option.startswith("--")]


def test_values_become_choices() -> None:
    given = parser().parse_args(["--issuer", START, "--client-id", " me ", "--workload", "refresh", "--insecure"])
    assert choices_of(given) == Choices(issuer=START, client_id="me", workload="refresh", insecure=True)
    assert choices_of(parser().parse_args([])) == Choices()


def test_workloads_of_a_scenario_that_the_environment_names_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text("name: mine\ntopologies: {one: {provider: embedded}}\nworkloads: {night: [issue]}\n")
    monkeypatch.setenv("IAM_LOADTEST_SCENARIO", str(scenario))
    monkeypatch.setattr("sys.argv", ["locust"])
    assert parser().parse_args(["--workload", "night"]).workload == "night"


def fields(host: str = "", issuer: str = "", chosen: str = START) -> IssuerFields:
    """The fields after a first test that used ``chosen``."""
    made = IssuerFields()
    made.choose(SimpleNamespace(host=host, issuer=issuer))
    made.show(SimpleNamespace(), chosen)
    return made


@pytest.mark.parametrize(
    ("host", "issuer", "expected"),
    [("", "", ""), (START, "", START), ("", START, START), (OTHER, START, START)],
)
def test_at_first_the_option_counts_and_then_locusts_host(host: str, issuer: str, expected: str) -> None:
    assert IssuerFields().choose(SimpleNamespace(host=host, issuer=issuer)) == expected


@pytest.mark.parametrize(
    ("host", "issuer", "expected"),
    [(START, "", START), ("", "", START), (OTHER, "", OTHER), (START, OTHER, OTHER), (OTHER, OTHER, OTHER)],
)
def test_later_the_field_that_was_changed_counts(host: str, issuer: str, expected: str) -> None:
    assert fields().choose(SimpleNamespace(host=host, issuer=issuer)) == expected


def test_the_same_form_sent_again_means_the_same_issuer() -> None:
    again = fields(issuer=START)
    assert again.choose(SimpleNamespace(host=START, issuer=OTHER)) == OTHER
    again.show(SimpleNamespace(), OTHER)
    assert again.choose(SimpleNamespace(host=START, issuer=OTHER)) == OTHER


def test_two_different_changes_are_refused() -> None:
    with pytest.raises(UserError, match="both name the issuer"):
        fields().choose(SimpleNamespace(host=OTHER, issuer=THIRD))


def test_a_choice_that_was_refused_is_not_forgotten_but_counts_again() -> None:
    """Only what was usable is shown; the caller refuses the rest, each time that it is asked for."""
    at_start, later = IssuerFields(), fields(issuer=START)
    for _ in range(2):
        assert at_start.choose(SimpleNamespace(host="", issuer="nonsense")) == "nonsense"
        assert later.choose(SimpleNamespace(host=START, issuer="nonsense")) == "nonsense"


def test_the_issuer_is_shown_as_host() -> None:
    environment = SimpleNamespace(host=None)
    IssuerFields().show(environment, START)
    assert environment.host == START
