"""A text with the stretches of it that are shown in some way: what platforms with entities are given."""

from __future__ import annotations

from dataclasses import dataclass

from bot.channel import Span


@dataclass(frozen=True, slots=True)
class Formatted:
    """Spans nest or are disjoint, are not empty, and stand in the order of the text, outer ones first."""

    text: str
    spans: tuple[Span, ...] = ()
