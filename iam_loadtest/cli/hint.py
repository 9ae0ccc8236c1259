"""Commands that the user may call next, to be copied as they are."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

_NAME = "iam-loadtest"


def shell_command(*words: object) -> str:
    """This program with these words, quoted for a shell, called as it was called now where PATH does not have it."""
    return shlex.join([*_program(), *(str(word) for word in words)])


def _program() -> list[str]:
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("iam_loadtest", "__main__.py"):
        return [sys.executable, "-m", "iam_loadtest"]
    found = shutil.which(_NAME)
    is_other = called.name == _NAME and called.exists() and (found is None or not called.samefile(found))
    return [str(called)] if is_other else [_NAME]
