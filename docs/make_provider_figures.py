"""Write the table of figures in docs/providers.md from the newest run of each provider's scenario.

``python docs/make_provider_figures.py REPORTS keycloak nanoidp oidc-provider``; REPORTS is the directory of runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iam_loadtest.analysis.estimate import Estimate

PAGE = Path(__file__).with_name("providers.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
UNSTABLE = " ‡"
UNSTABLE_NOTE = (
    f"-{UNSTABLE} the trials differ too much to rank anything by: the interval is as wide as they make it, and never "
    "narrower than their range"
)
HEAD = (
    "| provider | workload | trials | chains/s | chain p50 | chain p95 | p95 of each step | failed |",
    "|---|---|---|---|---|---|---|---|",
)


def newest_run(reports: Path, scenario: str) -> Path:
    """The run of a scenario that began last and has a summary."""
    runs = sorted(path.parent for path in reports.glob(f"*-{scenario}*/summary.json"))
    if not runs:
        sys.exit(f"{reports} has no run of {scenario}: python -m providers {scenario} -- iam-loadtest run ...")
    return max(runs, key=lambda run: str(read(run / "run.json")["started_at"]))


def table(reports: Path, providers: list[str]) -> str:
    """The table, and when and with how much load each provider was measured."""
    runs = {name: newest_run(reports, name) for name in providers}
    rows = [row for name, run in runs.items() for row in rows_of(name, read(run / "summary.json"))]
    notes = [note_of(name, read(run / "run.json")) for name, run in runs.items()]
    marks = [UNSTABLE_NOTE] if any(UNSTABLE in row for row in rows) else []
    return "\n".join((*HEAD, *rows, "", *notes, *marks))


def rows_of(name: str, summary: Mapping[str, Any]) -> Iterator[str]:
    """One row per workload."""
    for cell in summary["cells"]:
        chain = cell["chain"]
        if chain is None:
            yield f"| {name} | {cell['workload']} | 0 | n/a | n/a | n/a | n/a | n/a |"
            continue
        steps = ", ".join(f"{step} {value(part['p95_ms'])}" for step, part in cell["steps"].items())
        figures = [interval(chain[metric], unit) for metric, unit in (("throughput_per_s", ""), ("p50_ms", " ms"))]
        failed = f"{100 * cell['requests']['failure_share']:.2g} %"
        p95 = interval(chain["p95_ms"], " ms")
        columns = (name, cell["workload"], str(cell["trials_counted"]), *figures, p95, f"{steps} ms", failed)
        yield f"| {' | '.join(columns)} |"


def note_of(name: str, run: Mapping[str, Any]) -> str:
    """What was asked for, and when."""
    load, machine = run["scenario"]["load"], run["machine"]
    return (
        f"- {name}: {load['users']} users, {load['duration_s']:g} s a trial after {load['warm_up_s']:g} s of warm-up, "
        f"{str(run['started_at'])[:10]}, {machine['cores']} cores"
    )


def interval(found: Mapping[str, Any] | None, unit: str) -> str:
    """The geometric mean over trials with its 95 % interval, marked where the trials differ too much to rank by it."""
    if found is None:
        return "n/a"
    low, high = found["ci95_low"], found["ci95_high"]
    if low is not None and high is not None:
        return f"{value(found)}{unit} ({rounded(low)} to {rounded(high)})"
    least, most = found["minimum"], found["maximum"]
    wide = Estimate(found["geometric_mean"], least, most, found["trials"], found["sd_log"], (least, most))
    around = wide.cautious_interval
    if around is None:
        return f"{value(found)}{unit} (range {rounded(least)} to {rounded(most)})"
    return f"{value(found)}{unit} ({rounded(min(around[0], least))} to {rounded(max(around[1], most))}{UNSTABLE})"


def value(estimate: Mapping[str, Any] | None) -> str:
    """The geometric mean over trials."""
    return "n/a" if estimate is None else rounded(estimate["geometric_mean"])


def rounded(number: float) -> str:
    """Three significant digits, as many as such a table bears."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def read(path: Path) -> dict[str, Any]:
    """A JSON file of a run."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main(reports: Path, providers: list[str]) -> None:
    """Put the table between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table(reports, providers)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
