"""The tables of docs/findings.md, made of a run."""

from __future__ import annotations

import runpy
from pathlib import Path

from tests.analysis.cells import summary_of

DOCS = Path(__file__).parents[2] / "docs"
FINDINGS = runpy.run_path(str(DOCS / "make_findings.py"))["findings"]


def test_every_table_has_its_place_on_the_page() -> None:
    """Also of a run that has none of the study's topologies: the marks of what it is about stay."""
    page = (DOCS / "findings.md").read_text(encoding="utf-8")
    names = [name for name, _ in FINDINGS(summary_of({("one", "access"): [(100.0, 50.0)]}))]
    assert len(names) == 8
    for name in names:
        assert page.count(f"<!-- {name}: begin -->") == page.count(f"<!-- {name}: end -->") == 1, name


def test_a_pair_is_a_row_with_its_ratios_or_the_reason_for_none() -> None:
    """Twice the throughput at half the latency; of one trial nothing is said.

    The logs of each side spread by 0.01: half a log ratio's interval is 2.776 * 0.01 * (2 / 3) ** 0.5 = 0.0227.
    """
    steady = [(100.0, 50.0), (101.0, 50.5), (99.0, 49.5)]
    twice = [(throughput * 2, p95_ms / 2) for throughput, p95_ms in steady]
    near, far = "multi5-replication", "multi5-replication-30ms"
    tables = dict(FINDINGS(summary_of({(near, "workflow"): steady, (far, "workflow"): twice, (far, "login"): steady})))
    (row,) = tables["latency"][2:]
    assert row == f"| workflow | {near} | {far} | ×2 [1.96, 2.05] better | ×0.5 [0.489, 0.511] better |"
    assert "allows for all 2 ratios of this page" in tables["ratios"][0]
    assert tables["login"][2:] == []
    assert tables["figures"][2] == f"| workflow | {near} | 3 of 3 | 100 | n/a | n/a | 50.0 |"
    alone = dict(FINDINGS(summary_of({(near, "workflow"): steady[:1], (far, "workflow"): twice})))
    assert f"| not ranked: “{near}” has 1 counted trial, 3 are needed |" in alone["latency"][2]
