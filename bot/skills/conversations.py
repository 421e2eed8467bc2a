"""Conversations: begin, list and change them; take back, repeat and stop a reply."""

from __future__ import annotations

from collections.abc import Sequence

from bot.protocols import Command, Reply
from bot.skills.context import SkillContext, last_question
from bot.types import Act, Conversation, Finished, TextDelta

LISTED = 20


class ConversationsSkill:
    """`/new /conversations /undo /retry /stop`; history is a tree, so nothing is destroyed by any of them."""

    commands: Sequence[Command] = (
        Command("new", "[NAME]"),
        Command("conversations", "[NAME]"),
        Command("undo"),
        Command("retry", "[MODEL]"),
        Command("stop", immediate=True),
    )

    def respond(self, context: SkillContext) -> Reply:
        """The reply of the command that was given."""
        match context.understanding.name.rpartition(".")[2]:
            case "new":
                return _new(context)
            case "conversations" if context.argument:
                return _switch(context)
            case "conversations":
                return _list(context)
            case "undo":
                return _undo(context)
            case "retry":
                return _retry(context)
            case _:
                return _stop(context)


async def _new(context: SkillContext) -> Reply:
    conversation = await context.store.create_conversation(
        context.message.address, at=context.clock.now(), name=context.argument
    )
    await context.remember_current(conversation.id)
    yield TextDelta(context.texts.get("commands.new_done"))
    yield Finished(act=Act("conversation.new", {"id": conversation.id, "name": conversation.name}))


async def _list(context: SkillContext) -> Reply:
    found = await context.store.conversations(context.message.address, limit=LISTED)
    lines = [_line(number, found_one, context) for number, found_one in enumerate(found, 1)]
    yield TextDelta(context.texts.get("commands.conversations_intro") + "\n\n" + "\n".join(lines))
    yield Finished(act=Act("conversation.list", {"count": len(found)}))


def _line(number: int, conversation: Conversation, context: SkillContext) -> str:
    name = conversation.name or context.texts.get("commands.unnamed")
    when = conversation.updated_at.astimezone(context.clock.zone)
    mark = " ←" if conversation.id == context.conversation.id else ""
    return f"{number}. {name} · {when:%Y-%m-%d %H:%M}{mark}"


async def _switch(context: SkillContext) -> Reply:
    conversation = await _named(context, context.argument)
    if conversation is None:
        yield TextDelta(context.texts.get("commands.conversation_unknown", name=context.argument))
        yield Finished(act=Act("reject", {"reason": "unknown_conversation"}))
        return
    await context.remember_current(conversation.id)
    turns = await context.store.count_turns(conversation.id)
    name = conversation.name or context.texts.get("commands.unnamed")
    yield TextDelta(context.texts.get("commands.conversation_opened", name=name, turns=turns))
    yield Finished(act=Act("conversation.open", {"id": conversation.id, "name": conversation.name}))


async def _named(context: SkillContext, wanted: str) -> Conversation | None:
    """By the number in the list, else by name."""
    address = context.message.address
    if (named := await context.store.find_conversation(address, wanted)) is not None or not wanted.isdecimal():
        return named
    found = await context.store.conversations(address, limit=LISTED)
    return found[int(wanted) - 1] if 0 < int(wanted) <= len(found) else None


async def _undo(context: SkillContext) -> Reply:
    question = last_question(await context.store.path(context.conversation.id))
    if question is None:
        yield TextDelta(context.texts.get("commands.nothing_to_undo"))
        yield Finished(act=Act("reject", {"reason": "nothing_to_undo"}))
        return
    await context.store.set_head(context.conversation.id, question.parent_id)
    yield TextDelta(context.texts.get("commands.undo_done", text=_shortened(question.text)))
    yield Finished(act=Act("conversation.undo", {"turn": question.id}))


async def _retry(context: SkillContext) -> Reply:
    question = last_question(await context.store.path(context.conversation.id))
    if question is None:
        yield TextDelta(context.texts.get("commands.nothing_to_retry"))
        yield Finished(act=Act("reject", {"reason": "nothing_to_retry"}))
        return
    if context.argument:
        await context.store.set_model(context.conversation.id, context.models.check(context.argument))
    await context.store.set_head(context.conversation.id, question.id)
    async for event in context.answer():
        yield event


async def _stop(context: SkillContext) -> Reply:
    stopped = context.stop()
    yield TextDelta(context.texts.get("commands.stop_done" if stopped else "commands.nothing_to_stop"))
    yield Finished(act=Act("conversation.stop", {"stopped": stopped}))


def _shortened(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
