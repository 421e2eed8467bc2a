"""What a platform with entities demands of a text and its spans; knows nothing of how they are made."""

from __future__ import annotations

from collections.abc import Sequence

from bot.channel import Span

STYLES = {"bold", "italic", "strikethrough", "spoiler"}
KINDS = STYLES | {"code", "pre", "link", "quote"}
LINKS = ("http://", "https://", "mailto:", "tg://", "tel:")


def violations(text: str, spans: Sequence[Span]) -> list[str]:
    """Everything that is wrong, in words."""
    codes = {span.start for span in spans if span.kind == "pre"}
    found = [f"{span}: {fault}" for span in spans for fault in _faults(text, span, is_code=span.start in codes)]
    for index, one in enumerate(spans):
        found += [f"{one} and {other}: {fault}" for other in spans[index + 1 :] for fault in _clashes(one, other)]
    if len(spans) > 100:
        found.append(f"{len(spans)} spans")
    if not text.strip():
        found.append("nothing to see")
    return found


def _faults(text: str, span: Span, *, is_code: bool) -> list[str]:
    """What is wrong with one span; where a code block begins, its indentation may stand."""
    faults = []
    covered = text[span.start : span.end]
    if span.kind not in KINDS:
        faults.append("unknown kind")
    if not 0 <= span.start < span.end <= len(text):
        faults.append("outside the text, or empty")
    if covered.rstrip() != covered:
        faults.append("ends with white space")
    if covered.lstrip("\n" if is_code else None) != covered:
        faults.append("starts with white space")
    if span.kind == "link" and not span.value.lower().startswith(LINKS):
        faults.append("leads nowhere")
    if span.value and span.kind not in ("link", "pre"):
        faults.append("has a value")
    return faults


def _clashes(one: Span, other: Span) -> list[str]:
    if one.end <= other.start or other.end <= one.start:
        return []
    if one.start <= other.start and other.end <= one.end:
        outer, inner = one, other
    elif other.start <= one.start and one.end <= other.end:
        outer, inner = other, one
    else:
        return ["overlap"]
    if outer.kind == inner.kind:
        return ["one kind twice"]
    if (outer.start, outer.end) == (inner.start, inner.end) and {outer.kind, inner.kind} == {"quote", "pre"}:
        return []
    if outer.kind == "quote":
        return []
    if {outer.kind, inner.kind} & {"code", "pre", "quote"}:
        return ["may not contain each other"]
    return []
