"""Keeps the index up with what is said, and its vectors with the model, beside everything else.

What a crash left behind, what was said before there was an index and what another model embedded are all the same to
it: turns that the index asks for. Nothing waits for it: what it has not read yet, `Recall` reads before it searches,
and what is not embedded is found by its words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from bot.errors import ParleyError
from bot.memory.index import Embedder, Embedding, Entry, Floats, Mark, SearchIndex, Unread
from bot.memory.questions import marks_of
from bot.memory.shelf import signs_of
from bot.memory.terms import terms_of
from bot.types import Role

logger = logging.getLogger(__name__)

READ_AT_ONCE = 200
EMBEDDED_AT_ONCE = 8
"""Small, so that a reply that needs the processor soon has it to itself again."""
PAUSE_SECONDS = 5.0
PAUSES_UNTIDIED = 720
"""An hour: tidying writes most of the full text anew."""
LEAD_CHARACTERS = 300
"""Of the turn before, which a turn is embedded with once more: the question that it answers, say."""
LONGEST_CHARACTERS = 1000


class Indexer:
    """Reads and embeds what is new."""

    def __init__(self, index: SearchIndex, embedder: Embedder | None = None) -> None:
        """Without an embedder turns are found by their words alone."""
        self._index = index
        self._embedder = embedder

    async def keep_up(self, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Read and embed whatever comes, until cancelled; what fails is told in the log and tried again later."""
        for pauses in count():
            try:
                while (
                    await self.read()
                    or await self.embed()
                    or (pauses % PAUSES_UNTIDIED == 0 and await self._index.tidy())
                ):
                    await pause(0)
            except ParleyError as error:
                logger.warning("what was said is not indexed for now: %s", error)
            await pause(PAUSE_SECONDS)

    async def read(self, *, limit: int = READ_AT_ONCE) -> int:
        """Enter the newest turns that the index has not read; how many."""
        unread = await self._index.unread(limit=limit)
        if unread:
            entries = await asyncio.to_thread(lambda: [*map(entry_of, unread)])
            await self._index.enter(entries)
        return len(unread)

    async def embed(self, *, limit: int = EMBEDDED_AT_ONCE) -> int:
        """Embed the newest turns that the model has not embedded; how many."""
        if self._embedder is None:
            return 0
        unread = await self._index.unembedded(self._embedder.name, limit=limit)
        if unread:
            embeddings = await asyncio.to_thread(_embeddings, self._embedder, unread)
            await self._index.embed(self._embedder.name, embeddings)
        return len(unread)


def entry_of(unread: Unread) -> Entry:
    """What is kept of a turn besides its vectors."""
    turn = unread.turn
    terms = terms_of(turn.text)
    author = turn.author.name if turn.author else ""
    return Entry(
        stamp=unread.stamp,
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        previous_id=turn.parent_id or 0,
        said_at=turn.at,
        speaker="" if turn.role is Role.ASSISTANT else turn.speaker or author,
        marks=marks_of(turn.text, besides=(turn.speaker or author, unread.previous_speaker))
        | (Mark.ASSISTANT if turn.role is Role.ASSISTANT else Mark(0)),
        length=len(terms),
        terms=" ".join(terms),
    )


def _embeddings(embedder: Embedder, unread: Sequence[Unread]) -> list[Embedding]:
    own = embedder.embed([each.turn.text[:LONGEST_CHARACTERS] for each in unread])
    joint = embedder.embed([_joint(each) for each in unread])
    both = np.stack([own, joint], axis=1)
    return [
        Embedding(each.stamp, signs_of(vectors), _rounded(vectors)) for each, vectors in zip(unread, both, strict=True)
    ]


def _joint(unread: Unread) -> str:
    return f"{unread.previous[-LEAD_CHARACTERS:]} {unread.turn.text}"[:LONGEST_CHARACTERS].strip()


def _rounded(vectors: Floats) -> bytes:
    """Numbers from -127 to 127; lengths are lost, since only directions are compared."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    rounded: NDArray[np.int8] = np.rint(vectors * (127 / np.maximum(largest, 1e-9))).astype(np.int8)
    return rounded.tobytes()
