"""The rules notice what they are there to notice."""

from __future__ import annotations

import pytest

from tests.channels.screen_rules import REPEAT, judge, question
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

ONE, TWO = question(0, 3), question(1, 3)
STOP = {"inline_keyboard": [[{"text": "Stop", "callback_data": "stop"}]]}


def show(server: BotApiServer, chat: Chat, *texts: str, **fields: object) -> None:
    bot = server.world.bots[server.token]
    for text in texts:
        server.world.post(chat, bot.account, {"text": text, **fields}, bot=bot.id)


@pytest.mark.parametrize(
    "texts",
    [(ONE, TWO), (f"{ONE}\n\n{TWO}",), (ONE, TWO, f"{REPEAT}\n{TWO}"), (f"{REPEAT}\n{ONE}", TWO), (ONE, REPEAT)],
)
def test_what_is_right_passes(server: BotApiServer, ann: Person, chat: Chat, texts: tuple[str, ...]) -> None:
    show(server, chat, *texts)
    if texts == (ONE, REPEAT):
        show(server, chat, f"{REPEAT}\n{TWO}")
    assert judge(server, chat, [ONE, TWO]) == []


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ((ONE,), "never answered"),
        ((ONE, TWO, TWO), "answered twice"),
        ((TWO, ONE), "out of order"),
        ((ONE, TWO, f"{REPEAT}\n{ONE}", f"{REPEAT}\n{ONE}"), "repeated twice"),
        ((ONE, TWO, TWO[:12]), "cut"),
        ((ONE, TWO, REPEAT), "place holder"),
        ((ONE, TWO, question(7, 1)), "not a question"),
    ],
)
def test_what_is_wrong_is_told(server: BotApiServer, chat: Chat, texts: tuple[str, ...], problem: str) -> None:
    show(server, chat, *texts)
    assert [problem in found for found in judge(server, chat, [ONE, TWO])] == [True]


def test_a_preview_that_is_left_is_told(server: BotApiServer, chat: Chat) -> None:
    show(server, chat, ONE, TWO)
    show(server, chat, "thinking", reply_markup=STOP)
    assert [found.partition(":")[0] for found in judge(server, chat, [ONE, TWO])] == ["a preview is left"]


def test_a_draft_that_is_left_is_told(server: BotApiServer, chat: Chat) -> None:
    show(server, chat, ONE, TWO)
    server.screen.draft(chat, 1, "thinking", [], None)
    assert [found.partition(":")[0] for found in judge(server, chat, [ONE, TWO])] == ["a draft is left"]
