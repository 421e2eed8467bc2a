"""Conversations: begin, list and change them; take back, repeat and stop a reply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile

from bot.protocols import Command, Immediate, Reply
from bot.skills.choosing import chosen_model
from bot.skills.context import SkillContext, questions_of
from bot.types import Act, Conversation, Finished, TextDelta, Turn

LISTED = 20
"""Conversations that `/conversations` shows at first."""
ALL = "all"
KNOWN = 10_000
"""Conversations that are looked at; who has more finds the oldest by name no longer."""
EXCERPT_LENGTH = 60


class ConversationsSkill:
    """`/new /conversations /undo /retry /stop`; history is a tree, so nothing is destroyed by any of them."""

    commands: Sequence[Command] = (
        Command("new", "[NAME]"),
        Command("conversations", f"[NAME|{ALL}]", immediate=Immediate.ALONE),
        Command("undo", "[NUMBER]", goes_back=True),
        Command("retry", "[MODEL]", goes_back=True),
        Command("stop", immediate=Immediate.ALWAYS, unlimited=True),
    )

    def respond(self, context: SkillContext) -> Reply:
        """The reply of the command that was given."""
        match context.understanding.name.rpartition(".")[2]:
            case "new":
                return _new(context)
            case "conversations" if context.argument.lower() in ("", ALL):
                return _list(context)
            case "conversations":
                return _switch(context)
            case "undo":
                return _undo(context)
            case "retry":
                return _retry(context)
            case _:
                return _stop(context)


async def _new(context: SkillContext) -> Reply:
    name = context.argument
    if name and await context.store.find_conversation(context.message.address, name) is not None:
        yield TextDelta(context.texts.get("commands.name_taken", name=name))
        yield Finished(act=Act("reject", {"reason": "name_taken"}))
        return
    conversation = await context.store.create_conversation(context.message.address, at=context.clock.now(), name=name)
    await context.remember_current(conversation.id)
    yield TextDelta(context.texts.get("commands.new_done"))
    yield Finished(act=Act("conversation.new", {"id": conversation.id, "name": conversation.name}))


async def _list(context: SkillContext) -> Reply:
    known = await _known(context)
    shown = list(known.items())[: None if context.argument else LISTED]
    intro = "commands.conversations_intro" if known else "commands.no_conversations"
    text = context.texts.get(intro) + "\n\n" + await _lines(context, dict(shown))
    if more := len(known) - len(shown):
        text += "\n\n" + context.texts.get("commands.conversations_more", count=more)
    yield TextDelta(text.strip())
    yield Finished(act=Act("conversation.list", {"count": len(known)}))


async def _known(context: SkillContext) -> dict[int, Conversation]:
    """The address's conversations by their number, last used first; those in which nothing was said have none."""
    found = await context.store.conversations(context.message.address, limit=KNOWN)
    return dict(enumerate((each for each in found if each.name or each.head_id), 1))


async def _lines(context: SkillContext, conversations: Mapping[int, Conversation]) -> str:
    """One line each; conversations of the same name are told apart by what was said last."""
    names = Counter(each.name for each in conversations.values())
    lines = []
    for number, conversation in conversations.items():
        last = await _last_words(context, conversation) if names[conversation.name] > 1 else ""
        when = conversation.updated_at.astimezone(context.clock.zone)
        mark = " ←" if conversation.id == context.conversation.id else ""
        lines.append(f"{number}. {_name(context, conversation)} · {when:%Y-%m-%d %H:%M}{last}{mark}")
    return "\n".join(lines)


async def _last_words(context: SkillContext, conversation: Conversation) -> str:
    turn = await context.store.turn(conversation.head_id) if conversation.head_id else None
    return f" · {_shortened(turn.text)}" if turn else ""


def _name(context: SkillContext, conversation: Conversation) -> str:
    return conversation.name or context.texts.get("commands.unnamed")


