"""Each broken scenario file in tests/data/broken says what is wrong with it, in the lines of the .txt beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iam_loadtest.errors import ScenarioError
from iam_loadtest.flow.need import require_what_is_needed
from iam_loadtest.scenario.load_file import load_scenario
from iam_loadtest.scenario.yaml_file import MAX_FILE_BYTES

BROKEN = Path(__file__).parents[1] / "data" / "broken"
SECRET = "hunter2"
"""What stands in the broken files wherever a secret is written out."""


def message_of(path: Path) -> str:
    """What the program says about a file that it cannot use."""
    with pytest.raises(ScenarioError) as caught:
        require_what_is_needed(load_scenario(path), str(path), path.parent)
    return str(caught.value)


@pytest.fixture(autouse=True)
def in_the_directory_of_broken_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name the file as it was given; the three secrets that right references need are there."""
    monkeypatch.chdir(BROKEN)
    for name in [name for name in os.environ if name.startswith("BROKEN_")]:
        monkeypatch.delenv(name)
    for name in ("A_SECRET", "B_SECRET", "C_SECRET"):
        monkeypatch.setenv(name, "unused")


@pytest.mark.parametrize("name", sorted(path.stem for path in BROKEN.glob("*.yaml")))
def test_each_broken_file_gives_its_message(name: str) -> None:
    """Every problem of the file, one line each, in the words that were agreed, and no secret among them."""
    message = message_of(Path(f"{name}.yaml"))
    assert message.splitlines() == Path(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert SECRET not in message
    assert all(line.startswith(f"{name}.yaml: ") and line.endswith(".") for line in message.splitlines())
    assert max(map(len, message.splitlines())) < 300, "a line can be read in one breath"


def test_there_are_enough_of_them_and_none_is_left_over() -> None:
    """Every broken file has its message and every message its file."""
    files, messages = ({path.stem for path in BROKEN.glob(kind)} for kind in ("*.yaml", "*.txt"))
    assert files == messages
    assert len(files) >= 40


def test_a_file_that_is_not_there_is_named() -> None:
    """A mistyped path is the most common mistake of all."""
    assert message_of(Path("no-such.yaml")) == (
        "no-such.yaml: cannot be read: No such file or directory; name a scenario file."
    )


def test_a_directory_is_no_scenario(tmp_path: Path) -> None:
    """Naming scenarios/ in place of a file in it says so."""
    assert message_of(tmp_path) == f"{tmp_path}: cannot be read: Is a directory; name a scenario file."


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """A samples file given by mistake costs no memory."""
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert message_of(path) == f"{path}: is larger than 1048576 bytes; a scenario is a short YAML file."


def test_an_endless_file_is_refused() -> None:
    """/dev/zero has no size and no end."""
    assert message_of(Path("/dev/zero")) == "/dev/zero: is larger than 1048576 bytes; a scenario is a short YAML file."
