"""Whether a message in a group calls the assistant by name, where a platform has @names. Knows no platform."""

from __future__ import annotations

import re

COMMAND = re.compile(r"/(\w+)(?:@(\w+))?(?=\s|$)")
_WORD = r"[^\W\u3040-\u9fff]"
"""A sign of a word, in scripts that put spaces between words."""


def is_called(text: str, username: str, names: tuple[str, ...] = ()) -> bool:
    """Whether the text holds @username or one of the names as a word, or is a command that is not another bot's."""
    command = COMMAND.match(text)
    if command and command[2]:
        return command[2].lower() == username.lower()
    patterns = [rf"(?<![\w/@])@{re.escape(username)}(?!\w)"]
    patterns += [f"(?<!{_WORD}){re.escape(name)}(?!{_WORD})" for name in names]
    return bool(command or re.search("|".join(patterns), text, re.IGNORECASE))


def without_call(text: str, username: str) -> str:
    """The text without the mention at its start, and `/help` for `/help@username`."""
    name = re.escape(username)
    call = rf"\A(?:@{name}(?!\w)[\s,:，：]*)?(?:(/\w+)@{name}(?!\w))?"
    return re.sub(call, r"\1", text, count=1, flags=re.IGNORECASE)
