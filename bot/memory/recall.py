"""Finds what was said: by words, by meaning, by whom and when, and by what was said around it.

What may be searched is the caller's to say (`audience`): nothing of other conversations is in a result; all that they
decide is which terms are too common to look for. Knows nothing of prompts.

Scores are sums with fixed weights of figures that mean the same in any conversation, so that they hold in short and
long ones: BM25 (Robertson and Zaragoza 2009, https://doi.org/10.1561/1500000019) over the rarer terms, shared with
neighbours; cosines with the turn, with the turn after the one before it, and with the next one; and what can be told of
question and turn without comparing them. `benchmarks/recall` measures them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bot.memory.index import WIDTH, Embedder, Floats, Ids, Mark, SearchIndex, StampedEntry
from bot.memory.indexing import READ_AT_ONCE, Indexer
from bot.memory.questions import Question, understood
from bot.memory.shelf import Shelf
from bot.types import Turn

Mask = NDArray[np.bool_]

FEW = 2000
"""Turns that are all compared; of more, those that have rare terms of the question, or are near it."""
MOST_BY_TERMS, MOST_BY_MEANING, MOST_BY_TIME = 1000, 500, 500
MOST_EXACT = 80
"""Turns whose vectors are read, rather than their signs alone."""
COMMON_TURNS, COMMON_SHARE = 5000, 0.02
"""A term that more turns have than either is passed over, if the question has a rarer one."""
K1, B = 0.9, 0.4
LONGEST = 48
"""Terms beyond which a turn counts as no longer."""
LEAST_COSINE = 0.15
"""A turn that shares no term with the question, and no time, is a result only from here on."""
ENTRIES_AT_ONCE = 20_000
SPARE = 2
"""Results that are read beyond those that are wanted, since some may just have been deleted."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each figure counts."""

    terms: float = 5.5
    terms_before: float = 2.6
    terms_two_before: float = 1.8
    terms_after: float = 1.0
    cosine: float = 11.2
    cosine_joint: float = 9.6
    cosine_after: float = 4.0
    speaker: float = 3.4
    """For a turn of the one speaker whom the question names."""
    asks: float = -1.4
    length: float = 1.4
    """For each factor of e in the number of terms."""
    dated: float = 1.4
    names: float = 1.4
    time: float = 2.2


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn that was found, with what was said around it, oldest first."""

    turn: Turn
    score: float
    before: tuple[Turn, ...] = ()
    after: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class _Figures:
    """What is known of the turns `ids`, in their order."""

    ids: Ids
    fixed: Floats
    """The score without cosines."""
    cosine: Floats
    joint: Floats
    after: Floats
    is_related: Mask
    """Whether more than the cosine speaks for it."""


class Recall:
    """Searches what was said. May be asked by any number of tasks."""

    def __init__(self, index: SearchIndex, embedder: Embedder | None = None, *, weights: Weights | None = None) -> None:
        """Without an embedder turns are found by their words alone."""
        self._index = index
        self._embedder = embedder
        self._weights = weights or Weights()
        self._indexer = Indexer(index, embedder)
        self._shelf = Shelf()
        self._common: dict[str, int] = {}
        self._lock = asyncio.Lock()

    async def search(
        self,
        text: str,
        *,
        audience: Collection[int],
        now: datetime,
        asker: str = "",
        besides: Collection[int] = (),
        limit: int = 10,
        around: int = 1,
    ) -> list[Hit]:
        """What was said that may answer a question, best first.

        Args:
            text: the question.
            audience: the conversations whose turns those who read the answer may know.
            now: what "yesterday" is counted from, in the zone in which days begin.
            asker: the name of the one who asks, as their turns have it.
            besides: turns that are no results: those that the prompt has anyway.
            limit: results at most.
            around: turns before and after each result that come along.
        """
        await self.catch_up(besides=besides)
        shelf = self._shelf
        question = understood(text, names=[name for name in shelf.speakers(audience) if name], now=now)
        vector, postings = await asyncio.gather(self._vector(question), self._postings(question))
        async with self._lock:
            mask = shelf.within(audience, besides=besides)
            figures = await asyncio.to_thread(self._figures, question, vector, postings, mask, asker)
        ranked = await self._ranked(figures, vector)
        return await self._hits(ranked, audience, limit, around)

    async def catch_up(self, *, besides: Collection[int] = ()) -> None:
        """Know of everything that was said: what nobody has read yet is read, newest first, as far as that is quick."""
        async with self._lock:
            unread, entries = await asyncio.gather(self._index.unread(limit=READ_AT_ONCE), self._new_entries())
            if any(each.turn.id not in besides for each in unread):
                await self._indexer.read()
                entries = await self._new_entries()
            while entries:
                model = self._embedder.name if self._embedder else ""
                await asyncio.to_thread(self._shelf.put, entries, model)
                entries = await self._new_entries()

    async def _new_entries(self) -> list[StampedEntry]:
        return await self._index.entries(after=self._shelf.stamp, limit=ENTRIES_AT_ONCE)

    # -- what is compared -----------------------------------------------------------------------------------

    async def _vector(self, question: Question) -> Floats | None:
        if self._embedder is None:
            return None
        vectors = await asyncio.to_thread(self._embedder.embed, [question.meaning])
        return vectors.reshape(WIDTH)

    async def _postings(self, question: Question) -> Mapping[str, Ids]:
        """The turns that have each term; a term that most turns have tells nothing and would take longest."""
        count = self._shelf.count
        most = max(COMMON_TURNS, int(count * COMMON_SHARE))
        # what was common when there were half as many turns is looked at again
        asked = [term for term in question.terms if self._common.get(term, 0) * 2 <= count] or question.terms[:2]
        postings = await self._index.postings(asked, limit=most)
        common = {term for term, ids in postings.items() if len(ids) >= most}
        self._common.update(dict.fromkeys(common, count))
        rare = {term: ids for term, ids in postings.items() if term not in common}
        return rare if any(map(len, rare.values())) else postings

    def _figures(
        self, question: Question, vector: Floats | None, postings: Mapping[str, Ids], mask: Mask, asker: str
    ) -> _Figures:
        shelf, weights = self._shelf, self._weights
        by_terms = self._by_terms(postings, mask)
        ids = self._candidates(question, vector, by_terms, mask)
        before, after = shelf.previous[ids].astype(np.int64), shelf.following[ids].astype(np.int64)
        shared = (
            weights.terms * by_terms[ids]
            + weights.terms_before * by_terms[before]
            + weights.terms_two_before * by_terms[shelf.previous[before]]
            + weights.terms_after * by_terms[after]
        )
        is_related = (by_terms[ids] > 0) | (by_terms[before] > 0)
        timely = _lies_in(question, shelf.minute[ids])
        fixed = shared + weights.time * timely + self._known_of(question, ids, asker)
        if vector is None:
            nothing = np.zeros(len(ids), np.float32)
            return _Figures(ids, fixed, nothing, nothing, nothing, is_related | timely)
        cosine, joint = (self._filled(values, ids) for values in shelf.cosines(vector, ids))
        later = np.where(after > 0, self._filled(shelf.cosines(vector, after)[0], after), 0)
        return _Figures(ids, fixed, cosine, joint, later, is_related | timely)

    def _by_terms(self, postings: Mapping[str, Ids], mask: Mask) -> Floats:
        """BM25 by turn id, 1 for a term that one turn has; how often a turn has a term does not count."""
        shelf = self._shelf
        total = max(1, int(np.count_nonzero(mask)))
        lengths = np.arange(256) / max(1.0, shelf.mean_length)
        share = (K1 + 1) / (1 + K1 * (1 - B + B * lengths))
        scores = np.zeros(shelf.size, np.float32)
        for ids in postings.values():
            known = ids[ids < shelf.size]
            there = known[mask[known]]
            rarity = np.log(1 + (total - len(there) + 0.5) / (len(there) + 0.5)) / np.log(1 + 2 * total)
            scores[there] += rarity * share[shelf.length[there]]
        return scores

    def _candidates(self, question: Question, vector: Floats | None, by_terms: Floats, mask: Mask) -> Ids:
        """The turns that are compared closely."""
        shelf = self._shelf
        everything = np.flatnonzero(mask)
        if len(everything) <= FEW:
            return everything
        having = np.flatnonzero(by_terms)
        if len(having) > MOST_BY_TERMS:
            having = having[np.argpartition(by_terms[having], -MOST_BY_TERMS)[-MOST_BY_TERMS:]]
        after = shelf.following[having]
        found: list[NDArray[np.integer]] = [having, after, shelf.following[after], shelf.previous[having]]
        if vector is not None:
            found.append(shelf.nearest(vector, mask, MOST_BY_MEANING))
        if question.spans:
            found.append(np.flatnonzero(_lies_in(question, shelf.minute) & mask)[-MOST_BY_TIME:])
        ids: Ids = np.unique(np.concatenate(found)).astype(np.int64)
        allowed: Ids = ids[mask[ids]]
        return allowed

    def _known_of(self, question: Question, ids: Ids, asker: str) -> Floats:
        """What speaks for the turns whatever they say."""
        shelf, weights = self._shelf, self._weights
        marks = shelf.marks[ids]
        lengths = np.minimum(shelf.length[ids], LONGEST)
        scores = weights.length * np.log1p(lengths) + weights.asks * ((marks & Mark.ASKS) > 0)
        if question.wanted:
            wanted = weights.dated if question.wanted == Mark.DATED else weights.names
            scores = scores + wanted * ((marks & question.wanted) > 0)
        return np.asarray(scores + weights.speaker * self._is_speaker(question, ids, asker), np.float32)

    def _is_speaker(self, question: Question, ids: Ids, asker: str) -> Mask:
        shelf = self._shelf
        is_assistant = (shelf.marks[ids] & Mark.ASSISTANT) > 0
        if len(question.names) == 1:
            (name,) = question.names
            named: Mask = (shelf.speaker[ids] == shelf.names.index(name)) & ~is_assistant
            return named
        if question.names or not (question.of_assistant or question.of_asker):
            return np.zeros(len(ids), np.bool_)
        if question.of_assistant:
            return is_assistant
        is_asker = shelf.speaker[ids] == shelf.names.index(asker) if asker in shelf.names else True
        return ~is_assistant & is_asker

    def _filled(self, cosines: Floats, ids: Ids) -> Floats:
        """What is not embedded is neither near nor far."""
        is_known = self._shelf.is_embedded[ids]
        middle = np.median(cosines[is_known]) if is_known.any() else 0
        return np.where(is_known, cosines, middle)

    # -- what is found --------------------------------------------------------------------------------------

    async def _ranked(self, figures: _Figures, vector: Floats | None) -> list[tuple[int, float]]:
        """Turn ids and scores, best first; the best by their exact cosines."""
        scores = self._scores(figures)
        best = np.argsort(-scores, kind="stable")[: MOST_EXACT * 4]
        if vector is not None and len(best):
            await self._make_exact(figures, best[:MOST_EXACT], vector)
            scores = self._scores(figures)
            best = best[np.argsort(-scores[best], kind="stable")]
        is_near = self._shelf.is_embedded[figures.ids] & (np.maximum(figures.cosine, figures.joint) >= LEAST_COSINE)
        is_near |= figures.is_related
        return [(int(figures.ids[place]), float(scores[place])) for place in best if is_near[place]]

    async def _make_exact(self, figures: _Figures, places: Ids, asked: Floats) -> None:
        """Put exact cosines in the place of those that signs tell; a turn whose vectors are gone just now has none."""
        places = places[self._shelf.is_embedded[figures.ids[places]]]
        figures.cosine[places] = figures.joint[places] = 0
        model = self._embedder.name if self._embedder else ""
        vectors = await self._index.vectors(figures.ids[places].tolist(), model=model)
        kept = [(place, found) for place in places if (found := vectors.get(int(figures.ids[place])))]
        if kept:
            numbers = np.frombuffer(b"".join(found for _, found in kept), np.int8).reshape(-1, 2, WIDTH)
            exact = numbers.astype(np.float32)
            exact /= np.linalg.norm(exact, axis=2, keepdims=True) + 1e-9
            cosines = exact @ asked
            at = [place for place, _ in kept]
            figures.cosine[at], figures.joint[at] = cosines[:, 0], cosines[:, 1]

    def _scores(self, figures: _Figures) -> Floats:
        weights = self._weights
        cosines = weights.cosine * figures.cosine + weights.cosine_joint * figures.joint
        scores: Floats = figures.fixed + cosines + weights.cosine_after * figures.after
        return scores

    async def _hits(
        self, ranked: Sequence[tuple[int, float]], audience: Collection[int], limit: int, around: int
    ) -> list[Hit]:
        ranked = ranked[: limit + SPARE]
        before = {turn_id: self._chain(turn_id, self._shelf.previous, around) for turn_id, _ in ranked}
        after = {turn_id: self._chain(turn_id, self._shelf.following, around) for turn_id, _ in ranked}
        wanted = {turn_id for turn_id, _ in ranked}.union(*before.values(), *after.values())
        turns = await self._index.turns(sorted(wanted))
        self._shelf.drop(wanted - set(turns))

        def known(turn_ids: Sequence[int]) -> tuple[Turn, ...]:
            found = (turns[each] for each in turn_ids if each in turns)
            return tuple(turn for turn in found if turn.conversation_id in audience)

        hits = [
            Hit(turns[turn_id], score, known(before[turn_id][::-1]), known(after[turn_id]))
            for turn_id, score in ranked
            if turn_id in turns
        ]
        return hits[:limit]

    def _chain(self, turn_id: int, links: NDArray[np.int32], most: int) -> list[int]:
        chain: list[int] = []
        while len(chain) < most and (turn_id := int(links[turn_id])):
            chain.append(turn_id)
        return chain


def _lies_in(question: Question, minutes: NDArray[np.int32]) -> Mask:
    """Whether the turns were said at a time that the question names."""
    found = np.zeros(len(minutes), np.bool_)
    for start, end in question.spans:
        found |= (minutes >= start) & (minutes < end)
    return found
