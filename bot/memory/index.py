"""The seam between recall and the store: what is kept of every turn so that it can be found.

Values and protocols alone. A turn is *entered* (its terms and what else can be told from its text) and later
*embedded*; both are undone by the store itself, in the transaction that changes or deletes the turn. Each entry has a
stamp that only grows, so that whoever keeps entries in memory reads no more than what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from bot.types import Turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]
else:
    Floats = Ids = Any

WIDTH = 384
"""Numbers in a vector."""


class Mark(IntFlag):
    """What can be told from a turn's text without a question."""

    ASKS = 1
    """It ends with a question."""
    DATED = 2
    """It says when something was or will be."""
    NAMES = 4
    """It names somebody or something besides those who talk."""
    ASSISTANT = 8
    """The assistant said it."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A turn that is not in the index, and what was said before it."""

    stamp: int
    """Of this state of the turn: what is made of it is kept only as long as there is no later one."""
    turn: Turn
    previous: str = ""
    previous_speaker: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of a turn besides its vectors."""

    stamp: int
    """Of the `Unread` that it was made of."""
    turn_id: int
    conversation_id: int
    previous_id: int
    """The turn before it; 0 for none."""
    said_at: datetime
    speaker: str
    marks: Mark
    length: int
    """Different terms."""
    terms: str
    """With spaces between them."""


class StampedEntry(NamedTuple):
    """An entry as it is read again, without its terms; a tuple, since they are read by the million."""

    stamp: int
    turn_id: int
    conversation_id: int
    previous_id: int
    said_minute: int
    """Minutes since 1970, UTC."""
    speaker: str
    marks: int
    length: int
    model: str
    """What embedded it; empty where nothing has yet."""
    signs: bytes
    """The signs of both vectors, a bit a number, or nothing."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """The two vectors of a turn: of itself, and of itself after the turn before it; numbers from -127 to 127."""

    stamp: int
    """Of the `Unread` that it was made of."""
    signs: bytes
    vectors: bytes


class Embedder(Protocol):
    """Texts to vectors of length one that are near each other where the texts mean alike. May take a while."""

    @property
    def name(self) -> str:
        """Names the model and its form; vectors of different names are never compared."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """One row of WIDTH numbers a text."""


class SearchIndex(Protocol):
    """Entries, terms and vectors of turns. Every method is one transaction; a deleted turn is in no result."""

    async def unread(self, *, limit: int) -> list[Unread]:
        """Turns that are to be entered, newest first."""

    async def enter(self, entries: Sequence[Entry]) -> None:
        """Keep the entries; of a turn that changed or went since it was read, nothing is kept."""

    async def unembedded(self, model: str, *, limit: int) -> list[Unread]:
        """Entered turns without vectors of that model, newest first."""

    async def embed(self, model: str, embeddings: Sequence[Embedding]) -> None:
        """Keep the vectors; of a turn that changed or went since it was read, nothing is kept."""

    async def entries(self, *, after: int, limit: int) -> list[StampedEntry]:
        """Entries with stamps after that one, in order."""

    async def postings(self, terms: Sequence[str], *, limit: int) -> dict[str, Ids]:
        """For each term the ids of turns that have it, at most `limit`; for `x*` any term that begins so."""

    async def vectors(self, turn_ids: Sequence[int], *, model: str) -> dict[int, bytes]:
        """The vectors of that model of those turns that are still there, as they were kept."""

    async def turns(self, turn_ids: Sequence[int]) -> dict[int, Turn]:
        """Those turns that are still there."""

    async def tidy(self) -> bool:
        """Do a little of what makes deleted terms vanish from the file; whether there is more to do."""
