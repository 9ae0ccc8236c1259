"""A generating process sends no secret to an issuer that leads elsewhere, whoever told it to: the worker's own look."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.load.order import order_of, setup_of_trial
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.session import Place, open_session
from iam_loadtest.load.setup import setup_of_spec
from iam_loadtest.scenario.trial_spec import TrialSpec
from iam_loadtest.scenario.worker_trust import WorkerTrust, parse_origin
from tests.hostile_discovery import CASES, HUGE_BYTES, SECRET, hostile_issuer, scenario_text

ENVIRONMENT = {"HOSTILE_SECRET": SECRET}


@pytest.mark.parametrize("case", CASES)
def test_a_worker_of_another_host_refuses_it(case: str, tmp_path: Path) -> None:
    with hostile_issuer(case, tmp_path) as hostile:
        issuer = hostile.server.url
        path = tmp_path / "hostile.yaml"
        path.write_text(scenario_text(issuer, Path(hostile.ca_bundle.name)))
        spec = TrialSpec(str(path), str(tmp_path), "one", "access", issuer, str(tmp_path), worker_command="worker")
        trust = WorkerTrust((parse_origin(issuer),), str(tmp_path))
        setup = setup_of_trial(order_of(setup_of_spec(spec)), trust, ENVIRONMENT)
        with pytest.raises(UserError) as caught:
            open_session(setup, ["access"], Place(), Recorder(), ENVIRONMENT)
    assert CASES[case] in str(caught.value)
    assert SECRET not in str(caught.value)
    assert hostile.posts == []
    assert all(sent < HUGE_BYTES / 4 for sent in hostile.sent_bytes), "it is not read to its end"
