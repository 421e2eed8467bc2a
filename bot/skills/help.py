"""`/help`: what is there; and `/start`, by which platforms begin a chat."""

from __future__ import annotations

from collections.abc import Sequence

from bot.protocols import Command, Reply
from bot.skills.context import SkillContext
from bot.types import Act, Finished, TextDelta


class HelpSkill:
    """Lists every command that the installed skills answer."""

    commands: Sequence[Command] = (Command("help", immediate=True), Command("start", hidden=True))

    async def respond(self, context: SkillContext) -> Reply:
        """One line a command, or a greeting."""
        texts = context.texts
        if context.understanding.name.endswith("start"):
            yield TextDelta(texts.get("chat.greeting"))
            yield Finished(act=Act("greet"))
            return
        shown = [command for command in context.commands.values() if not command.hidden]
        lines = [_line(command, texts.find(command.summary)) for command in shown]
        yield TextDelta(texts.get("commands.help_intro") + "\n\n" + "\n".join(lines))
        yield Finished(act=Act("help"))


def _line(command: Command, summary: str | None) -> str:
    return f"- `{usage(command)}`" + (f" — {summary}" if summary else "")


def usage(command: Command) -> str:
    """The command as it is typed: `/persona [NAME]`."""
    return f"/{command.name} {command.argument}".rstrip()
