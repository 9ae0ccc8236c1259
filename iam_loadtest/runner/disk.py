"""A disk that refuses: full, over quota, read-only, or somebody else's."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from iam_loadtest.errors import UserError

_REFUSALS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES})


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Raise UserError where the disk refuses what the block writes into ``directory``; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        raise UserError(
            f"{error.filename or directory}: cannot be written: {error.strerror}; free some space, or make it writable."
        ) from error
