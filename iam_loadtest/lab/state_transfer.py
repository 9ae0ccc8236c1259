"""The state transfer of Galera as a lab has it: a member that was away gets what it missed, never all data anew.

MariaDB lets a script speak on either side of a transfer. Those that it comes with send a whole data directory, need
more programs, and stand in a larger package. This one passes on from which transaction the member is given what it
missed (IST), through a file, since all members of a lab see the same directory.
"""

from __future__ import annotations

import shlex
from pathlib import Path

METHOD = "lab"
"""MariaDB looks for a program called wsrep_sst_ and this."""
_SCRIPT = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --role) role=$2; shift ;;
    --address) address=$2; shift ;;
    --gtid) position=$2; shift ;;
    --gtid-domain-id) domain=$2; shift ;;
    --bypass) bypass=yes ;;
    --mysqld-args) break ;;
  esac
  shift
done
file={directory}/position-for-${{address%%[:/]*}}
case "$role" in
  joiner)
    rm -f "$file"
    echo "ready $address/lab"
    tries=600
    until [ -f "$file" ]; do
      tries=$((tries - 1))
      [ $tries -gt 0 ] || exit 62
      sleep 0.05
    done
    cat "$file" ;;
  donor)
    if [ -z "$bypass" ]; then
      echo "a member of the lab needs all data anew: it was away for too long" >&2
      exit 22
    fi
    echo "$position ${{domain:-0}}" > "$file.new"
    mv "$file.new" "$file"
    echo "done $position" ;;
esac
"""


def write_transfer_script(directory: Path) -> None:
    """Put the script where the servers will find it; the directory belongs into their PATH."""
    path = directory / f"wsrep_sst_{METHOD}"
    path.write_text(_SCRIPT.format(directory=shlex.quote(str(directory))), encoding="ascii")
    path.chmod(0o700)
