"""Sizes as people read them."""

from __future__ import annotations

UNITS = ("B", "kB", "MB", "GB", "TB")


def format_size(size_bytes: float) -> str:
    """A size in decimal units with two or three significant digits: `98 MB`, `4.7 GB`."""
    size = float(size_bytes)
    for unit in UNITS:
        if round(size, 1) < 1000 or unit == UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
