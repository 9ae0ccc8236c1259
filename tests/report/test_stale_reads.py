"""Stale reads that were followed up: from stale_reads.csv to a table and a picture by node."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from iam_loadtest.report import write_report

from .synthetic import FakeRun, FakeTopology, write_fake_run

HEAD = "worker,started_us,step,refused_by,accepted_by,visible_after_us,tries,result\n"
IN = 3_000_000
ROWS = [
    f"0,{IN},refresh,b,a,5000,1,accepted",
    f"0,{IN + 1},refresh,b,b,20000,3,accepted",
    f"1,{IN + 2},refresh,b,a,10000,2,accepted",
    f"1,{IN + 3},refresh,a,,,9,still_refused",
]


def run_with(path: Path, fake: FakeRun, rows: str) -> Path:
    """A run of one trial with this stale_reads.csv."""
    topologies = {"one": FakeTopology(failures={"stale_read": 0.2}, nodes=("a", "b"))}
    run = write_fake_run(path / "run", replace(fake, topologies=topologies, trials=1))
    trial = run / "trials" / "001-one-refresh_token-t1"
    (trial / "stale_reads.csv").write_text(rows)
    document = json.loads((trial / "trial.json").read_text())
    document["counts"]["stale_reads"] = {"confirmed": 3, "unconfirmed": 1, "not_followed": 7}
    (trial / "trial.json").write_text(json.dumps(document))
    return run


def test_what_became_of_stale_reads_stands_in_a_table_and_by_node(small_run: FakeRun, tmp_path: Path) -> None:
    """Three accepted after 5, 10 and 20 ms, one never, seven not followed; two of them by the other node."""
    files = write_report(run_with(tmp_path, small_run, HEAD + "\n".join(ROWS) + "\n"))
    text = files.markdown.read_text(encoding="utf-8").replace("\\", "")
    assert "| refresh_token | one | 3 | 1 | 0 | 7 | 10.0 | 20.0 | 20.0 |" in text
    svg = (files.html.parent / "charts" / "stale_reads.svg").read_text(encoding="utf-8")
    words = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert [word for word in words if word in {"0", "1", "2"}] == ["0", "0", "2", "1"]
    assert "b then a 2, b then b 1" in files.html.read_text(encoding="utf-8")
    assert "The node that gave the credential out is not in the data" in files.html.read_text(encoding="utf-8")


def test_a_file_of_another_form_is_left_out(small_run: FakeRun, tmp_path: Path) -> None:
    """The rest of the report stands."""
    files = write_report(run_with(tmp_path, small_run, "something,else\n1,2\n"))
    text = files.markdown.read_text(encoding="utf-8").replace("\\", "")
    assert "| refresh_token | one | 3 | 1 | 0 | 7 | n/a | n/a | n/a |" in text
    assert not (files.html.parent / "charts" / "stale_reads.svg").exists()
