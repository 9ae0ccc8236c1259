"""Settings of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

LONGEST_FIRST = (
    *("tests/e2e/test_interrupted_run.py", "tests/test_readme.py", "tests/load/test_trial.py", "tests/e2e/test_run.py"),
    *("tests/e2e/test_accuracy.py", "tests/locustfiles/test_locustfiles.py", "tests/test_readme_pipeline.py"),
    *("tests/e2e/test_external_workers.py", "tests/load/test_workers_elsewhere.py", "tests/e2e/"),
    *("tests/lab/test_lab.py", "tests/lab/test_faults.py", "tests/report/test_full_matrix.py"),
    *("tests/load/test_full_disk.py", "tests/locustfiles/", "tests/load/test_within_locust.py"),
    *("tests/load/test_fasthttp_transport.py", "tests/lab/", "tests/load/", "tests/embedded/", "tests/runner/"),
    "tests/report/",
)
"""Files of tests that wait for real processes: where several files run at once, none of these is to be the last."""

settings.register_profile("any machine", deadline=None)  # no test asserts a speed
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first; within a file nothing changes."""
    items.sort(key=lambda item: _place(item.nodeid))


def _place(node_id: str) -> int:
    found = (place for place, start in enumerate(LONGEST_FIRST) if node_id.startswith(start))
    return next(found, len(LONGEST_FIRST))


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Processes that tests start are not traced for coverage: they load what they do alone, at their own speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        patch.delenv("COVERAGE_PROCESS_START", raising=False)
        yield
