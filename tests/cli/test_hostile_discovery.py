"""An issuer that leads elsewhere is refused with its reason before any secret is sent: preflight and `check`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.preflight import Preflight
from iam_loadtest.scenario.target import Target
from tests.cli.front_door import call
from tests.hostile_discovery import CASES, HUGE_BYTES, SECRET, hostile_issuer, scenario_text
from tests.runner.servers import text


@pytest.mark.parametrize("case", CASES)
def test_the_preflight_refuses_it(case: str, tmp_path: Path) -> None:
    with hostile_issuer(case, tmp_path) as hostile:
        began = time.monotonic()
        with (
            Preflight(hostile.server.url, Target(ca_bundle=str(hostile.ca_bundle)), tmp_path) as preflight,
            pytest.raises(TrialFailedError) as caught,
        ):
            preflight.discover()
    assert CASES[case] in str(caught.value)
    assert hostile.posts == []
    assert all(sent < HUGE_BYTES / 4 for sent in hostile.sent_bytes), "it is not read to its end"
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("case", ["another-host", "huge-keys", "redirected-keys", "unsigned-assertions"])
def test_check_says_why_and_sends_nothing(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTILE_SECRET", SECRET)
    with hostile_issuer(case, tmp_path) as hostile:
        hostile.server.answers["/jwk/health"] = text(200, "up")
        path = tmp_path / "hostile.yaml"
        path.write_text(scenario_text(hostile.server.url, hostile.ca_bundle))
        called = call(capsys, "check", path)
    assert called.code == 1
    assert CASES[case] in called.err
    assert hostile.posts == []
    assert SECRET not in called.out + called.err
