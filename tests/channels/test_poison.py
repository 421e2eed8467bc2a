"""A message that ends the program whenever it is answered: given up in the end, and no other with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from benchmarks.chaos_platforms import TELEGRAM
from benchmarks.chaos_processes import Program
from bot.leftovers import MOST_ATTEMPTS
from bot.texts import Texts
from storage import open_books
from tests.channels.seeing import LONG
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat
from tests.storage.values import url_of

POISON = "arsenic"
DEATHS = MOST_ATTEMPTS + 1
"""At the first life nothing is left over."""
GIVEN_UP = Texts("en").get("delivery.given_up")
REPEAT = Texts("en").get("delivery.repeat")
LIFE_SECONDS = 30.0


@pytest.fixture
async def program(server: BotApiServer, tmp_path: Path) -> AsyncIterator[Program]:
    """The program, which dies on arsenic."""
    program = Program(tmp_path, TELEGRAM, url=server.base_url.removesuffix("/bot"), dies_on=POISON)
    yield program
    await program.kill()


async def deaths_until(program: Program, server: BotApiServer, condition: Callable[[], bool]) -> int:
    """Let it live again and again until the screens are as they should be; how often it died."""
    for deaths in range(DEATHS + 3):
        await program.start()
        ends = asyncio.create_task(program.ends_within(LIFE_SECONDS))
        comes = asyncio.create_task(server.wait_until(condition, seconds=LIFE_SECONDS))
        await asyncio.wait([ends, comes], return_when=asyncio.FIRST_COMPLETED)
        if comes.done():
            ends.cancel()
            await comes
            return deaths
        comes.cancel()
        assert await program.kill()
    raise AssertionError("it dies for ever")


def said_once(server: BotApiServer, chat: Chat) -> list[str]:
    """What the bot said there; what was on its way when the program ended may stand there once more, marked."""
    said: list[str] = []
    for text in server.screen.from_bots(chat):
        original = text.removeprefix(f"{REPEAT}\n")
        if original == text or said[-1:] != [original]:
            said.append(original)
    return said


@pytest.mark.timeout(120)
async def test_only_what_ends_the_program_is_given_up_and_all_others_are_answered_once(
    server: BotApiServer, ann: Person, chat: Chat, program: Program
) -> None:
    bob = server.person("Bob")
    alone, group = server.chat_private(bob), server.chat_group("Family", ann, bob)
    for text in ("What is before?", f"Who takes {POISON}?", "What is after?"):
        ann.says(chat, text)
    bob.says(alone, LONG)
    bob.says(group, f"@parley_test_bot {LONG}")
    ann.says(group, "@parley_test_bot And we?")
    expected = {
        chat: ["What is before?", GIVEN_UP, "What is after?"],
        alone: [LONG],
        group: [f"Bob: {LONG}", "Ann: And we?"],
    }
    deaths = await deaths_until(
        program, server, lambda: all(said_once(server, place) == said for place, said in expected.items())
    )
    assert deaths == DEATHS
    ann.says(chat, "Are you well?")
    await server.wait_until(lambda: said_once(server, chat)[3:] == ["Are you well?"])
    async with open_books(url_of(program.home / "parley.db")) as books:
        [given_up] = await books.ledger.given_up()
    assert (given_up.address.chat, given_up.attempts) == (str(chat.id), MOST_ATTEMPTS)


@pytest.mark.timeout(120)
async def test_an_answer_stands_as_before_when_the_edit_of_its_question_is_given_up(
    server: BotApiServer, ann: Person, program: Program
) -> None:
    group, answer = server.chat_group("Family", ann), f"Ann: {LONG}"
    question = ann.says(group, f"@parley_test_bot {LONG}")
    assert await deaths_until(program, server, lambda: server.screen.from_bots(group) == [answer]) == 0
    ann.edits(group, question, f"@parley_test_bot {POISON}?")
    await program.ends_within(LIFE_SECONDS)
    expected = [answer, GIVEN_UP]
    assert await deaths_until(program, server, lambda: server.screen.from_bots(group) == expected) == DEATHS - 1
    ann.says(group, "@parley_test_bot Are you well?")
    await server.wait_until(lambda: server.screen.from_bots(group) == [*expected, "Ann: Are you well?"])
