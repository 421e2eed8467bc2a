"""Asking the model, as skills do: what is told while it is loaded or busy, and its answer apart from its reasoning."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.generation.reasoning import Piece, ReasoningSplitter
from bot.skills.choosing import short_name
from bot.skills.context import SkillContext
from bot.types import GeneratedText, GenerationEnd, GenerationEvent, Queued


def loading(context: SkillContext) -> str:
    """That the model is being loaded; empty where it is there."""
    if context.models.is_loaded(context.model):
        return ""
    return context.texts.get("generation.loading", model=short_name(context.model or context.models.default))


async def split(stream: AsyncGenerator[GenerationEvent, None]) -> AsyncGenerator[Piece | Queued | GenerationEnd, None]:
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


def place_in_line(queued: Queued, context: SkillContext) -> str:
    """Where the person stands in line."""
    if seconds := round(queued.seconds):
        return context.texts.get("chat.queued_for", position=queued.position, seconds=seconds)
    return context.texts.get("chat.queued", position=queued.position)
