"""The name that a server gives the node which served a request: it goes into files, charts and terminals."""

from __future__ import annotations

from typing import Final

from iam_loadtest.oidc.redact import printable

MAX_CHARACTERS: Final = 64
_STARTS_A_FORMULA: Final = "=+-@ "
"""A spreadsheet that opens a CSV file computes what begins like this."""


def node_name(header: str) -> str:
    """The value of the header as it is kept: short, without codes for a terminal, and no formula."""
    return printable(header[:MAX_CHARACTERS]).lstrip(_STARTS_A_FORMULA)
