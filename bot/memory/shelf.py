"""What is kept in memory of every turn, so that a question is compared with a million of them: a hundred bytes a turn.

Arrays by turn id, since ids are dense; id 0 is nothing. A vector is kept as the signs of its numbers: near vectors
differ in few of them (Charikar 2002, https://doi.org/10.1145/509907.509965), and comparing a question's exact vector
with signs gives its cosine within a few hundredths. Knows nothing of the store, nor of what is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.memory.index import WIDTH, Floats, Ids, StampedEntry

BYTES = WIDTH // 8
"""Of the signs of one vector."""
LONGEST = 255
FURTHEST = WIDTH + 1
AT_A_TIME = 8192
COSINE = np.sqrt(2 / np.pi)
"""Between a vector and its signs, where its numbers are spread as a normal distribution."""

Bits = NDArray[np.uint64]
_SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1


class Shelf:
    """Entries by turn id. Not to be read while something is put there."""

    def __init__(self) -> None:
        self.stamp = 0
        self.count = 0
        """Turns that are there."""
        self._lengths = 0
        self.names: list[str] = []
        self._codes: dict[str, int] = {}
        self._speakers: defaultdict[int, set[int]] = defaultdict(set)
        self._highest_conversation = 0
        self.conversation = np.zeros(1, np.int32)
        self.previous = np.zeros(1, np.int32)
        self.following = np.zeros(1, np.int32)
        self.minute = np.zeros(1, np.int32)
        self.speaker = np.zeros(1, np.int32)
        self.marks = np.zeros(1, np.uint8)
        self.length = np.zeros(1, np.uint8)
        self.is_embedded = np.zeros(1, np.bool_)
        self._own: Bits = np.zeros((1, BYTES // 8), np.uint64)
        self._joint: Bits = np.zeros((1, BYTES // 8), np.uint64)

    @property
    def size(self) -> int:
        """One more than the highest turn id that there is room for."""
        return len(self.conversation)

    @property
    def mean_length(self) -> float:
        """Terms of a turn."""
        return self._lengths / max(1, self.count)

    # -- keeping --------------------------------------------------------------------------------------------

    def put(self, entries: Sequence[StampedEntry], model: str) -> None:
        """Keep entries, in the order of their stamps; vectors of other models are passed over."""
        if not entries:
            return
        columns = StampedEntry(*zip(*entries, strict=True))  # type: ignore[arg-type] # a column in the place of each value
        ids = np.array(columns.turn_id, np.int64)
        self._make_room(int(ids.max()) + 1)
        self._count(ids, columns.length)
        self.conversation[ids] = columns.conversation_id
        self.previous[ids] = columns.previous_id
        self.following[self.previous[ids]] = ids
        self.previous[0] = self.following[0] = 0
        self.minute[ids] = columns.said_minute
        self.speaker[ids] = [self._code(name) for name in columns.speaker]
        self.marks[ids] = columns.marks
        self.length[ids] = np.minimum(columns.length, LONGEST)
        self._put_signs(ids, columns, model)
        for conversation_id, code in {*zip(columns.conversation_id, self.speaker[ids].tolist(), strict=True)}:  # type: ignore[call-overload]
            self._speakers[conversation_id].add(code)
            self._highest_conversation = max(self._highest_conversation, conversation_id)
        self.stamp = entries[-1].stamp

    def drop(self, turn_ids: Collection[int]) -> None:
        """Forget turns that are no longer there."""
        for turn_id in turn_ids:
            if turn_id < self.size and self.conversation[turn_id]:
                self.conversation[turn_id] = 0
                self.is_embedded[turn_id] = False
                self.count -= 1
                self._lengths -= int(self.length[turn_id])

    def _count(self, ids: Ids, lengths: object) -> None:
        is_known = self.conversation[ids] > 0
        self.count += int((~is_known).sum())
        self._lengths += int(np.minimum(lengths, LONGEST).sum()) - int(self.length[ids][is_known].sum())  # type: ignore[call-overload]

    def _put_signs(self, ids: Ids, columns: StampedEntry, model: str) -> None:
        has_signs = np.array(
            [bool(signs) and each == model for signs, each in zip(columns.signs, columns.model, strict=True)]
        )
        self.is_embedded[ids] = has_signs
        if has_signs.any():
            joined = b"".join(signs for signs, has in zip(columns.signs, has_signs, strict=True) if has)  # type: ignore[misc]
            signs = np.frombuffer(joined, np.uint64).reshape(-1, 2, BYTES // 8)
            self._own[ids[has_signs]] = signs[:, 0]
            self._joint[ids[has_signs]] = signs[:, 1]

    def _code(self, name: str) -> int:
        if name not in self._codes:
            self._codes[name] = len(self.names)
            self.names.append(name)
        return self._codes[name]

    def _make_room(self, size: int) -> None:
        if size <= self.size:
            return
        size = max(size, self.size * 3 // 2)
        for name, array in [*vars(self).items()]:
            if isinstance(array, np.ndarray):
                larger = np.zeros((size, *array.shape[1:]), array.dtype)
                larger[: len(array)] = array
                setattr(self, name, larger)

    # -- comparing ------------------------------------------------------------------------------------------

    def speakers(self, conversation_ids: Collection[int]) -> dict[str, int]:
        """The codes of those who speak in the conversations, by name."""
        codes = set().union(*(self._speakers[each] for each in conversation_ids if each in self._speakers))
        return {self.names[code]: code for code in codes}

    def within(self, conversation_ids: Collection[int], *, besides: Collection[int]) -> NDArray[np.bool_]:
        """For every turn id whether it is one of those conversations', and not one of `besides`."""
        is_open = np.zeros(self._highest_conversation + 1, np.bool_)
        is_open[[each for each in conversation_ids if 0 < each <= self._highest_conversation]] = True
        mask: NDArray[np.bool_] = is_open[self.conversation]
        mask[[each for each in besides if each < self.size]] = False
        return mask

    def nearest(self, vector: Floats, mask: NDArray[np.bool_], most: int) -> Ids:
        """The embedded turns whose signs differ least from the vector's, by themselves or after the turn before."""
        ids = np.flatnonzero(mask & self.is_embedded)
        if not len(ids):
            return ids
        asked = np.packbits(vector > 0).view(np.uint64)
        # looking at most turns is quicker than copying them
        most_ids = slice(0, int(ids[-1]) + 1) if len(ids) * 2 > ids[-1] else ids
        found = []
        for bits in (self._own, self._joint):
            distances = _distances(bits[most_ids], asked)
            found.append(_least(distances if most_ids is ids else distances[ids], most))
        near: Ids = ids[np.unique(np.concatenate(found))]
        return near

    def cosines(self, vector: Floats, ids: Ids) -> tuple[Floats, Floats]:
        """About what the cosines with the turns are, by themselves and after the turn before."""
        table = (vector.reshape(BYTES, 8) @ _SIGNS.T).ravel() / np.float32(np.sqrt(WIDTH) * COSINE)
        places = np.arange(BYTES, dtype=np.int32) * 256
        own, joint = (bits[ids].view(np.uint8) + places for bits in (self._own, self._joint))
        return table[own].sum(axis=1), table[joint].sum(axis=1)


def signs_of(vectors: Floats) -> bytes:
    """The signs of the rows, one after the other."""
    return np.packbits(vectors > 0, axis=1).tobytes()


def _distances(bits: Bits, asked: Bits) -> NDArray[np.uint16]:
    """Signs that differ; so many at a time that what lies between stays in the cache."""
    distances = np.zeros(len(bits), np.uint16)
    for start in range(0, len(bits), AT_A_TIME):
        some = distances[start : start + AT_A_TIME]
        for column, word in zip(bits[start : start + AT_A_TIME].T, asked, strict=True):
            some += np.bitwise_count(column ^ word)
    return distances


def _least(values: NDArray[np.uint16], most: int) -> Ids:
    """Where the smallest values are. They are few and small, so that counting them is quicker than sorting."""
    if len(values) <= most:
        return np.arange(len(values))
    reached = np.cumsum(np.bincount(values, minlength=FURTHEST))
    return np.flatnonzero(values <= np.searchsorted(reached, most))[: 2 * most]
