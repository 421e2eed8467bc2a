"""`parley`, except that it kills itself: at a named point, or when its model is given certain words.

`DIE_AT` in its environment is `point:when:count`; `when` is `before` or `after`, `count` the call at which it happens,
and points of the platform are methods of the class that `DIE_AT_ADAPTER` names. `DIE_ON` is what the model cannot bear,
wherever in a prompt it stands. Wraps methods from outside: the program knows nothing of it.
"""

from __future__ import annotations

import importlib
import itertools
import os
import signal
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

DIE_AT, DIE_ON, ADAPTER = "DIE_AT", "DIE_ON", "DIE_AT_ADAPTER"
PLATFORM = "platform."
POINTS = {
    # from the platform into the inbox, what is remembered, and out of the inbox again
    "inbox.accept": "storage.ledger:SqlLedger.accept",
    "inbox.begin": "storage.ledger:SqlLedger.begin",
    "memory.append": "storage.store:SqlStore.append_turn",
    "inbox.finish": "storage.ledger:SqlLedger.finish",
    "memory.revise": "storage.store:SqlStore.revise_turn",
    "memory.replace": "storage.store:SqlStore.replace_answer",
    # from the outbox to the platform, and the receipt
    "platform.preview": PLATFORM + "preview",
    "outbox.post": "storage.ledger:SqlLedger.post",
    "outbox.attempt": "storage.ledger:SqlLedger.attempt",
    "platform.edit": PLATFORM + "edit",
    "platform.send": PLATFORM + "send",
    "outbox.postpone": "storage.ledger:SqlLedger.postpone",
    "outbox.aim": "storage.ledger:SqlLedger.aim",
    "outbox.delivered": "storage.ledger:SqlLedger.delivered",
}
AT_START = {"inbox.begin", "outbox.postpone", "outbox.aim"}
"""Where a life comes to only if the one before left something over."""
Method = Callable[..., Awaitable[Any]]


def arm(where: str) -> None:
    """Let the process end at `point:when:count`, as if the machine had lost its power."""
    point, when, count = where.split(":")
    method = POINTS[point]
    if method.startswith(PLATFORM):
        method = f"{os.environ[ADAPTER]}.{method.removeprefix(PLATFORM)}"
    module, _, path = method.partition(":")
    owner_name, _, name = path.partition(".")
    owner = getattr(importlib.import_module(module), owner_name)
    setattr(owner, name, _deadly(getattr(owner, name), before=when == "before", count=int(count)))


def _deadly(method: Method, *, before: bool, count: int) -> Method:
    calls = itertools.count(1)

    @wraps(method)
    async def call(*arguments: Any, **options: Any) -> Any:
        is_last = next(calls) == count
        if is_last and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await method(*arguments, **options)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def poison(words: str) -> None:
    """Let the process end, as a fault in native code would end it, when the scripted model reads these words."""
    from bot.generation.echo import EchoGenerator
    from bot.types import Prompt, Sampling

    stream = EchoGenerator.stream

    def deadly(generator: EchoGenerator, prompt: Prompt, sampling: Sampling) -> Any:
        if any(words in message.content for message in prompt.messages):
            os.kill(os.getpid(), signal.SIGKILL)
        return stream(generator, prompt, sampling)

    setattr(EchoGenerator, "stream", deadly)  # noqa: B010 - a method is no variable to mypy


def main() -> None:
    """Run the program."""
    from bot.cli import entry

    if words := os.environ.get(DIE_ON):
        poison(words)
    if where := os.environ.get(DIE_AT):
        arm(where)
    entry()


if __name__ == "__main__":
    main()
