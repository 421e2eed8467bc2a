"""What people are called in prompts, where several read: harmless names, one for each person of a conversation.

A name is given once, stored with each turn of the person, and never changed: prompts stay the beginning of later ones.
"""

from __future__ import annotations

import unicodedata
from collections import OrderedDict

from bot.protocols import Store
from bot.types import Person

LONGEST_NAME = 32
REMEMBERED_CONVERSATIONS = 1000

# what formats text, opens tags and control tokens, mentions people, or ends a name in front of what is said
_MARKUP = frozenset("*_~`|<>[]{}\\#@:：＠＃＊＜＞｜")


def harmless(name: str) -> str:
    """The name as one line of at most `LONGEST_NAME` signs, without markup and control characters; it may be empty."""
    line = " ".join("".join(map(_harmless_sign, unicodedata.normalize("NFC", name))).split())
    return line[:LONGEST_NAME].rstrip()


def _harmless_sign(sign: str) -> str:
    if sign.isspace():
        return " "
    return "" if sign in _MARKUP or unicodedata.category(sign).startswith("C") else sign


class Speakers:
    """Names the people of conversations; remembers the conversations that were used last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[int, dict[str, str]] = OrderedDict()

    async def name(self, person: Person, conversation_id: int, *, unnamed: str) -> str:
        """What the person is called in the conversation: as they were, else by a name that nobody else there has.

        `unnamed` is for somebody whose name is empty.
        """
        names = await self._names(conversation_id)
        if person.id not in names:
            names[person.id] = _free(harmless(person.name) or unnamed, set(map(_folded, names.values())))
        return names[person.id]

    async def _names(self, conversation_id: int) -> dict[str, str]:
        if conversation_id not in self._known:
            self._known[conversation_id] = await self._store.speakers(conversation_id)
        self._known.move_to_end(conversation_id)
        if len(self._known) > REMEMBERED_CONVERSATIONS:
            self._known.popitem(last=False)
        return self._known[conversation_id]


def _free(name: str, taken: set[str]) -> str:
    """The name, or else with the first number that makes it nobody else's."""
    number, free = 1, name
    while _folded(free) in taken:
        number += 1
        mark = f" ({number})"
        free = name[: LONGEST_NAME - len(mark)].rstrip() + mark
    return free


def _folded(name: str) -> str:
    """Equal for names that look alike but for their case and width."""
    return unicodedata.normalize("NFKC", name).casefold()
