"""The prompt fits the model's window, begins with a question, and stays the beginning of the next prompt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.errors import PromptTooLong
from bot.generation.echo import EchoGenerator
from bot.generation.model import GeneratorSettings
from bot.memory.window import Window, build_window
from bot.types import Role, Turn

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def turns_of(*texts: str) -> list[Turn]:
    """Question and answer in turn."""
    roles = (Role.USER, Role.ASSISTANT)
    return [
        Turn(conversation_id=1, role=roles[index % 2], text=text, at=NOW, id=index + 1)
        for index, text in enumerate(texts)
    ]


async def window_of(turns: list[Turn], *, context: int, standing: str = "be kind", limit: int | None = None) -> Window:
    """The window with a generator whose tokens are words."""
    generator = EchoGenerator(settings=GeneratorSettings(context_length=context))
    return await build_window(
        turns, standing_prompt=standing, generator=generator, max_reply_tokens=limit, cache_key="1"
    )


async def test_everything_is_read_while_it_fits() -> None:
    window = await window_of(turns_of("one", "two", "three"), context=100)
    assert [message.content for message in window.prompt.messages] == ["be kind", "one", "two", "three"]
    assert (window.left_out, window.start_id, window.tokens) == (0, 1, 5)


async def test_the_oldest_turns_leave_in_one_large_step() -> None:
    turns = turns_of(*(f"{'word ' * 9}{number}" for number in range(21)))
    window = await window_of(turns, context=200)
    assert window.tokens <= 150 * 0.6
    assert window.prompt.messages[1].role is Role.USER
    assert window.left_out and window.start_id == turns[window.left_out].id
    rest = turns[window.left_out :]
    more = await window_of([*rest, *turns_of("and", "so", "on")], context=200)
    assert more.left_out == 0
    assert more.prompt.messages[: len(window.prompt.messages) - 1] == window.prompt.messages[:-1]


async def test_a_question_that_can_never_fit_is_refused_with_figures() -> None:
    with pytest.raises(PromptTooLong, match=r"302 tokens.*150 at once"):
        await window_of(turns_of("a", "b", "word " * 300), context=200)


async def test_the_last_question_is_read_even_if_it_fills_the_window() -> None:
    window = await window_of(turns_of("a " * 50, "b " * 50, "c " * 140), context=200)
    assert [message.role for message in window.prompt.messages] == [Role.SYSTEM, Role.USER]


async def test_roles_alternate_also_after_a_reply_that_never_came() -> None:
    turns = [*turns_of("first"), *turns_of("second")]
    window = await window_of(turns, context=100)
    assert [message.content for message in window.prompt.messages[1:]] == ["first\n\nsecond"]


async def test_the_reply_may_have_what_is_kept_free_for_it() -> None:
    assert (await window_of(turns_of("hi"), context=2048)).reply_tokens == 512
    assert (await window_of(turns_of("hi"), context=2048, limit=40)).reply_tokens == 40
    assert (await window_of(turns_of("hi"), context=2048, limit=4000)).reply_tokens == 2045
