"""What the machine offers a model: cores, memory, graphics processors, disk, as far as this process may use them.

Measures, and says whether a model's need fits; knows nothing about which model is wise.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ModelError
from bot.generation.cgroup import CgroupLimits, read_limits
from bot.generation.sizes import format_size

FEW_CORES = 4
"""Up to here every logical core is used: virtual machines often show whole cores as halves of one."""
LOAD_LOOKS = 5
"""How often the run queue is read: the least of a few looks is what others really keep busy."""
GPU_QUERY = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
GPU_QUERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor with memory of its own."""

    name: str
    memory_total_bytes: int
    memory_free_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use of the machine."""

    cpu_cores: int
    memory_total_bytes: int
    memory_available_bytes: int
    disk_free_bytes: int
    gpus: tuple[Gpu, ...] = ()
    cpu_flags: frozenset[str] = frozenset()
    """Instruction sets such as `avx2` and `avx512f`; empty where the system does not tell."""
    apple_silicon: bool = False
    """Processor and graphics share the memory."""


def measure_machine(folder: Path) -> Machine:
    """Look at the machine; takes up to a second where there is an NVIDIA driver.

    Args:
        folder: where models are kept, for the free disk space.
    """
    import platform

    total, available = memory_bytes()
    return Machine(
        cpu_cores=usable_cores(),
        memory_total_bytes=total,
        memory_available_bytes=available,
        disk_free_bytes=disk_free_bytes(folder),
        gpus=find_gpus(),
        cpu_flags=_cpu_flags(),
        apple_silicon=sys.platform == "darwin" and platform.machine() == "arm64",
    )


def memory_bytes(limits: CgroupLimits | None = None) -> tuple[int, int]:
    """Bytes of memory in all and available now, within the container's limit."""
    import psutil

    limits = limits or read_limits()
    memory = psutil.virtual_memory()
    total = min(memory.total, limits.memory_bytes or memory.total)
    free = memory.available if limits.memory_free_bytes is None else min(memory.available, limits.memory_free_bytes)
    return total, free


def check_memory(
    model: str, *, need_bytes: int, limit_bytes: int | None = None, available_bytes: int | None = None
) -> None:
    """Refuse a model that does not fit.

    Args:
        model: its name, for the sentence.
        need_bytes: what it takes, as of `estimate_memory_bytes`.
        limit_bytes: what it may take by configuration; None is no limit but the machine's.
        available_bytes: what is free; None measures.

    Raises:
        ModelError: it needs more than it may take, or more than is free.
    """
    need = format_size(need_bytes)
    if limit_bytes is not None and need_bytes > limit_bytes:
        raise ModelError("models.over_memory_limit", model=model, need=need, limit=format_size(limit_bytes))
    free = memory_bytes()[1] if available_bytes is None else available_bytes
    if need_bytes > free:
        raise ModelError("models.not_enough_memory", model=model, need=need, available=format_size(free))


def disk_free_bytes(path: Path) -> int:
    """Bytes free for this user where `path` is, or will be."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


# -- processor ----------------------------------------------------------------------------------------------


def usable_cores(limits: CgroupLimits | None = None) -> int:
    """Logical cores that this process may use: its affinity, cut to the container's quota."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = (limits or read_limits()).cpu_cores
    return cores if quota is None else max(1, min(cores, int(quota)))


def free_threads() -> int:
    """Threads that generate fastest, for as long as the model is loaded.

    One a physical core (decoding waits for memory, which siblings share), less the cores that other processes
    keep busy: threads that wait for each other at every layer lose most of their speed as soon as one has to
    share its core, while one thread less costs no more than its share. So where there are many cores, one is left
    for what may come.
    """
    usable = usable_cores()
    threads = usable if usable <= FEW_CORES else max(FEW_CORES, min(usable, _physical_cores()) - 1)
    return max(1, min(threads, (os.cpu_count() or 1) - _busy_elsewhere()))


def _physical_cores() -> int:
    import psutil

    return psutil.cpu_count(logical=False) or os.cpu_count() or 1


def _busy_elsewhere() -> int:
    """Threads of other processes that run or wait for a core at this moment; 0 where the system does not tell."""
    try:
        return max(0, min(_running() - _own_running() for _ in range(LOAD_LOOKS)))
    except OSError:
        return 0


def _running() -> int:
    return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[0])


def _own_running() -> int:
    """Threads of this process, which is still importing while it asks."""
    stats = [(task / "stat").read_text(encoding="utf-8") for task in Path("/proc/self/task").iterdir()]
    return sum(stat.rpartition(")")[2].split()[0] == "R" for stat in stats)


def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return frozenset(next(flags, "").split())


# -- graphics -----------------------------------------------------------------------------------------------


def find_gpus() -> tuple[Gpu, ...]:
    """NVIDIA's, as `nvidia-smi` lists them; none where it is missing or fails."""
    import subprocess

    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        listing = subprocess.run(
            (program, *GPU_QUERY), capture_output=True, text=True, timeout=GPU_QUERY_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(listing)


def llamacpp_sees_gpu() -> bool:
    """Whether the llama.cpp that is installed has a backend for more than the processor; not where it cannot run."""
    try:
        import xllamacpp
    except ImportError:
        return False
    cpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    return any(device["type"] != cpu for device in xllamacpp.get_device_info())


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """The lines of `nvidia-smi`: name, MiB in all, MiB free; a line without figures is passed over."""
    found = []
    for line in listing.splitlines():
        name, *figures = (part.strip() for part in line.rsplit(",", 2))
        if len(figures) == 2 and all(figure.isdigit() for figure in figures):
            total, free = (int(figure) * 2**20 for figure in figures)
            found.append(Gpu(name, total, free))
    return tuple(found)
