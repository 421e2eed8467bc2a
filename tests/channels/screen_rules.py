"""What must hold of every chat once all is quiet, whatever went wrong on the way.

Questions carry a number, and the echo says them again, so that the screen itself tells which were answered. Knows
nothing of how answers are made or sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from bot.texts import Texts
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_world import Chat
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel

REPEAT = Texts("en").get("delivery.repeat")
_QUESTION = re.compile(r"<(\d+)((?: \w+)*) (\d+)>")


def question(number: int, words: int) -> str:
    """A question that shows whether its echo is whole."""
    return " ".join([f"<{number}", *(f"w{number}x{place}" for place in range(words)), f"{number}>"])


class Shown(Protocol):
    """A message, as any of the servers shows it."""

    @property
    def text(self) -> str: ...


def judge(server: BotApiServer, chat: Chat, questions: Sequence[str]) -> list[str]:
    """What is wrong with a chat on Telegram; see `judge_screen`."""
    shown = [message for message in server.screen(chat) if message.from_bot]
    stoppable = [message for message in shown if any(each.data == "stop" for row in message.buttons for each in row)]
    drafts = [f"a draft is left: {draft.text[:40]}" for draft in server.screen.drafts(chat)]
    return drafts + judge_screen(shown, stoppable, questions)


def judge_channel(server: DiscordServer, channel: Channel, questions: Sequence[str]) -> list[str]:
    """What is wrong with a channel on Discord; see `judge_screen`."""
    shown = [message for message in server.screen(channel) if message.from_bot]
    stoppable = [message for message in shown if any(each.custom_id == "stop" for each in message.buttons)]
    return judge_screen(shown, stoppable, questions)


def judge_screen(shown: Sequence[Shown], stoppable: Sequence[Shown], questions: Sequence[str]) -> list[str]:
    """What is wrong: every question is to be answered once, in order and whole, and nothing to be left over; what may
    have arrived already is repeated at most once, and marked.

    Args:
        shown: the bot's messages in a place.
        stoppable: those of them that have a button which stops the reply.
        questions: what people asked there, in order, made by `question`.
    """
    first = [message.text for message in shown if not message.text.startswith(REPEAT)]
    again = [message.text for message in shown if message.text.startswith(REPEAT)]
    answered, repeated = _questions_in(first), _questions_in(again)
    problems = [*_left_over(shown, stoppable), *_unmarked_repeats(answered), *_too_many_repeats(repeated)]
    missing = [text for text in questions if text not in answered and text not in repeated]
    problems += [f"never answered: {text[:40]}" for text in missing]
    problems += [f"not a question: {text[:40]}" for text in answered + repeated if text not in questions]
    in_order = [text for text in questions if text in answered]
    if not problems and answered != in_order:
        problems.append(f"out of order: {[text.split()[0] for text in answered]}")
    return problems


def _questions_in(texts: Sequence[str]) -> list[str]:
    return [match[0] for text in texts for match in _QUESTION.finditer(text)]


def _left_over(shown: Sequence[Shown], stoppable: Sequence[Shown]) -> list[str]:
    """What is half-shown: previews with their stop button, place holders, cut answers.

    Where it never came out whether such a message had arrived, nothing can take it away: then a marked repeat follows.
    """
    problems = []
    for place, message in enumerate(shown):
        problem = "a preview is left" if message in stoppable else _half_shown(message)
        if problem and not any(map(_is_whole_repeat, shown[place + 1 :])):
            problems.append(f"{problem}: {message.text[-60:]}")
    return problems


def _half_shown(message: Shown) -> str:
    if message.text.strip() in ("", "…", REPEAT):
        return "a place holder is left"
    return "an answer is cut" if "<" in _QUESTION.sub("", message.text) else ""


def _is_whole_repeat(message: Shown) -> bool:
    return message.text.startswith(REPEAT) and not _half_shown(message)


def _unmarked_repeats(answered: Sequence[str]) -> list[str]:
    return [f"answered twice, unmarked: {text[:40]}" for text in dict.fromkeys(answered) if answered.count(text) > 1]


def _too_many_repeats(repeated: Sequence[str]) -> list[str]:
    return [f"repeated twice: {text[:40]}" for text in dict.fromkeys(repeated) if repeated.count(text) > 1]
