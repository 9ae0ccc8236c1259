"""A table as plain text, for terminals."""

from __future__ import annotations

from iam_loadtest.report.table import Table


def text_table(table: Table) -> str:
    """Columns two spaces apart, numbers to the right, no trailing space; the caption is left out."""
    grid = [[column.title for column in table.columns], *([entry.text for entry in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column.numeric else text.ljust(width)
            for text, width, column in zip(line, widths, table.columns, strict=True)
        ).rstrip()
        for line in grid
    )
