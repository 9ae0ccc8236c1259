"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # no test asserts a speed
settings.load_profile("any machine")
