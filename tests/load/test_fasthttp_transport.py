"""Locust's own client gives the same outcomes and the same rows as the built-in one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from iam_loadtest.embedded.self_signed import self_signed_context
from iam_loadtest.errors import UserError
from iam_loadtest.load.transport import settings_of
from iam_loadtest.scenario.target import Target
from tests.load.listener import answer, answering, listening
from tests.load.processes import ROOT, SCENARIO, FakeIam, TrialProcesses, clean_environment

pytestmark = pytest.mark.usefixtures("unmeasured")

MODES = (
    *("ok", "chunked", "gzip", "connection-close", "interim", "html", "error500", "redirect", "refused", "throttled"),
    *("no-token", "slow", "drip", "reset", "hangup", "truncated", "garbage", "huge-body", "gzip-bomb", "gzip-broken"),
    *("brotli", "pages/start", "pages/loop", "pages/to?to=https://169.254.169.254/"),
)


def test_both_clients_come_to_the_same_with_every_server(tmp_path: Path, fake: FakeIam) -> None:
    """Also where nobody listens, where there is no such host, and with a certificate that is trusted or is not."""
    bundle = str(tmp_path / "ca.pem")
    environ = clean_environment(is_measured=False)
    with listening(answering(answer()), tls=self_signed_context(Path(bundle), "127.0.0.1")) as secured:
        there = (str(fake.port), secured.url(scheme="https"), bundle)
        command = [sys.executable, "-m", "tests.load.fasthttp_checks", *there, *MODES]
        done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    assert len(found) == len(MODES) + 4
    assert {mode: clients for mode, clients in found.items() if clients[0] != clients[1]} == {}
    assert found[f"bundle {bundle}"][1][0][0] == 200
    assert found["bundle None"][1] == [["tls_error"], ["tls_error"]]


def test_a_trial_has_a_row_for_each_request_that_the_server_had(tmp_path: Path, fake: FakeIam) -> None:
    """As with the built-in client, in the tests of trials."""
    before = sum(fake.counts("pace").values())
    scenario = f"{SCENARIO}target: {{transport: fasthttp}}\n"
    trial = TrialProcesses(tmp_path / "trial", fake.issuer("pace"), scenario=scenario)
    try:
        trial.start()
        result = trial.await_result()
    finally:
        trial.stop()
    rows = pyarrow.parquet.read_table(tmp_path / "trial" / "samples.parquet").to_pandas()
    requests = rows[rows.step != "workflow"]
    assert result.reason is None
    assert len(requests) == sum(fake.counts("pace").values()) - before > 0
    assert set(requests.outcome) == {"ok"}


@pytest.mark.parametrize("keys", [{"proxy": "http://proxy:3128"}, {"resolve": {"iam.test": ["127.0.0.1"]}}])
def test_what_locusts_client_cannot_do_is_refused(keys: dict[str, object]) -> None:
    target = Target.model_validate({"transport": "fasthttp", **keys})
    with pytest.raises(UserError, match=r"is given with transport: fasthttp, which cannot do it"):
        settings_of(target, Path())
