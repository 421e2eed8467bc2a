"""Waiting for what people see in their chats."""

from __future__ import annotations

from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_screen import Shown
from tests.servers.bot_api_world import Chat

LONG = " ".join(f"word{number}" for number in range(100))
"""A question whose echo takes a while."""


async def said(server: BotApiServer, chat: Chat, *texts: str, seconds: float = 10) -> None:
    """Wait until bots have said exactly this in the chat; where they do not, show what they said instead."""
    try:
        await server.wait_until(lambda: server.screen.from_bots(chat) == list(texts), seconds=seconds)
    except TimeoutError:
        raise AssertionError(f"expected {texts}, but the screen shows:\n{server.screen.text(chat)}") from None


async def answers(server: BotApiServer, chat: Chat, count: int, *, seconds: float = 10) -> list[Shown]:
    """The bots' messages in the chat, once there are so many."""
    try:
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) >= count, seconds=seconds)
    except TimeoutError:
        raise AssertionError(server.screen.text(chat)) from None
    return [shown for shown in server.screen(chat) if shown.from_bot]


async def in_the_making(server: BotApiServer, chat: Chat) -> None:
    """Wait until a reply is shown that is not whole: as a draft, or with a button that stops it."""

    def is_shown() -> bool:
        buttons = [button.data for shown in server.screen(chat) for row in shown.buttons for button in row]
        return bool(server.screen.drafts(chat)) or "stop" in buttons

    await server.wait_until(is_shown)
