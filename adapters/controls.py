"""Keeps generated text from steering the terminal it is shown on."""

from __future__ import annotations

_KEPT = {"\n", "\t"}
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in _KEPT}


def without_controls(text: str) -> str:
    """The text without control characters (C0, DEL and C1) other than line feed and tab."""
    return text.translate(_CONTROLS)
