"""``iam-loadtest compare``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_loadtest.cli import EXIT_CANNOT, EXIT_INCONCLUSIVE, EXIT_OBJECTIVE, EXIT_TRIALS
from iam_loadtest.errors import UserError

if TYPE_CHECKING:
    from iam_loadtest.analysis.likeness import Likeness
    from iam_loadtest.analysis.run_comparison import RunComparison
    from iam_loadtest.results.run import Run

_NOT_INTERLEAVED = (
    "The trials of two runs are not interleaved: what changed between the runs on machine and network is part of "
    "these ratios."
)


@click.command()
@click.argument("baseline", metavar="BASELINE_RUN", type=click.Path(path_type=Path))
@click.argument("candidate", metavar="CANDIDATE_RUN", type=click.Path(path_type=Path))
@click.option("--allow", multiple=True, metavar="FIELD", help="Compare although this differs. Repeatable.")
@click.option("--strict", is_flag=True, help="Exit with 5 where a comparison is inconclusive or not ranked.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of a table.")
def compare(baseline: Path, candidate: Path, allow: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Hold CANDIDATE_RUN against BASELINE_RUN, topology by topology and workload by workload.

    \b
    Exit codes: 0 not shown to be worse; 4 worse beyond the margin; 3 a topology and workload has no counted trial
    in one of the runs; 5 inconclusive, with --strict; 1 nothing can be compared: no topology and workload has three
    counted trials in both runs, or the runs are unlike in workloads, load, users, provider or machine. What differs
    is named with both values; --allow FIELD, such as --allow machine or --allow load.users, compares all the same.
    """
    from iam_loadtest.analysis.run_comparison import compare_runs  # noqa: PLC0415  scipy is slow to import
    from iam_loadtest.analysis.summary import summarise_run  # noqa: PLC0415  not needed for --help

    runs, found = _alike(baseline, candidate, allow)
    comparison = compare_runs(summarise_run(runs[0]), summarise_run(runs[1]))
    if not comparison.comparisons:
        raise UserError(
            f"{candidate}: has no topology and workload in common with {baseline}; nothing can be compared."
        )
    code = _exit_code(comparison, strict)
    if as_json:
        click.echo(json.dumps(_document(runs, found, comparison, code), indent=2, ensure_ascii=False))
    else:
        _print(runs, found, comparison)
    if code == EXIT_CANNOT:
        raise UserError(_too_few(runs[1], comparison))
    sys.exit(code)


def _alike(baseline: Path, candidate: Path, allow: tuple[str, ...]) -> tuple[tuple[Run, Run], Likeness]:
    """Both runs; raises UserError where they are unlike, before any samples are read."""
    from iam_loadtest.analysis.likeness import likeness, unlike_words  # noqa: PLC0415  not needed for --help
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help

    if baseline.resolve() == candidate.resolve():
        raise UserError(f"{candidate}: is the baseline itself; name two runs.")
    runs = read_run(baseline), read_run(candidate)
    found = likeness(*runs, allow)
    if found.unlike:
        fields = "; ".join(unlike_words(found.unlike))
        raise UserError(
            f"{candidate}: is unlike {baseline}: {fields}; measure both alike, or accept it with "
            f"--allow {found.unlike[0].key}."
        )
    return runs, found


def _exit_code(comparison: RunComparison, strict: bool) -> int:
    """What weighs most: nothing to compare, a loss that is shown, cells without trials, then what is left open."""
    if comparison.has_too_few_trials:
        return EXIT_CANNOT
    if comparison.is_worse:
        return EXIT_OBJECTIVE
    if comparison.uncounted:
        return EXIT_TRIALS
    return EXIT_INCONCLUSIVE if strict and not comparison.is_conclusive else 0


def _too_few(candidate: Run, comparison: RunComparison) -> str:
    from iam_loadtest.analysis.resolution import TRIALS_TO_RANK  # noqa: PLC0415  scipy is slow to import

    if not any(one.trials[1] for one in comparison.comparisons):
        return f"{candidate.directory}: none of its trials counts, nothing is compared; its report names the reasons."
    return (
        f"{candidate.directory}: no topology and workload has {TRIALS_TO_RANK} counted trials in both runs, nothing is "
        "compared; run more trials."
    )


def _print(runs: tuple[Run, Run], found: Likeness, comparison: RunComparison) -> None:
    from iam_loadtest.analysis.comparison import comparisons_made  # noqa: PLC0415  scipy is slow to import
    from iam_loadtest.analysis.likeness import unlike_words  # noqa: PLC0415  not needed for --help
    from iam_loadtest.report.comparisons import allowed_for  # noqa: PLC0415  not needed for --help
    from iam_loadtest.report.run_comparison import failure_lines, run_comparison_table  # noqa: PLC0415  slow to import
    from iam_loadtest.report.text_table import text_table  # noqa: PLC0415  not needed for --help

    click.echo(f"{runs[1].directory.name} over {runs[0].directory.name}")
    click.echo()
    click.echo(text_table(run_comparison_table(comparison)))
    click.echo()
    for line in failure_lines(comparison):
        click.echo(line)
    made = comparisons_made(comparison.comparisons)
    if made:
        click.echo(f"{allowed_for(made)} {_NOT_INTERLEAVED}")
    for text in unlike_words(found.cautions):
        click.echo(f"Differs: {text}")
    for words, cells in (
        ("Only in the baseline", comparison.only_baseline),
        ("Only in the candidate", comparison.only_candidate),
        ("Without a counted trial in one of the runs", comparison.uncounted),
    ):
        for topology, workload in cells:
            click.echo(f"{words}: {topology} / {workload}")


def _document(runs: tuple[Run, Run], found: Likeness, comparison: RunComparison, code: int) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415  not needed for --help

    from iam_loadtest.report.summary_json import comparison_document  # noqa: PLC0415  slow to import

    return {
        "format": 1,
        "baseline": runs[0].directory.name,
        "candidate": runs[1].directory.name,
        "differences": [asdict(one) for one in found.cautions],
        "comparisons": [comparison_document(one) for one in comparison.comparisons],
        "failures": [{**asdict(one), "worse": one.is_worse} for one in comparison.failures],
        "only_in_baseline": [list(cell) for cell in comparison.only_baseline],
        "only_in_candidate": [list(cell) for cell in comparison.only_candidate],
        "uncounted": [list(cell) for cell in comparison.uncounted],
        "worse": comparison.is_worse,
        "conclusive": comparison.is_conclusive,
        "exit_code": code,
    }
