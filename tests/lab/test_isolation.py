"""Process 1 of namespaces of its own, as far as no lab is needed to see it."""

from __future__ import annotations

import subprocess
import sys

from tests.lab.conftest import skip_without_namespaces

SCRIPT = """\
import os, signal
from iam_loadtest.errors import UserError
from iam_loadtest.lab import isolation, kernel

def refuse(kind, *_):
    raise PermissionError(1, "not in this container")

real = kernel.mount
kernel.mount = refuse
if os.fork() == 0:
    try:
        isolation.run_isolated(lambda: 0, lambda _: None)
    except UserError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
kernel.mount = real
print(isolation.run_isolated(lambda: 7, lambda _: None))
os.kill(os.getpid(), signal.SIGINT)
print("still here")
"""


def test_what_a_container_refuses_is_said_and_a_late_ctrl_c_breaks_nothing_off(unmeasured: None) -> None:
    """One line where /proc cannot be mounted; after the end a signal has nobody to go to, and clearing up goes on."""
    skip_without_namespaces()
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    refused, *rest = done.stdout.splitlines()
    assert refused.startswith("the lab has namespaces of its own, but may mount no /proc and /run in them")
    assert rest == ["7", "still here"]
