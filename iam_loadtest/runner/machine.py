"""What a run was made on: for the report, so that results can be compared with like."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import psutil

_PACKAGES = ("iam-loadtest", "locust", "gevent", "geventhttpclient", "pyjwt", "cryptography", "uvicorn", "starlette")


def describe_machine() -> dict[str, Any]:
    """Cores, memory, processor, kernel and Python; no host name and no path."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "cpu": _processor(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def describe_versions() -> dict[str, str]:
    """Versions of the packages that decide how fast the generator and the built-in IAM are."""
    return {package.replace("-", "_"): version(package) for package in _PACKAGES}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  a kernel file, read line by line
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
