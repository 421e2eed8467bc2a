"""`/help`: what is there; and `/start`, by which platforms begin a chat."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.protocols import Command, Immediate, Reply
from bot.skills.context import SkillContext
from bot.texts import Texts
from bot.turn import unknown_command
from bot.types import Act, Finished, TextDelta, Understanding
from bot.understanding.commands import UNKNOWN_COMMAND, near_commands

PLACE = re.compile(r"[A-Z]{3,}")
"""What in a command's argument stands for something else."""


class HelpSkill:
    """Lists every command that the installed skills answer, or explains one."""

    commands: Sequence[Command] = (
        Command("help", "[NAME]", immediate=Immediate.ALWAYS),
        Command("start", immediate=Immediate.ALWAYS, hidden=True),
    )

    async def respond(self, context: SkillContext) -> Reply:
        """A greeting, one command, or one line for each."""
        if context.understanding.name.endswith("start"):
            text, act = context.texts.get("chat.greeting"), Act("greet")
        elif context.argument:
            text, act = _explain(context.argument.split()[0].removeprefix("/").lower(), context)
        else:
            text, act = _list(context), Act("help")
        yield TextDelta(text)
        yield Finished(act=act)


def _list(context: SkillContext) -> str:
    lines = [f"- {_line(command, context)}" for command in context.commands.values() if not command.hidden]
    return context.texts.get("commands.help_intro") + "\n\n" + "\n".join(lines)


def _explain(name: str, context: SkillContext) -> tuple[str, Act]:
    """The command's line, and what else is to be known of it."""
    command = context.commands.get(name)
    if command is None or command.hidden:
        meant = Understanding(UNKNOWN_COMMAND, 1.0, {"name": name, "near": near_commands(name, context.commands)})
        return unknown_command(meant, context.texts), Act("reject", {"reason": "unknown_command"})
    keys = [f"commands.more_{name}", *([f"commands.more_{name}_server"] if context.message.server else [])]
    more = " ".join(filter(None, map(context.texts.find, keys)))
    return _line(command, context) + (f"\n\n{more}" if more else ""), Act("help", {"command": name})


def _line(command: Command, context: SkillContext) -> str:
    """The command is no code: platforms that make commands tappable do so in plain text alone."""
    summary = context.texts.find(command.summary)
    return usage(command, context.texts) + (f" — {summary}" if summary else "")


def usage(command: Command, texts: Texts) -> str:
    """The command as it is typed, `/persona [NAME]`, with what stands for something in the person's language."""
    argument = PLACE.sub(lambda place: _in_words(place[0], texts), command.argument)
    return f"/{command.name} {argument}".rstrip()


def _in_words(place: str, texts: Texts) -> str:
    return texts.find(f"commands.place_{place.lower()}") or place
