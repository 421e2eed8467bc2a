"""The scripted generator says what it was told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import GenerationFailed, PromptTooLong
from bot.generation.echo import EchoGenerator, words
from bot.generation.model import GeneratorSettings
from bot.types import EndReason, GeneratedText, GenerationEnd, Prompt, PromptMessage, Role, Sampling


def asked(text: str) -> Prompt:
    return Prompt((PromptMessage(Role.SYSTEM, "be kind"), PromptMessage(Role.USER, text)))


async def texts_of(generator: EchoGenerator, text: str, sampling: Sampling | None = None) -> list[str]:
    stream = generator.stream(asked(text), sampling or Sampling())
    return [event.text async for event in stream if isinstance(event, GeneratedText)]


async def test_the_text_comes_back_word_by_word() -> None:
    assert await texts_of(EchoGenerator(), "  a b\n\n c") == ["  a ", "b\n\n ", "c"]


@given(st.text())
def test_white_space_and_line_breaks_are_kept(text: str) -> None:
    assert "".join(str(word) for word in words(text)) == text


async def test_a_limit_cuts_and_is_told() -> None:
    events = [event async for event in EchoGenerator().stream(asked("a b c d"), Sampling(max_tokens=2))]
    assert isinstance(events[-1], GenerationEnd)
    assert (events[-1].reason, events[-1].usage.completion_tokens, len(events)) == (EndReason.LENGTH, 2, 3)


async def test_scripted_replies_come_first_and_failures_where_they_stand() -> None:
    generator = EchoGenerator()
    generator.enqueue("scripted")
    generator.enqueue("half ", GenerationFailed("chat.empty"))
    assert await texts_of(generator, "x") == ["scripted"]
    with pytest.raises(GenerationFailed):
        await texts_of(generator, "x")
    assert await texts_of(generator, "x") == ["x"]
    assert len(generator.history) == 3


async def test_a_prompt_over_the_context_is_refused() -> None:
    generator = EchoGenerator(settings=GeneratorSettings(context_length=300))
    with pytest.raises(PromptTooLong, match="402"):
        await texts_of(generator, "word " * 400)
