"""Talk: the fallback skill, which lets the model answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.errors import GenerationFailed
from bot.generation.reasoning import Piece, ReasoningSplitter
from bot.memory.window import Window, build_window
from bot.places import Setting
from bot.protocols import Command, Generator, Reply
from bot.skills.choosing import short_name
from bot.skills.context import SkillContext
from bot.texts import Texts
from bot.types import (
    EndReason,
    Finished,
    GeneratedText,
    GenerationEnd,
    GenerationEvent,
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
        name = context.model
        if not context.models.is_loaded(name):
            told = short_name(name or context.models.default)
            yield Status(context.texts.get("generation.loading", model=told))
        generator = await context.models.load(name)
        window = await _open_window(context, generator)
        if window.left_out:
            yield Status(context.texts.get("chat.left_out", count=window.left_out))
        known = Finished(generator=generator.kind, model=generator.model, evidence=_evidence(context, window))
        context.note(known)
        sampling = replace(context.settings.sampling, max_tokens=window.reply_tokens)
        end, empty = GenerationEnd(EndReason.STOP, Usage()), True
        async with aclosing(_split(generator.stream(window.prompt, sampling))) as events:
            async for event in events:
                if isinstance(event, GenerationEnd):
                    end = event
                elif isinstance(event, Queued):
                    yield Status(_place(event, context))
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


async def _split(stream: AsyncGenerator[GenerationEvent, None]) -> AsyncGenerator[Piece | Queued | GenerationEnd, None]:
    """The stream with reasoning told apart; leading white space of the answer is dropped."""
    splitter = ReasoningSplitter()
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, GeneratedText) and event.reasoning:
                yield Piece(event.text, reasoning=True)
            elif isinstance(event, GeneratedText):
                for piece in splitter.feed(event.text):
                    yield piece
            elif isinstance(event, Queued):
                yield event
            else:
                for piece in splitter.flush():
                    yield piece
                yield event


def _place(queued: Queued, context: SkillContext) -> str:
    """Where the person stands in line."""
    if seconds := round(queued.seconds):
        return context.texts.get("chat.queued_for", position=queued.position, seconds=seconds)
    return context.texts.get("chat.queued", position=queued.position)


def _evidence(context: SkillContext, window: Window) -> dict[str, object]:
    return {
        "persona": context.persona,
        "start": window.start_id,
        "left_out": window.left_out,
        "sampling": {"temperature": context.settings.sampling.temperature, "seed": context.settings.sampling.seed},
    }
