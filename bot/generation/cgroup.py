"""What a container may use: memory and processor limits of this process's control groups, version 1 and 2.

Returns None where there is no limit or no control group; a group's limit is the least of its ancestors'.
Source: https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNLIMITED_BYTES = 1 << 60
"""Version 1 writes a number near 2^63 where there is no limit."""


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """Limits of the groups this process is in."""

    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    """What may still be taken; file pages that can be dropped count as free."""
    cpu_cores: float | None = None


def read_limits(*, root: Path = Path("/sys/fs/cgroup"), process: Path = Path("/proc/self/cgroup")) -> CgroupLimits:
    """The limits as they stand now.

    Args:
        root: where the control groups are mounted.
        process: the list of groups of this process.
    """
    memory: list[tuple[int, int]] = []
    cores: list[float] = []
    for folder in _folders(root, process):
        if (limit := _first_number(folder, "memory.max", "memory.limit_in_bytes")) and limit < UNLIMITED_BYTES:
            memory.append((limit, limit - _used_bytes(folder)))
        if quota := _quota(folder):
            cores.append(quota)
    return CgroupLimits(
        memory_bytes=min((limit for limit, _ in memory), default=None),
        memory_free_bytes=max(0, min(free for _, free in memory)) if memory else None,
        cpu_cores=min(cores, default=None),
    )


def _folders(root: Path, process: Path) -> Iterator[Path]:
    """Each group's folder and those above it, up to the mount."""
    for line in (_read(process) or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        mounts = [root] if number == "0" else [root / controllers, *(root / name for name in controllers.split(","))]
        for mount in {mount for mount in mounts if mount.is_dir()}:
            folder = mount / path.lstrip("/")
            yield folder
            yield from (parent for parent in folder.parents if parent == mount or mount in parent.parents)


def _used_bytes(folder: Path) -> int:
    used = _first_number(folder, "memory.current", "memory.usage_in_bytes") or 0
    statistics = dict(line.split() for line in (_read(folder / "memory.stat") or "").splitlines() if " " in line)
    return used - int(statistics.get("total_inactive_file", statistics.get("inactive_file", 0)))


def _quota(folder: Path) -> float | None:
    if (text := _read(folder / "cpu.max")) and (parts := text.split())[0] != "max":
        return int(parts[0]) / int(parts[1])
    quota, period = _first_number(folder, "cpu.cfs_quota_us"), _first_number(folder, "cpu.cfs_period_us")
    return quota / period if quota and quota > 0 and period else None


def _first_number(folder: Path, *names: str) -> int | None:
    for name in names:
        text = (_read(folder / name) or "").strip()
        if text.lstrip("-").isdigit():
            return int(text)
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
