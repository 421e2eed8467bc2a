"""A process that appends to a database: `python -m tests.storage.appender URL NAME COUNT [WAIT]`.

It makes a conversation called NAME if there is none, appends COUNT turns to it, and prints each id when the store has
promised the turn. With WAIT `before` or `after` it says `ready` before or after it opens the database, and goes on when
it reads a line on standard input.
"""

from __future__ import annotations

import asyncio
import sys

from storage import open_store
from tests.storage.values import HERE, NOON, said


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _wait() -> None:
    _say("ready")
    sys.stdin.readline()


async def _append(url: str, name: str, count: int, wait: str) -> None:
    if wait == "before":
        _wait()
    async with open_store(url) as store:
        if wait == "after":
            _wait()
        conversation = await store.find_conversation(HERE, name) or await store.create_conversation(
            HERE, at=NOON, name=name
        )
        for number in range(count):
            turn = await store.append_turn(said(conversation, f"{number} " + "word " * 200))
            _say(turn.id)


if __name__ == "__main__":
    asyncio.run(_append(sys.argv[1], sys.argv[2], int(sys.argv[3]), "".join(sys.argv[4:])))
