"""``iam-loadtest report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
def report(runs: tuple[Path, ...], reports: Path) -> None:
    """Write the report of each RUN directory, or of the newest run; a run need not be finished."""
    from iam_loadtest.report import write_report  # noqa: PLC0415  matplotlib is slow to import
    from iam_loadtest.results.run import newest_run  # noqa: PLC0415  not needed for --help

    for directory in runs or (newest_run(reports),):
        _print_report(write_report(directory))


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
