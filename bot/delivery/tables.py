"""Tables where a platform has none: aligned columns where they fit the screen, otherwise a line for each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.delivery.characters import columns as width_of
from bot.delivery.characters import is_blank
from bot.delivery.markup import Inline, Run, Style, Table

PHONE_COLUMNS = 34
"""Monospaced columns that a phone shows without breaking the line."""
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as monospaced lines; `head` is the header and the line under it."""

    head: tuple[str, str]
    rows: tuple[str, ...]


def grid(table: Table, *, columns: int = PHONE_COLUMNS) -> Grid | None:
    """The table as aligned columns; None where it is too wide, or has links, which could not be followed there."""
    cells = [[_plain(cell) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(width_of(row[index]) for row in cells) for index in range(len(table.header))]
    has_links = any(run.url for row in (table.header, *table.rows) for cell in row for run in cell)
    if has_links or sum(widths) + len(_GAP) * (len(widths) - 1) > columns:
        return None
    lines = [_row(row, widths, table.alignments) for row in cells]
    rule = _GAP.join("-" * max(width, 1) for width in widths)
    return Grid((lines[0], rule), tuple(lines[1:]))


def records(table: Table) -> tuple[tuple[Inline, ...], ...]:
    """Each row as lines "Header: value"; what is empty is left out. A table without rows shows its headers."""
    if not table.rows:
        return (tuple(_bold(cell) for cell in table.header if not _is_blank(cell)),)
    found = []
    for row in table.rows:
        pairs = zip(table.header, row, strict=True)
        found.append(tuple(_pair(header, cell) for header, cell in pairs if not _is_blank(cell)))
    return tuple(record for record in found if record)


def _pair(header: Inline, cell: Inline) -> Inline:
    return cell if _is_blank(header) else (*_bold(header), Run(": "), *cell)


def _bold(runs: Inline) -> Inline:
    return tuple(Run(run.text, run.style | Style.BOLD, run.url) for run in runs)


def _is_blank(runs: Inline) -> bool:
    return is_blank(_plain(runs))


def _plain(runs: Inline) -> str:
    return " ".join("".join(run.text for run in runs).split())


def _row(cells: Sequence[str], widths: Sequence[int], alignments: Sequence[str]) -> str:
    return _GAP.join(map(_aligned, cells, widths, alignments)).rstrip()


def _aligned(text: str, width: int, alignment: str) -> str:
    missing = width - width_of(text)
    left = {"right": missing, "center": missing // 2}.get(alignment, 0)
    return " " * left + text + " " * (missing - left)
