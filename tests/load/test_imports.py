"""What the processes of a test import: workers stay small, and the package is usable without Locust."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.load.processes import clean_environment


def loaded(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after the code."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    environ = clean_environment(is_measured=False)
    return set(subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout.split())


def test_a_worker_imports_neither_pandas_nor_pyarrow() -> None:
    modules = loaded("import iam_loadtest.load.trial_locustfile, iam_loadtest.load.plugin")
    assert "iam_loadtest.load.worker" in modules
    assert not modules & {"pandas", "pyarrow", "numpy", "matplotlib", "scipy"}


@pytest.mark.parametrize("module", ["iam_loadtest.load", "iam_loadtest.load.setup", "iam_loadtest.load.verdict"])
def test_what_does_not_need_locust_does_not_import_it(module: str) -> None:
    assert "locust" not in loaded(f"import {module}")


def test_the_package_itself_imports_nothing_heavy() -> None:
    assert not loaded("import iam_loadtest.load") & {"locust", "gevent", "pydantic"}
