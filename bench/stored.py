"""Where a measurement is kept: its figures and the text that was shown, below reports/, which git ignores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iam_loadtest.runner.machine import describe_machine, describe_versions

ROOT = Path(__file__).parents[1]


def store(name: str, options: Mapping[str, Any], figures: Any, shown: str) -> Path:
    """Keep figures as JSON and what was shown as text beside it; the JSON's path below the checkout."""
    path = ROOT / "reports" / f"bench-{name}-{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    about = {"machine": describe_machine(), "versions": describe_versions(), "options": dict(options)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**about, "figures": figures}, indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".txt").write_text(shown + "\n", encoding="utf-8")
    return path.relative_to(ROOT)
