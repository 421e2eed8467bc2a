"""Five hundred documents and their beginnings as Telegram gets them: its checks refuse none, and nothing is lost."""

from __future__ import annotations

from typing import Any

from adapters.telegram.sending import CAPABILITIES, shown
from bot.channel import Content
from bot.delivery.formatting import Formatter
from bot.delivery.layout import lay_out
from bot.delivery.markup import parse
from bot.delivery.rendering import Spans
from tests.delivery.corpus import documents
from tests.delivery.reading import unrepeated, visible, without_table_heads
from tests.servers.bot_api_checks import accept_text

TEXTS = documents()
FORMATTER = Formatter(CAPABILITIES)
BEGINNINGS = 5
"""Of each document; those of consecutive documents end at other places."""


def accepted(content: Content) -> str:
    """The text as Telegram shows it; fails where its server would refuse the message, or mend it."""
    words: dict[str, Any] = shown(content)
    return accept_text(words["text"], [entity.to_dict() for entity in words["entities"]])[0]


def beginnings(number: int, text: str) -> list[str]:
    """The text as far as it is there while it is written: cut off in front of any sign."""
    step = max(1, len(text) // BEGINNINGS)
    return [text[:end] for end in range(1 + number % step, len(text), step)]


def test_no_answer_is_refused_and_its_messages_say_all_of_it() -> None:
    for text in TEXTS:
        lines = lay_out(parse(text), adapt=Spans().adapt)
        said = visible("".join(accepted(content) for content in FORMATTER.whole(text)))
        assert without_table_heads(said, lines) == without_table_heads(unrepeated(lines), lines)


def test_no_answer_in_the_making_is_refused() -> None:
    for number, text in enumerate(TEXTS):
        for beginning in beginnings(number, text):
            if content := FORMATTER.partial(beginning):
                assert accepted(content)
