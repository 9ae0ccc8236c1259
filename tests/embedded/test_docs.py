"""docs/built-in-iam.md says what there is, all of it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from iam_loadtest.cli.iam import iam as command
from iam_loadtest.embedded.metrics import ENDPOINTS
from iam_loadtest.embedded.seed import CLIENTS, PASSWORD_GRANT, SeedClient
from iam_loadtest.embedded.settings import DEFAULT_PORT, issuer_of
from tests.embedded.server import Iam

PAGE = (Path(__file__).parents[2] / "docs" / "built-in-iam.md").read_text(encoding="utf-8")


def test_every_option_is_explained_and_no_other() -> None:
    options = {name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)[` ]", PAGE)) == {name for name in options if name.startswith("--")} - {
        "--help"
    }


def words(text: str) -> str:
    """The last part of a grant type, however its words are joined."""
    return text.rpartition(":")[2].replace("-", " ").replace("_", " ")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.client_id)
def test_every_client_is_listed_with_its_method_and_grants(client: SeedClient) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{client.client_id}` |")]
    method, grants = row.split("|")[2:4]
    assert client.auth_method in method
    assert len(grants.split(",")) == len(client.grants)
    assert all(words(grant) in words(grants) for grant in client.grants)
    assert ("password" in grants) == (PASSWORD_GRANT in client.grants)


def test_every_endpoint_is_listed() -> None:
    listed = PAGE.replace("discovery", "/discovery")
    assert all(f"/{endpoint}" in listed for endpoint in ENDPOINTS if endpoint != "other")


def test_the_first_command_works(iam: Iam) -> None:
    """The curl line of the page, sent to the port of this test's IAM."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here: install curl, with which the page asks")
    (line,) = re.findall(r"^\$ (curl .*)$", PAGE, re.MULTILINE)
    here = line.replace(f"http://127.0.0.1:{DEFAULT_PORT}/", iam.issuer)
    done = subprocess.run(shlex.split(here), capture_output=True, text=True, check=True, timeout=60)
    assert '"access_token":"' in done.stdout


def test_issuers_are_addresses_that_a_browser_here_can_open() -> None:
    assert issuer_of("127.0.0.1", 8490) == "http://127.0.0.1:8490/"
    assert issuer_of("0.0.0.0", 80) == "http://localhost:80/"
    assert issuer_of("::1", 8490) == "http://[::1]:8490/"
