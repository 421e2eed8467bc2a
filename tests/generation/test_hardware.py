"""The machine is measured within what this process may use, and a model that does not fit is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bot.errors import ModelError
from bot.generation import hardware
from bot.generation.cgroup import CgroupLimits, read_limits
from bot.generation.hardware import Gpu, check_memory, disk_free_bytes, memory_bytes, parse_gpus, usable_cores
from bot.generation.sizes import format_size

GIB = 2**30


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_machine_has_what_the_system_says(tmp_path: Path) -> None:
    machine = hardware.measure_machine(tmp_path)
    assert 1 <= machine.cpu_cores <= (os.cpu_count() or 1)
    assert 0 < machine.memory_available_bytes <= machine.memory_total_bytes
    assert machine.disk_free_bytes > 0


def test_a_model_that_fits_is_let_through() -> None:
    check_memory("m", need_bytes=GIB, limit_bytes=2 * GIB, available_bytes=GIB)
    check_memory("m", need_bytes=1)


def test_a_model_that_does_not_fit_is_refused_with_figures() -> None:
    with pytest.raises(ModelError) as caught:
        check_memory("big", need_bytes=8_000_000_000, available_bytes=3_200_000_000)
    assert caught.value.key == "models.not_enough_memory"
    assert all(figure in str(caught.value) for figure in ("big", "8.0 GB", "3.2 GB"))


def test_a_model_over_the_configured_limit_is_refused_with_figures() -> None:
    with pytest.raises(ModelError) as caught:
        check_memory("big", need_bytes=2_000_000_000, limit_bytes=1_000_000_000, available_bytes=9_000_000_000)
    assert caught.value.key == "models.over_memory_limit"
    assert all(figure in str(caught.value) for figure in ("2.0 GB", "1.0 GB"))


def test_a_containers_limits_cut_cores_and_memory() -> None:
    total, available = memory_bytes(CgroupLimits(memory_bytes=1000, memory_free_bytes=400))
    assert (total, available) == (1000, 400)
    assert usable_cores(CgroupLimits(cpu_cores=0.5)) == 1
    assert usable_cores(CgroupLimits(cpu_cores=64.0)) == usable_cores(CgroupLimits())


def test_limits_of_version_2_are_the_least_up_to_the_root(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    write(tmp_path / "self", "0::/outer/inner\n")
    write(root / "outer/memory.max", "4000\n")
    write(root / "outer/memory.current", "3500\n")
    write(root / "outer/memory.stat", "anon 100\ninactive_file 500\n")
    write(root / "outer/inner/memory.max", "max\n")
    write(root / "outer/inner/cpu.max", "150000 100000\n")
    limits = read_limits(root=root, process=tmp_path / "self")
    assert limits == CgroupLimits(memory_bytes=4000, memory_free_bytes=1000, cpu_cores=1.5)


def test_limits_of_version_1_are_read(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    write(tmp_path / "self", "4:memory:/box\n3:cpu,cpuacct:/box\n")
    write(root / "memory/box/memory.limit_in_bytes", "4096\n")
    write(root / "memory/box/memory.usage_in_bytes", "96\n")
    write(root / "memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(root / "cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n")
    write(root / "cpu,cpuacct/cpu.cfs_quota_us", "200000\n")
    write(root / "cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    limits = read_limits(root=root, process=tmp_path / "self")
    assert limits == CgroupLimits(memory_bytes=4096, memory_free_bytes=4000, cpu_cores=2.0)


def test_without_control_groups_there_are_no_limits(tmp_path: Path) -> None:
    assert read_limits(root=tmp_path, process=tmp_path / "none") == CgroupLimits()


def test_gpus_are_read_from_nvidias_list() -> None:
    listing = "NVIDIA H200, 143771, 143160\nNVIDIA, Odd Name, 1024, 512\nBroken, [N/A], [N/A]\n"
    mib = 2**20
    assert parse_gpus(listing) == (
        Gpu("NVIDIA H200", 143771 * mib, 143160 * mib),
        Gpu("NVIDIA, Odd Name", 1024 * mib, 512 * mib),
    )


def test_a_llama_cpp_that_cannot_be_loaded_sees_no_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    assert not hardware.llamacpp_sees_gpu()


def test_threads_leave_busy_cores_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(hardware, "usable_cores", lambda: 2)
    for busy, threads in ((0, 2), (2, 2), (3, 1), (40, 1)):
        monkeypatch.setattr(hardware, "_busy_elsewhere", lambda busy=busy: busy)
        assert hardware.free_threads() == threads


@pytest.mark.parametrize(
    ("usable", "physical", "threads"), [(1, 64, 1), (2, 1, 2), (4, 4, 4), (5, 8, 4), (8, 8, 7), (16, 8, 7), (6, 64, 5)]
)
def test_of_many_cores_one_is_left_for_what_may_come(
    usable: int, physical: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(hardware, "usable_cores", lambda: usable)
    monkeypatch.setattr(hardware, "_physical_cores", lambda: physical)
    monkeypatch.setattr(hardware, "_busy_elsewhere", lambda: 0)
    assert hardware.free_threads() == threads


def test_disk_space_is_told_for_a_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    assert disk_free_bytes(tmp_path / "a" / "b") > 0


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (98_362_432, "98 MB"), (999_960, "1.0 MB"), (4_680_000_000, "4.7 GB")],
)
def test_sizes_are_written_as_people_read_them(size: int, text: str) -> None:
    assert format_size(size) == text
