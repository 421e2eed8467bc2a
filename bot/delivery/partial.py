"""Closes what is open at the end of Markdown that is still being written, so that a preview shows no half marks.

Works on the last paragraph alone, by rules of thumb: a preview that is wrong for a moment does no harm.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}|~{3,})(.*)")
_HALF_LINE = re.compile(r"[-=*+_#>|`~]{1,6}|\d{1,9}[.)]")
_HALF_LINK = re.compile(r"!?\[([^\[\]\n]*)(?:\](?:\([^()\n]*)?)?\Z")
_HALF_MARK = re.compile(r"(?<![*_~`\\])[*_~`]+\Z|\\\Z")
_MARKS = re.compile(r"\\.|`+|\*{1,3}|~~|(?<!\w)_{1,3}(?=\w)|(?<=\w)_{1,3}(?!\w)", re.DOTALL)


def complete(text: str) -> str:
    """The text with its last paragraph, table or code block made whole."""
    if _open_fence(text):
        return _without_half_fence(text)
    body, _, line = text.rpartition("\n")
    if body and "-" in line and not line.strip(" \t:|-") and "|" in (above := body.rpartition("\n")[2]):
        return f"{body}\n{_rule_for(above)}"
    if _HALF_LINE.fullmatch(line.strip()):
        text = body
    start = text.rfind("\n\n") + 1
    return text[:start] + _close(text[start:])


def _open_fence(text: str) -> str:
    """The fence that is open at the end of the text, if any."""
    fence = ""
    for line in text.split("\n"):
        if match := _FENCE.match(line.lstrip(" \t>")):
            if not fence and "`" not in match[2]:
                fence = match[1]
            elif fence and match[1].startswith(fence) and not match[2].strip():
                fence = ""
    return fence


def _without_half_fence(text: str) -> str:
    body, _, line = text.rpartition("\n")
    return body if line.strip(" \t>") in ("`", "``", "~", "~~") else text


def _rule_for(header: str) -> str:
    cells = header.strip().strip("|").count("|") + 1
    return "|" + "---|" * cells


def _close(paragraph: str) -> str:
    paragraph = _HALF_LINK.sub(r"\1", _HALF_MARK.sub("", paragraph) if _is_opening(paragraph) else paragraph)
    return paragraph.rstrip(" ") + "".join(reversed(_open_marks(paragraph)))


def _is_opening(paragraph: str) -> bool:
    """Whether the marks at the end open something, or close only half of it."""
    match = _HALF_MARK.search(paragraph)
    return match is not None and _open_marks(paragraph) != []


def _open_marks(paragraph: str) -> list[str]:
    """The marks that nothing closes, outermost first."""
    marks: list[str] = []
    for match in _MARKS.finditer(paragraph):
        mark = match[0]
        if mark[0] == "\\" or (marks and marks[-1][0] == "`" and mark != marks[-1]):
            continue
        if mark in marks:
            del marks[marks.index(mark) :]
        elif mark[0] in "`~" or not paragraph[match.end() : match.end() + 1].isspace():
            marks.append(mark)
    return marks
