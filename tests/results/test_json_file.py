"""JSON files are whole or not there; what cannot be read or written is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.results.json_file import read_json, write_json, write_text


def test_a_value_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Keys keep their order, other alphabets their letters, and no temporary file is left."""
    path = tmp_path / "value.json"
    write_json(path, {"b": [1, None], "a": "Zürich"})
    assert list(read_json(path)) == ["b", "a"]
    assert "Zürich" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    """NaN is no JSON, and the old file stays."""
    path = tmp_path / "value.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert read_json(path) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(UserError, match=r"gone\.json: cannot be read: No such file"):
        read_json(tmp_path / "gone.json")


def test_half_a_file_is_named(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"half\.json: is not JSON .*restore the file from a copy"):
        read_json(tmp_path / "half.json")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Its directory is not there."""
    with pytest.raises(UserError, match=r"report\.md: cannot be written: No such file"):
        write_text(tmp_path / "gone" / "report.md", "text")
