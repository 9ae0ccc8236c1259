"""Every command and every scenario that the README shows is run as it stands (see test_readme_pipeline, too)."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from iam_loadtest.scenario.load_file import parse_scenario
from tests.readme import PIPELINE, README, ROOT, RUN_BY_CI, SERVES, commands, make_checkout, run_for_real, run_in

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def built_in_iam(checkout: Path) -> Iterator[None]:
    """The built-in IAM, started by the README's own command."""
    with serving(".venv/bin/iam-loadtest iam", checkout):
        yield


class serving:
    """The server of a command while the block runs; fails where its URL does not answer."""

    def __init__(self, command: str, directory: Path) -> None:
        self._process = subprocess.Popen(shlex.split(command), cwd=directory, stderr=subprocess.DEVNULL)
        self._url = SERVES[command]

    def __enter__(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if requests.get(self._url, timeout=60).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)  # polls a process that is starting
        raise AssertionError(f"{self._url} does not answer")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)


def test_the_two_commands_of_the_readme_are_what_ci_runs() -> None:
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert set(commands()) >= RUN_BY_CI
    assert set(steps) >= RUN_BY_CI


def test_commands_with_a_test_of_their_own_are_in_the_readme() -> None:
    assert set(commands()) >= {*SERVES, PIPELINE}


@pytest.mark.parametrize("command", run_for_real())
def test_a_command_of_the_readme_works(command: str, checkout: Path, built_in_iam: None) -> None:
    run_in(checkout, command)


def test_the_web_ui_of_the_readme_answers(checkout: Path, built_in_iam: None) -> None:
    with serving(".venv/bin/locust -f locustfiles/mixed.py --web-host 127.0.0.1", checkout):
        assert "Locust" in requests.get("http://127.0.0.1:8089/", timeout=60).text


def test_the_scenario_of_the_readme_is_valid() -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
    scenarios = [block for block in blocks if "topologies" in block]
    assert [parse_scenario(block, "README.md", environ={}).name for block in scenarios] == ["my-iam"]


PAGES = [
    ROOT / "README.md",
    *(page for name in ("docs", "scenarios", "reports") for page in (ROOT / name).glob("*.md")),
]


def links_of(page: Path) -> list[tuple[Path, str]]:
    """Where the links of a page lead inside the project: a file and, where one is named, a heading."""
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text(encoding="utf-8"))
    return [((page.parent / to).resolve() if to else page, heading) for to, heading in links if "://" not in to]


def headings_of(page: Path) -> set[str]:
    """The names that links call a page's headings by."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Files are there, and so are headings."""
    lost = [(to, heading) for to, heading in links_of(page) if not to.exists()]
    lost += [(to, heading) for to, heading in links_of(page) if heading and heading not in headings_of(to)]
    assert lost == []


def test_every_page_is_linked() -> None:
    """What nobody can find was written for nobody."""
    reached = {to for page in PAGES for to, _ in links_of(page)}
    assert [page for page in PAGES if page not in reached and page != ROOT / "README.md"] == []


def test_the_glossary_explains_every_outcome_and_status_by_its_noun() -> None:
    """Words of the design stand in the glossary: each is a row of its table."""
    rows = re.findall(r"^\| ([a-z ]+) \|", README.partition("## Glossary")[2], re.MULTILINE)
    assert {"run", "trial", "topology", "workload", "step", "outcome", "percentile", "baseline", "caution"} <= set(rows)
