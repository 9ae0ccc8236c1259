"""What a delay line does to packets, in a file that it reads again when it is told to."""

from __future__ import annotations

from pathlib import Path


def delay_line_name(cluster: int) -> str:
    """The server that delays the link to a cluster."""
    return f"delay-line-{cluster}"


def shape_file(logs: Path, cluster: int) -> Path:
    """Where its file is, beside its log; a link without a delay line has none."""
    return logs / f"{delay_line_name(cluster)}.shape"


def write_shape(path: Path, delay_s: float, jitter_s: float, loss: float) -> None:
    """Delay of each way and jitter in microseconds, and the share of packets lost; replaced in one step."""
    new = path.with_suffix(".new")
    new.write_text(f"{round(delay_s * 1e6)} {round(jitter_s * 1e6)} {loss}\n", encoding="ascii")
    new.replace(path)
