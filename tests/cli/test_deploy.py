"""The examples of docs/workers.md and deploy/: they parse, and every command and option in them exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from iam_loadtest.cli import cli
from iam_loadtest.runner.worker_supervisor import WorkerSettings
from iam_loadtest.scenario.worker_trust import WorkerTrust, parse_origin

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
UNIT = ROOT / "deploy" / "systemd" / "iam-loadtest-worker.service"
DOCS = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8")


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8")))


def job(name: str) -> dict[str, Any]:
    (found,) = [document for document in documents(name) if document["kind"] == "Job"]
    return found


def container(name: str) -> dict[str, Any]:
    (found,) = job(name)["spec"]["template"]["spec"]["containers"]
    return found


def parsed(words: list[str]) -> dict[str, Any]:
    """The values of a command's options, as click reads them; fails where one does not exist or fit."""
    context = click.Context(cli, **cli.context_settings)
    command = cli.get_command(context, words[0])
    assert command is not None, words
    return command.make_context(words[0], words[1:], parent=context).params


def shown_commands(text: str) -> list[list[str]]:
    """The package's own commands in the shell blocks of a text."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("iam-loadtest ")]


def test_the_documented_commands_exist_with_their_options() -> None:
    commands = [words for words in shown_commands(DOCS) if words]
    assert [words[0] for words in commands] == ["worker", "run", "worker"]
    for words in commands:
        parsed(words)


def test_master_and_workers_of_the_kubernetes_example_fit_together() -> None:
    run = parsed(container("master.yaml")["args"])
    worker = parsed(container("workers.yaml")["args"])
    service, policy, _ = documents("master.yaml")
    workers = job("workers.yaml")["spec"]
    assert run["workers_external"] == workers["completions"] == workers["parallelism"] == 8
    assert workers["completionMode"] == "Indexed"
    assert worker["master"] == (service["metadata"]["name"], run["port"])
    assert service["spec"]["ports"][0]["port"] == policy["spec"]["ingress"][0]["ports"][0]["port"] == run["port"]
    assert service["spec"]["publishNotReadyAddresses"]
    assert service["spec"]["selector"].items() <= job("master.yaml")["spec"]["template"]["metadata"]["labels"].items()
    assert (
        policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
        == workers["template"]["metadata"]["labels"]
    )
    assert worker["max_idle"], "else the Job never ends"


@pytest.mark.parametrize("name", ["master.yaml", "workers.yaml"])
def test_a_pod_has_whole_cores_and_is_never_restarted(name: str) -> None:
    spec = job(name)["spec"]
    resources = container(name)["resources"]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert resources["requests"] == resources["limits"]
    assert resources["limits"]["cpu"] == "1"
    assert container(name)["image"] == container("master.yaml")["image"]


@pytest.mark.parametrize("name", ["master.yaml", "workers.yaml"])
def test_a_pod_is_one_that_a_restricted_namespace_admits(name: str) -> None:
    """The restricted profile of the Pod Security Standards."""
    pod, own = job(name)["spec"]["template"]["spec"], container(name)["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_the_containerfile_copies_what_is_there() -> None:
    lines = (KUBERNETES / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_systemd_unit_starts_a_worker() -> None:
    (command,) = re.findall(r"^ExecStart=\S+/iam-loadtest (.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    values = parsed(shlex.split(command))
    trust = WorkerTrust(tuple(parse_origin(target) for target in values["targets"]))
    passed = WorkerSettings(*values["master"], trust, values["secret_variables"]).environment({"LOADTEST_A": "x"})
    assert passed["LOADTEST_A"] == "x"


def test_the_links_of_the_document_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", DOCS)
    assert [link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()] == []
