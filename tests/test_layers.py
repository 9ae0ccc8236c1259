"""Imports point down the house and never sideways between rooms; heavy packages stay where they are needed.

cli -> rooms (runner, load, analysis, report, embedded, lab) -> hall (scenario, flow, results) -> ground (oidc, errors,
units). Imports inside functions count as well, except where a package may be imported lazily.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")

PACKAGE = Path(__file__).parents[1] / "iam_loadtest"
ROOMS = frozenset({"runner", "load", "analysis", "report", "embedded", "lab"})
HALL = frozenset({"scenario", "flow", "results"})
GROUND = frozenset({"oidc", "errors", "units"})
SIDEWAYS = {"report": {"analysis"}}
"""Rooms that may import another one."""
HOME = {
    "locust": {"load", "locustfiles"},
    "gevent": {"load", "locustfiles"},
    "geventhttpclient": {"load", "locustfiles"},
    "pandas": {"analysis", "report"},
    "scipy": {"analysis", "report"},
    "matplotlib": {"report", "analysis"},
    "pyarrow": {"analysis", "report", "results"},
    "starlette": {"embedded"},
    "uvicorn": {"embedded"},
    "click": {"cli"},
    "rich": {"cli"},
}
"""Packages and the only parts of the house that import them."""
PROGRAMS = frozenset({"runner.guard", "load.plugin"})
"""What runs in a process of its own, beside the front door, and ends it."""
LAZILY = {"pyarrow": {"load"}}
"""Packages that further parts import, inside functions only."""


@dataclass(frozen=True)
class Import:
    """One import: which module has it, of what, and whether it runs when the module is loaded."""

    module: str
    part: str
    name: str
    at_load: bool


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_of(path: Path) -> str:
    """The dotted name below the package: ``runner.hook``; the file's own name for locustfiles."""
    inside = path.relative_to(PACKAGE) if PACKAGE in path.parents else path.relative_to(PACKAGE.parent)
    return ".".join(inside.with_suffix("").parts)


def sources() -> list[Path]:
    return sorted([*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "locustfiles").glob("*.py")])


def imports_of(path: Path) -> Iterator[Import]:
    """Every import in a file; what stands below ``if TYPE_CHECKING`` never runs but points somewhere all the same."""
    module = module_of(path)
    tree = parse(path)
    lazy = {id(node) for node in lazy_nodes(tree)}
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are written in full"
            names = [node.module or ""]
        for name in names:
            yield Import(module, module.partition(".")[0], name, id(node) not in lazy)


def lazy_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs later or never: the insides of functions, and of ``if TYPE_CHECKING``."""
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        is_for_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        if is_function or is_for_types:
            yield from ast.walk(node)


IMPORTS = [one for path in sources() for one in imports_of(path)]
OWN = [one for one in IMPORTS if one.name.startswith("iam_loadtest.")]


def may_import(part: str, other: str) -> bool:
    """Whether a part of the house may import another."""
    if part == other or part in {"cli", "__main__", "__init__", "locustfiles"}:
        return True
    below = GROUND if part in HALL | GROUND else HALL | GROUND
    return other in below or (part in HALL and other in HALL) or other in SIDEWAYS.get(part, set())


def test_imports_point_down_and_never_sideways() -> None:
    """A room knows the hall and the ground, the hall knows the ground, and rooms do not know each other."""
    wrong = [f"{one.module} imports {one.name}" for one in OWN if not may_import(one.part, one.name.split(".")[1])]
    assert wrong == []


def test_every_module_has_its_place_in_the_house() -> None:
    """A new folder is given a level here before it can be imported by anything."""
    parts = {module_of(path).partition(".")[0] for path in PACKAGE.rglob("*.py")}
    assert parts - {"__init__", "__main__"} <= ROOMS | HALL | GROUND | {"cli"}


def test_the_ground_stands_on_nothing_of_ours() -> None:
    """Errors and units import nothing of the package; the protocol at most these two."""
    wrong = [f"{one.module} imports {one.name}" for one in OWN if one.part in {"errors", "units"}]
    assert wrong == []


@pytest.mark.parametrize("package", HOME)
def test_each_heavy_package_has_its_home(package: str) -> None:
    """Locust patches what it finds, pandas is slow to load: neither is imported anywhere else."""
    wrong = [
        f"{one.module} imports {one.name}"
        for one in IMPORTS
        if one.name.partition(".")[0] == package
        and one.part not in HOME[package]
        and not (one.part in LAZILY.get(package, set()) and not one.at_load)
    ]
    assert wrong == []


def test_pyarrow_is_in_one_module_of_the_results() -> None:
    """Whoever reads a run's JSON does not load pyarrow."""
    users = {one.module for one in IMPORTS if one.name.partition(".")[0] == "pyarrow" and one.part == "results"}
    assert users == {"results.sample_file"}


def test_only_the_front_door_prints_and_exits() -> None:
    """``print``, ``sys.exit`` and ``SystemExit`` stand in cli, and in what runs in a process of its own."""
    wrong = [
        f"{module_of(path)}, line {node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if module_of(path).partition(".")[0] != "cli" and module_of(path) not in PROGRAMS
        for node in ast.walk(parse(path))
        if is_front_door_s(node)
    ]
    assert wrong == []


def is_front_door_s(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "SystemExit"
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return (function.value.id, function.attr) == ("sys", "exit")
    return isinstance(function, ast.Name) and function.id in {"print", "exit"}


def loaded_by(statement: str) -> set[str]:
    """The top-level packages in sys.modules after a statement, in a fresh process."""
    code = (
        f"{statement}\nimport sys\nsys.stdout.write(' '.join(sorted(name.partition('.')[0] for name in sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())


HEAVY = {"pandas", "matplotlib", "scipy", "pydantic", "locust", "gevent", "starlette", "uvicorn", "pyarrow", "yaml"}


@pytest.mark.parametrize("command", ["--help", "run --help", "plan --help", "check --help", "iam --help"])
def test_help_loads_nothing_heavy(command: str) -> None:
    """The help of every command is there at once."""
    statement = f"from iam_loadtest.cli import main\ntry:\n    main({command.split()!r})\nexcept SystemExit:\n    pass"
    assert loaded_by(statement) & HEAVY == set()


def test_the_runner_does_not_load_locust_or_the_reading_room() -> None:
    """Importing locust patches subprocess, ssl and threading; the runner needs them as they are."""
    loaded = loaded_by("import iam_loadtest.runner.run")
    assert loaded & {"locust", "gevent", "pandas", "matplotlib", "scipy", "pyarrow", "starlette"} == set()


def test_locust_s_workers_load_neither_pandas_nor_pyarrow() -> None:
    """What every worker process loads; only the master writes the samples."""
    loaded = loaded_by("import iam_loadtest.load.plugin")
    assert "locust" in loaded
    assert loaded & {"pandas", "pyarrow", "matplotlib", "scipy", "starlette"} == set()


def test_scenarios_load_without_network_or_tables() -> None:
    """The hall is light: an editor's checker or a worker loads it."""
    loaded = loaded_by("import iam_loadtest.scenario.load_file, iam_loadtest.flow.prepare, iam_loadtest.results.sample")
    assert loaded & {"requests", "pandas", "matplotlib", "locust", "gevent", "pyarrow"} == set()


def test_the_guard_needs_the_standard_library_alone() -> None:
    """It starts with every process of a trial, without site-packages."""
    names = {one.name.partition(".")[0] for one in IMPORTS if one.module == "runner.guard"}
    assert names <= {*sys.stdlib_module_names, "__future__"}
