"""Texts to the terms that a full-text index holds: words, pairs of characters where a script has no spaces, signs.

Every term is letters, digits and marks alone, so that no database reads anything into it. Stemming is the database's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

MOST_TERMS = 30_000
"""Of one text; PostgreSQL's `tsvector` ends at a megabyte."""
LONGEST_TERM = 64
MOST_ASKED = 48
"""Terms of a question; what comes later in a very long one is not searched for."""

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_STRESS = re.compile("[\u0300-\u036f]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, Japanese, Chinese; and Korean, whose words carry their grammar at their ends."""

_STOPPED = """
a an the and or but if then of to in on at by for with from as is are was were be been being am do does did done
have has had having i you he she it we they me him her us them my your his its our their mine this that these
those there here what which who whom whose when where why how not no nor so than too very can could will would
shall should may might must about into over under again once up down out off just also s t d ll ve re m
"""
STOP_WORDS = frozenset(_STOPPED.split())
"""English words that say nothing of what a question is about; in other languages rarity alone decides."""


STOP_SIGNS = frozenset(
    "的了吗呢吧啊我你您他她它们是在有和与跟或不没这那什么怎样哪谁几还就也都很要会能可以得着过个一二说"
)
"""The like in Chinese, for signs that stand alone; others, such as 猫, are words of their own."""


def terms_of(text: str) -> list[str]:
    """The different terms of a text, in the order in which they come first."""
    found: dict[str, None] = {}
    for term in _terms(_folded(text)):
        found[term[:LONGEST_TERM]] = None
        if len(found) == MOST_TERMS:
            break
    return list(found)


def asked_terms(question: str) -> list[str]:
    """What to look for: the question's terms without stop-words. A single sign of a script without spaces has a `*`,
    since it is indexed as the beginning of pairs; each Chinese one is also looked for by itself."""
    found: dict[str, None] = {}
    for term in _terms(_folded(question), is_question=True):
        if term not in STOP_WORDS:
            found[term[:LONGEST_TERM]] = None
        if len(found) == MOST_ASKED:
            break
    return list(found)


def _folded(text: str) -> str:
    """Small letters without accents; wide forms, ligatures and the like are what they stand for."""
    text = text.lower()
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _STRESS.sub("", unicodedata.normalize("NFKD", text)))


def _terms(text: str, *, is_question: bool = False) -> Iterator[str]:
    if text.isascii():
        yield from _ASCII_WORD.findall(text)
        return
    for word in _words(text):
        end = 0
        for run in _UNSPACED.finditer(word):
            if word[end : run.start()]:
                yield word[end : run.start()]
            yield from _pairs(run[0], is_question)
            end = run.end()
        if word[end:]:
            yield word[end:]


def _words(text: str) -> Iterator[str]:
    word = ""
    for char in text:
        kind = _kind(char)
        if kind == "word":
            word += char
            continue
        if word:
            yield word
            word = ""
        if kind == "sign":
            yield f"u{ord(char):x}"
    if word:
        yield word


@lru_cache(maxsize=20_000)
def _kind(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] in "LN" or (category[0] == "M" and not "\ufe00" <= char <= "\ufe0f"):
        return "word"
    return "sign" if category == "So" else ""


def _pairs(run: str, is_question: bool) -> Iterator[str]:
    """The pairs of neighbours; in a text the last sign, too, so that each sign begins a term."""
    for index in range(len(run) - 1):
        yield run[index : index + 2]
    if not is_question:
        yield run[-1]
    elif len(run) == 1:
        yield f"{run}*"
    else:
        yield from (f"{sign}*" for sign in run if "\u3400" <= sign <= "\u9fff" and sign not in STOP_SIGNS)
