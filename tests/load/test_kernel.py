"""What the kernel says about waiting, in the files of both versions of cgroups."""

from __future__ import annotations

from pathlib import Path

from iam_loadtest.load.kernel import Throttling, waited_us

V2 = "usage_usec 9\nnr_periods 40\nnr_throttled {0}\nthrottled_usec {0}000\n"
V1 = "nr_periods 40\nnr_throttled {0}\nthrottled_time {0}000000\n"


def group(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cpu.stat").write_text(text)
    return directory


def own(directory: Path, text: str) -> Path:
    path = directory / "cgroup"
    path.write_text(text)
    return path


def test_the_limits_of_all_groups_around_a_process_count(tmp_path: Path) -> None:
    """Version 2: 3 ms in its own group and 4 ms in the one around it; the root has no limit."""
    root = tmp_path / "fs"
    group(root / "pod" / "generator", V2.format(3))
    group(root / "pod", V2.format(4))
    group(root, "usage_usec 100\n")
    group(root / "pod" / "neighbour", V2.format(50))
    assert Throttling(own(tmp_path, "0::/pod/generator\n"), root).total_us() == 7_000


def test_version_1_counts_in_nanoseconds_below_a_mount_of_several_controllers(tmp_path: Path) -> None:
    root = tmp_path / "fs"
    group(root / "cpu,cpuacct" / "docker" / "a", V1.format(5))
    (root / "cpu").symlink_to("cpu,cpuacct")
    text = "4:memory:/docker/a\n2:cpu,cpuacct:/docker/a\n0::/\n"
    assert Throttling(own(tmp_path, text), root).total_us() == 5_000, "the same group by two names counts once"


def test_a_group_that_is_seen_from_inside_is_the_root(tmp_path: Path) -> None:
    """A container sees its own group as the root of the mount, while its path is the one that the host knows."""
    root = group(tmp_path / "fs" / "cpu", V1.format(6)).parent
    assert Throttling(own(tmp_path, "2:cpu:/docker/0123\n"), root).total_us() == 6_000


def test_without_a_word_of_the_kernel_nothing_is_known(tmp_path: Path) -> None:
    assert Throttling(tmp_path / "none", tmp_path).total_us() is None
    group(tmp_path / "fs", "usage_usec 100\n")
    assert Throttling(own(tmp_path, "0::/\n"), tmp_path / "fs").total_us() is None
    assert waited_us(tmp_path / "none") is None
    (tmp_path / "schedstat").write_text("0 0 0\n")
    assert waited_us(tmp_path / "schedstat") == 0


def test_waiting_for_a_core_is_the_second_figure_in_nanoseconds(tmp_path: Path) -> None:
    (tmp_path / "schedstat").write_text("1780208 42641000 17\n")
    assert waited_us(tmp_path / "schedstat") == 42_641
