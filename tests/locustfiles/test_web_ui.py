"""The web UI of the locustfiles: its fields, a run started from it, and nothing secret in its pages."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.results.load_result import read_load_result
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import LOCUSTFILES, FakeIam, end, eventually, free_port, start_locust

SECRET = "s3cr3t-that-nobody-may-see"
SHOW_CHOICES = """\
import json
from dataclasses import asdict
from pathlib import Path

import locust
from locust.runners import WorkerRunner

from iam_loadtest.load.options import choices_of
from iam_loadtest.load.plugin import install
from iam_loadtest.load.users import WorkloadUser

install()


@locust.events.test_start.add_listener
def show_choices(environment, **_):
    if isinstance(environment.runner, WorkerRunner):
        Path("part").write_text(json.dumps(asdict(choices_of(environment.parsed_options))))
        Path("part").rename("choices.json")
"""


@dataclass
class WebUi:
    """A running web UI, and the directory of its process."""

    url: str
    directory: Path

    def get(self, path: str = "") -> str:
        with urllib.request.urlopen(self.url + path) as answer:
            return answer.read().decode()

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def post(self, path: str, **form: str) -> Any:
        body = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self.url + path, body) as answer:
            return json.load(answer)

    def start(self, **form: str) -> Any:
        return self.post("swarm", user_count="5", spawn_rate="5", **form)

    def fields(self) -> dict[str, Any]:
        """The custom fields of the form."""
        page = self.get()
        arguments = page.partition("window.templateArgs = ")[2]
        return json.JSONDecoder().raw_decode(arguments)[0]["extra_options"]

    def is_there(self) -> bool:
        try:
            self.get()
        except urllib.error.URLError:
            return False
        return True


@pytest.fixture(scope="module")
def web_ui(tmp_path_factory: pytest.TempPathFactory, fake: FakeIam) -> Iterator[WebUi]:
    """Locust with its web UI and secrets in its environment."""
    directory = tmp_path_factory.mktemp("web")
    port = str(free_port())
    files = ",".join(str(LOCUSTFILES / name) for name in ("mixed.py", "token_exchange.py"))
    web = ("--class-picker", "--web-host", "127.0.0.1", "--web-port", port)
    options = ("--issuer", fake.issuer("pace"), "--samples", "out")
    secrets = {"IAM_LOADTEST_CLIENT_SECRET": SECRET, "IAM_LOADTEST_PASSWORD": SECRET}
    process = start_locust("-f", files, *web, *options, cwd=directory, log=directory / "log", **secrets)
    page = WebUi(f"http://127.0.0.1:{port}/", directory)
    try:
        eventually(page.is_there)
        yield page
    finally:
        end(process)


def test_the_form_has_the_four_fields_and_shows_the_issuer_as_host(web_ui: WebUi, fake: FakeIam) -> None:
    fields = web_ui.fields()
    assert sorted(fields) == ["client_id", "issuer", "scope", "workload"]
    assert fields["workload"]["choices"] == ["default", "access", "refresh", "workflow", "mixed"]
    assert fields["issuer"]["default_value"] == fake.issuer("pace")
    assert '"missing_host_warning": false' in web_ui.get()
    assert f'"host": "{fake.issuer("pace")}"' in web_ui.get()
    for user_class in ("WorkloadUser", "TokenExchangeUser"):
        assert user_class in web_ui.get(), "the class picker lists the users of both files"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"workload": "nonsense"}, "workload is 'nonsense'; it must be one of: default, access, refresh"),
        ({"issuer": "http://127.0.0.1:1/"}, "another one than at the start of this process, which holds secrets"),
        ({"issuer": "nonsense"}, "issuer is 'nonsense'; it must be an http or https URL"),
    ],
)
def test_a_value_that_the_form_does_not_check_is_refused_by_the_server(
    web_ui: WebUi, form: dict[str, str], message: str
) -> None:
    web_ui.start(**{"workload": "default", **form})
    shown = eventually(
        lambda: [row["msg"] for row in web_ui.get_json("exceptions")["exceptions"] if message in row["msg"]]
    )
    assert len(shown) == 1
    assert web_ui.get_json("stats/requests")["user_count"] == 0


def test_a_run_started_from_the_page_uses_the_workload_chosen_and_keeps_its_samples(
    web_ui: WebUi, fake: FakeIam
) -> None:
    before = fake.counts("pace")
    answer = web_ui.start(workload="refresh", issuer=fake.issuer("pace"), user_classes="WorkloadUser")
    assert answer["success"]
    eventually(lambda: {"issue", "refresh"} <= {row["name"] for row in web_ui.get_json("stats/requests")["stats"]})
    pages = [web_ui.get(path) for path in ("", "stats/requests", "exceptions", "logs", "stats/report")]
    web_ui.post("stop")
    eventually((web_ui.directory / "out" / "load.json").is_file)
    steps = read_samples(web_ui.directory / "out" / "samples.parquet")["step"].to_pylist()
    assert set(steps) == {"issue", "refresh", "workflow"}
    counts = {grant: count - before.get(grant, 0) for grant, count in fake.counts("pace").items()}
    assert [steps.count("issue"), steps.count("refresh")] == [counts["password"], counts["refresh_token"]]
    result = read_load_result(web_ui.directory / "out")
    assert result is not None
    assert result.status is TrialStatus.OK
    for secret in (SECRET, "fake-access-", "fake-refresh-"):
        assert not [page for page in pages if secret in page]
    before = fake.counts("pace")
    web_ui.start(workload="access", issuer=fake.issuer("pace"))
    eventually(lambda: {"issue"} == {row["name"] for row in web_ui.get_json("stats/requests")["stats"][:-1]})
    web_ui.post("stop")
    eventually((web_ui.directory / "out-2" / "load.json").is_file)
    again = read_samples(web_ui.directory / "out-2" / "samples.parquet")["step"].to_pylist()
    counts = {grant: count - before.get(grant, 0) for grant, count in fake.counts("pace").items()}
    assert again.count("issue") == counts["client_credentials"], "a second test in the same process"
    assert read_samples(web_ui.directory / "out" / "samples.parquet").num_rows == len(steps)


FORGED = {
    "scenario": "/etc/passwd",
    "topology": "forged",
    "samples": "forged",
    "ca_bundle": "forged.pem",
    "insecure": "true",
}


@pytest.fixture(scope="module")
def distributed(tmp_path_factory: pytest.TempPathFactory, fake: FakeIam) -> Iterator[WebUi]:
    """A master with its web UI, and one worker; their files are named by the command line."""
    directory = tmp_path_factory.mktemp("distributed")
    web_port, port = str(free_port()), str(free_port())
    (directory / "locustfile.py").write_text(SHOW_CHOICES)
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    web = ("--web-host", "127.0.0.1", "--web-port", web_port)
    options = ("--issuer", fake.issuer("pace"), "--samples", "out")
    there = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
    where: dict[str, Any] = {"cwd": directory, "is_measured": False}
    file = ("-f", "locustfile.py")
    processes = [start_locust(*file, "--master", *bind, *web, *options, log=directory / "master.log", **where)]
    processes.append(start_locust(*file, *there, log=directory / "worker.log", **where))
    page = WebUi(f"http://127.0.0.1:{web_port}/", directory)
    try:
        eventually(page.is_there)
        eventually(lambda: page.get_json("stats/requests")["workers"])
        yield page
    finally:
        for process in processes:
            end(process)


def test_a_forged_form_changes_no_file_and_no_certificate_check_in_master_or_worker(distributed: WebUi) -> None:
    """Locust takes every option from the form, whether the page shows it or not."""
    assert distributed.start(workload="access", client_id="my-client", **FORGED)["success"]
    chosen = distributed.directory / "choices.json"
    eventually(chosen.is_file)
    choices = json.loads(chosen.read_text())
    fixed = {"scenario": "", "topology": "", "samples": "out", "ca_bundle": "", "insecure": False}
    assert {name: choices[name] for name in FORGED} == fixed, "as on the command line"
    assert (choices["workload"], choices["client_id"]) == ("access", "my-client"), "what the page may change"
    distributed.post("stop")
    assert (distributed.directory / "out").is_dir()
    assert not (distributed.directory / "forged").exists()