async def _switch(context: SkillContext) -> Reply:
    found = await _meant(context)
    if len(found) != 1:
        problem = "ambiguous" if found else "unknown"
        told = context.texts.get(f"commands.conversation_{problem}", name=context.argument)
        yield TextDelta(f"{told}\n\n{await _lines(context, found)}".strip())
        yield Finished(act=Act("reject", {"reason": f"{problem}_conversation"}))
        return
    [conversation] = found.values()
    await context.remember_current(conversation.id)
    turns = await context.store.count_turns(conversation.id)
    told = context.texts.get("commands.conversation_opened", name=_name(context, conversation), turns=turns)
    yield TextDelta(told)
    yield Finished(act=Act("conversation.open", {"id": conversation.id, "name": conversation.name}))


async def _meant(context: SkillContext) -> dict[int, Conversation]:
    """Those of that name, else the one of that number."""
    known, wanted = await _known(context), context.argument
    named = {number: each for number, each in known.items() if each.name == wanted}
    return named or {number: each for number, each in known.items() if str(number) == wanted}


async def _undo(context: SkillContext) -> Reply:
    wanted = context.argument or "1"
    if not (wanted.isdecimal() and int(wanted)):
        yield TextDelta(context.texts.get("commands.undo_how_many"))
        yield Finished(act=Act("reject", {"reason": "no_number"}))
        return
    questions = questions_of(await context.store.path(context.conversation.id))
    taken = list(takewhile(lambda question: _may_take_back(question, context), questions))[: int(wanted)]
    if not taken:
        yield TextDelta(_untaken(questions, context))
        yield Finished(act=Act("reject", {"reason": "not_theirs" if questions else "nothing_to_undo"}))
        return
    first, count = taken[-1][-1], sum(map(len, taken))
    await context.store.set_head(context.conversation.id, first.parent_id)
    key = "commands.undo_done" if count == 1 else "commands.undo_done_several"
    text = _shortened(first.text) or context.texts.get("commands.no_words")
    yield TextDelta(context.texts.get(key, text=text, count=count))
    yield Finished(act=Act("conversation.undo", {"turn": first.id, "count": count}))


def _may_take_back(question: Sequence[Turn], context: SkillContext) -> bool:
    """Where several people talk, each takes back only what they said themselves."""
    message, author = context.message, question[0].author
    return message.is_private or author is None or author.id == message.person.id


def _untaken(questions: Sequence[Sequence[Turn]], context: SkillContext) -> str:
    if not questions:
        return context.texts.get("commands.nothing_to_undo")
    name = questions[0][0].speaker or context.texts.get("commands.somebody")
    return context.texts.get("commands.undo_not_yours", name=name)


async def _retry(context: SkillContext) -> Reply:
    questions = questions_of(await context.store.path(context.conversation.id))
    if not questions:
        yield TextDelta(context.texts.get("commands.nothing_to_retry"))
        yield Finished(act=Act("reject", {"reason": "nothing_to_retry"}))
        return
    if context.argument:
        await context.store.set_model(context.conversation.id, chosen_model(context, context.argument))
    if await _leaves_more_behind(questions[0][0], context):
        yield TextDelta(f"*{context.texts.get('commands.retry_went_back')}*\n\n")
    await context.store.set_head(context.conversation.id, questions[0][0].id)
    async for event in context.answer():
        yield event


async def _leaves_more_behind(question: Turn, context: SkillContext) -> bool:
    """Whether more than the answer to the question was said since: then the conversation went back to it."""
    replied, head = context.message.after_turn_id, context.conversation.head_id  # as it was before it went back
    newest = await context.store.turn(head) if replied and head not in (replied, question.id, None) else None
    return newest is not None and newest.parent_id != question.id


async def _stop(context: SkillContext) -> Reply:
    stopped = context.stop()
    yield TextDelta(context.texts.get("commands.stop_done" if stopped else "commands.nothing_to_stop"))
    yield Finished(act=Act("conversation.stop", {"stopped": stopped}))


def _shortened(text: str, limit: int = EXCERPT_LENGTH) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
