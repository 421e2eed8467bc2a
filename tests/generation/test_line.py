"""Who waits for a generator knows their place, and is served in order."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from bot.generation.echo import EchoGenerator
from bot.generation.line import Line
from bot.generation.model import GeneratorSettings
from bot.types import GeneratedText, GenerationEvent, Prompt, PromptMessage, Queued, Role, Sampling


def prompt(text: str) -> Prompt:
    return Prompt((PromptMessage(Role.USER, text),))


def line(*, slots: int = 1, delay: float = 0.01) -> Line:
    return Line(EchoGenerator(settings=GeneratorSettings(echo_delay_seconds=delay)), slots)


async def heard(line: Line, text: str, order: list[str]) -> list[GenerationEvent]:
    events = [event async for event in line.stream(prompt(text), Sampling())]
    order.append(text)
    return events


def places(events: list[GenerationEvent]) -> list[int]:
    return [event.position for event in events if isinstance(event, Queued)]


async def test_with_room_nobody_hears_of_a_line() -> None:
    answers = await asyncio.gather(*(heard(line(slots=4), text, []) for text in "abcd"))
    assert [places(events) for events in answers] == [[], [], [], []]


async def test_places_count_down_and_answers_come_in_order() -> None:
    order: list[str] = []
    waiting = line()
    answers = await asyncio.gather(*(heard(waiting, text, order) for text in "abc"))
    assert order == ["a", "b", "c"]
    assert [places(events) for events in answers] == [[], [1], [2, 1]]


async def test_the_time_is_told_once_an_answer_was_seen() -> None:
    waiting = line(delay=0.02)
    await heard(waiting, "one two three", [])
    _, events = await asyncio.gather(*(heard(waiting, text, []) for text in ("a b c", "d")))
    [queued] = [event for event in events if isinstance(event, Queued)]
    assert queued.seconds > 0


async def test_who_leaves_the_line_lets_the_next_one_move_up() -> None:
    order: list[str] = []
    waiting = line(delay=0.02)
    first = asyncio.create_task(heard(waiting, "a b c d", order))
    await asyncio.sleep(0)
    async with aclosing(waiting.stream(prompt("b"), Sampling())) as leaving:
        assert await anext(leaving) == Queued(1, 0.0)
        third = asyncio.create_task(heard(waiting, "c", order))
        await asyncio.sleep(0)
    await first
    assert places(await third) == [2, 1]
    assert order == ["a b c d", "c"]


async def test_a_reply_that_is_dropped_frees_its_slot() -> None:
    waiting = line()
    for _ in range(3):
        async with aclosing(waiting.stream(prompt("a b c"), Sampling())) as stream:
            assert isinstance(await anext(stream), GeneratedText)
    assert places(await heard(waiting, "d", [])) == []
