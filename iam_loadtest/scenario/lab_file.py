"""Read one lab topology: out of a scenario, or from a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.load_file import load_scenario, parse_scenario
from iam_loadtest.scenario.topology import LabTopology
from iam_loadtest.scenario.yaml_file import read_document


def load_lab_topology(where: str) -> LabTopology:
    """The topology that ``scenario.yaml:name`` names, or that a file holds; raises UserError where it is none."""
    path, colon, name = where.rpartition(":")
    if not colon or Path(where).exists():
        return _from_own_file(Path(where))
    topologies = load_scenario(Path(path)).topologies
    labs = [known for known, topology in topologies.items() if isinstance(topology, LabTopology)]
    topology = topologies.get(name)
    if not isinstance(topology, LabTopology):
        raise UserError(
            f"{path}: {name!r} is no topology with provider: lab; there are: {', '.join(labs) or '(none)'}."
        )
    return topology


def _from_own_file(path: Path) -> LabTopology:
    document = read_document(path)
    if isinstance(document, Mapping) and "topologies" in document:
        raise UserError(f"{path}: is a whole scenario; name one of its topologies: {path}:NAME.")
    named = {"provider": "lab", **document} if isinstance(document, Mapping) else document
    topology = parse_scenario({"name": "lab", "topologies": {"lab": named}}, str(path)).topologies["lab"]
    if not isinstance(topology, LabTopology):
        raise UserError(f"{path}: its provider is not lab; write provider: lab.")
    return topology
