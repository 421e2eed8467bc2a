"""Recognizes commands: `/name argument`, also as `/name@bot argument`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from bot.protocols import DialogueState
from bot.types import Message, Understanding

COMMAND_PREFIX = "command."
UNKNOWN_COMMAND = "command_unknown"

_COMMAND = re.compile(r"/([A-Za-z_]\w{0,31})(?:@\w+)?(?:\s+(.*))?", re.DOTALL)


def command_name(text: str) -> str | None:
    """The name of the command that a text is; None for any other text."""
    match = _COMMAND.fullmatch(text.strip())
    return match[1].lower() if match else None


def is_command(understanding: Understanding) -> bool:
    """Whether it is a command, or looks like one that is not there."""
    return understanding.name.startswith(COMMAND_PREFIX) or understanding.name == UNKNOWN_COMMAND


class CommandRecognizer:
    """Takes a text whose first word is a slash and a name; paths such as `/etc/hosts` are left alone."""

    async def recognize(self, message: Message, state: DialogueState) -> Understanding | None:
        """`command.NAME` with the slot `argument`; an unknown name gives `command_unknown` with the nearest names."""
        match = _COMMAND.fullmatch(message.text.strip())
        if match is None:
            return None
        name, argument = match[1].lower(), (match[2] or "").strip()
        if name in state.commands:
            return Understanding(COMMAND_PREFIX + name, 1.0, {"argument": argument})
        return Understanding(UNKNOWN_COMMAND, 1.0, {"name": name, "near": near_commands(name, state.commands)})


def near_commands(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The names that a wrong one may have been meant to be, the nearest first."""
    return tuple(difflib.get_close_matches(name, list(known), 3, 0.5))
