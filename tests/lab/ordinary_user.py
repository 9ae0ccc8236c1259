"""Commands as an ordinary user, for tests that root runs: nobody, for whom Python and the checkout are within reach."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534
CHECKOUT = Path(__file__).parents[2]
_OPEN_UP = """\
set -e
stash=$1; shift
mount -t tmpfs -o mode=755 tmpfs "$stash"
number=0
while [ "$1" != -- ]; do
  number=$((number + 1)); mkdir "$stash/$number"; mount --bind "$2" "$stash/$number"
  eval "closed_$number=\\$1 needed_$number=\\$2"; shift 2
done
shift
for one in $(seq $number); do
  eval "closed=\\$closed_$one needed=\\$needed_$one"
  [ -e "$stash/done$(echo "$closed" | tr / _)" ] || mount -t tmpfs -o mode=755 tmpfs "$closed"
  touch "$stash/done$(echo "$closed" | tr / _)"
  mkdir -p "$needed"; mount --bind "$stash/$one" "$needed"
done
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""
"""In mounts of its own: a directory that is closed to others is covered, and what is needed of it stands on top."""


def as_ordinary_user(home: Path) -> list[str]:
    """What to put before a command; nothing where this is an ordinary user already. ``home`` becomes nobody's."""
    if os.geteuid() != 0:
        return []
    stash = home / "stash"
    stash.mkdir(parents=True)
    os.chown(home, NOBODY, NOBODY)
    environ = [f"HOME={home}", f"IAM_LOADTEST_CACHE={home}/cache", "PYTHONDONTWRITEBYTECODE=1"]
    pairs = [str(path) for pair in _closed() for path in pair]
    return ["unshare", "--mount", "sh", "-c", _OPEN_UP, "sh", str(stash), *pairs, "--", "env", *environ]


def _closed() -> Iterator[tuple[Path, Path]]:
    """What is needed but stands in a directory that others may not enter, after that directory."""
    for needed in dict.fromkeys((Path(sys.base_prefix), Path(sys.prefix), CHECKOUT)):
        for parent in reversed(needed.parents):
            if not parent.stat().st_mode & 0o001:
                yield parent, needed
                break
