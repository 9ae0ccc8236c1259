"""Settings of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # no test asserts a speed
settings.load_profile("any machine")


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Processes that tests start are not traced for coverage: they load what they do alone, at their own speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        patch.delenv("COVERAGE_PROCESS_START", raising=False)
        yield
