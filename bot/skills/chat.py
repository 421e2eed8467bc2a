"""Talk: the fallback skill, which lets the model answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.errors import GenerationFailed
from bot.memory.window import Window, build_window
from bot.places import Setting
from bot.protocols import Command, Generator, Reply
from bot.skills.asking import loading, place_in_line, split
from bot.skills.context import SkillContext
from bot.texts import Texts
from bot.types import (
    EndReason,
    Finished,
    GenerationEnd,
    Queued,
    ReasoningDelta,
    Status,
    TextDelta,
    Turn,
    TurnState,
    Usage,
)


class ChatSkill:
    """Builds the window, streams the model's answer, keeps reasoning apart."""

    commands: Sequence[Command] = ()

    async def respond(self, context: SkillContext) -> Reply:
        """The model's answer to what the conversation ends with.

        Raises:
            ModelError: the model cannot be loaded.
            GenerationError: it cannot answer, or not to the end.
        """
        if told := loading(context):
            yield Status(told)
        generator = await context.models.load(context.model)
        window = await _open_window(context, generator)
        if window.left_out:
            yield Status(context.texts.get("chat.left_out", count=window.left_out))
        known = Finished(generator=generator.kind, model=generator.model, evidence=_evidence(context, window))
        context.note(known)
        sampling = replace(context.settings.sampling, max_tokens=window.reply_tokens)
        end, empty = GenerationEnd(EndReason.STOP, Usage()), True
        async with aclosing(split(generator.stream(window.prompt, sampling))) as events:
            async for event in events:
                if isinstance(event, GenerationEnd):
                    end = event
                elif isinstance(event, Queued):
                    yield Status(place_in_line(event, context))
                elif not event.reasoning:
                    empty = False
                    yield TextDelta(event.text)
                elif context.settings.show_reasoning:
                    yield ReasoningDelta(event.text)
        if empty:
            raise GenerationFailed("chat.empty")
        state = TurnState.LENGTH if end.reason is EndReason.LENGTH else TurnState.COMPLETE
        yield replace(known, state=state, usage=end.usage)


async def _open_window(context: SkillContext, generator: Generator) -> Window:
    conversation = context.conversation
    turns = await context.store.path(conversation.id, since=conversation.window_start_id, until=context.until)
    window = await build_window(
        turns,
        standing_prompt=_standing_prompt(context, turns),
        generator=generator,
        max_reply_tokens=context.settings.sampling.max_tokens,
        cache_key=str(conversation.id),
    )
    if window.left_out and context.until is None:
        await context.store.set_window_start(conversation.id, window.start_id)
    return window


def _standing_prompt(context: SkillContext, turns: Sequence[Turn]) -> str:
    """The persona; in a group with a word on the names there, and in a language that does not change with who speaks,
    since all that follows would have to be read anew."""
    persona = context.persona
    if context.message.is_private:
        return context.personas.prompt(persona, context.texts.language)
    languages = (turn.author.language for turn in turns if turn.author)
    texts = Texts(context.place.get(Setting.LANGUAGE) or next(filter(None, languages), context.language))
    return f"{context.personas.prompt(persona, texts.language)}\n{texts.get('tasks.group')}"


def _evidence(context: SkillContext, window: Window) -> dict[str, object]:
    return {
        "persona": context.persona,
        "start": window.start_id,
        "left_out": window.left_out,
        "sampling": {"temperature": context.settings.sampling.temperature, "seed": context.settings.sampling.seed},
    }
