"""Pages and charts from a run on disk."""

from iam_loadtest.report.write import ReportFiles, write_report

__all__ = ["ReportFiles", "write_report"]
