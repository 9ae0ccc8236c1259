"""``iam-loadtest report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_loadtest.cli import EXIT_INCONCLUSIVE, EXIT_OBJECTIVE, EXIT_TRIALS
from iam_loadtest.cli.judgement import judge_summary
from iam_loadtest.cli.options import strict_option

if TYPE_CHECKING:
    from iam_loadtest.report import ReportFiles


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path))
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the newest run is looked for when no RUN is named.",
)
@click.option(
    "--judge",
    "with_judgement",
    is_flag=True,
    help="Exit as the run itself did: 3 where trials do not count, 4 where an objective was missed.",
)
@strict_option
def report(runs: tuple[Path, ...], reports: Path, with_judgement: bool, strict: bool) -> None:
    """Write the report of each RUN directory, or of the newest run; a run need not be finished.

    Trials of several runs are never put together: they were not interleaved. `iam-loadtest compare` holds one run
    against another.
    """
    from iam_loadtest.report import write_report  # noqa: PLC0415  matplotlib is slow to import
    from iam_loadtest.results.run import newest_run  # noqa: PLC0415  not needed for --help

    codes = [0]
    for directory in dict.fromkeys(runs or (newest_run(reports),)):
        files = write_report(directory)
        _print_report(files)
        if with_judgement or strict:
            codes.append(judge_summary(files.summary, strict))
    sys.exit(_worst(codes))


def _worst(codes: list[int]) -> int:
    """What weighs most: trials that do not count, then missed objectives, then undecided ones."""
    return next((code for code in (EXIT_TRIALS, EXIT_OBJECTIVE, EXIT_INCONCLUSIVE) if code in codes), 0)


def _print_report(files: ReportFiles) -> None:
    from iam_loadtest.report.answer import answer  # noqa: PLC0415  not needed for --help
    from iam_loadtest.report.tables import headline_table  # noqa: PLC0415  not needed for --help
    from iam_loadtest.report.text_table import text_table  # noqa: PLC0415  not needed for --help

    click.echo(answer(files.summary, files.comparisons).state)
    click.echo()
    click.echo(text_table(headline_table(files.summary)))
    click.echo()
    for path in (files.html, files.markdown, files.csv, files.json, files.junit):
        click.echo(path)
    if files.charts:
        click.echo(f"{files.charts[0].parent}/: {len(files.charts) // 2} charts, each as SVG and PNG")
