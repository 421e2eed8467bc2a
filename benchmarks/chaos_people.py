"""People who keep asking the bot of a test server: one by one, in bursts, and with second thoughts."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.chaos_judge import Question, Seen, worded
from benchmarks.chaos_platforms import Place, Platform

Json = dict[str, Any]
PATIENCE_SECONDS = 120.0
"""How long somebody waits who has nothing more to say: far longer than any answer may take."""
BURST_SHARE, EARLY_EDIT_SHARE, LATE_EDIT_SHARE = 0.2, 0.2, 0.15
BURST_EDIT_SHARE = 0.3
"""Of bursts that are answered: a part of them is worded anew."""
SIZES = ((1, "la"), (3, "la"), (5, "la la la"), (25, "la"), (30, "l" + "a" * 90))
"""Pieces of a question, and what stands between them; two of the last kind need two messages."""
SIZE_WEIGHTS = (4, 4, 3, 2, 1)


class Control:
    """The server's control API; RuntimeError with its words where it refuses."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS + 30)

    async def __call__(self, name: str, /, **fields: Any) -> Json:
        answer = await self._client.post(f"/control/{name}", json=fields)
        value: Json = answer.json()
        if answer.status_code != 200:
            raise RuntimeError(str(value.get("description")))
        return value

    async def waiting_updates(self, platform: Platform) -> int:
        """How many updates the bot has not confirmed; 0 where the platform does not tell."""
        if not platform.updates_waiting:
            return 0
        answer = await self._client.get(platform.updates_waiting)
        return int(answer.json()["result"]["pending_update_count"])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


@dataclass(slots=True)
class Chat:
    """A place, and what was asked there, in order."""

    place: Place
    where: dict[str, object]
    """Names it to the server."""
    questions: list[Question] = field(default_factory=list)


async def gather_people(control: Control, platform: Platform, *, chats: int, seed: int) -> list[Talker]:
    """So many people in as many places, ready to talk."""
    numbers = itertools.count(1)
    found = []
    for index, place in enumerate(await platform.gather(control, chats)):
        chat = Chat(place, {platform.place: place.id})
        for member in place.people:
            found.append(Talker(control, member, chat, numbers, random.Random(f"{seed}/{index}/{member}")))
    return found


class Talker:
    """One person in one chat."""

    def __init__(self, control: Control, person: int, chat: Chat, numbers: Iterator[int], taste: random.Random) -> None:
        self.chat = chat
        self._control = control
        self._person = person
        self._call = chat.place.call
        self._numbers = numbers
        self._random = taste
        self._pieces = 1

    async def talk(self, is_over: asyncio.Event) -> None:
        """Keep asking until it is over."""
        is_answered = True
        while not is_over.is_set():
            await asyncio.sleep(self._random.uniform(0.2, 4.0 if self.chat.place.is_group else 2.0))
            if not is_over.is_set():
                is_answered = await self._exchange(may_edit=is_answered)

    async def ask_once(self) -> None:
        """Ask something, and wait for the answer."""
        await self._is_answered(await self._ask(), PATIENCE_SECONDS)

    async def _exchange(self, *, may_edit: bool) -> bool:
        """Ask something, and wait for the answer for a while; whether it came."""
        draw = self._random.random() if may_edit else 1.0
        burst: list[Question] = []
        if draw < BURST_SHARE:
            for _ in range(self._random.randint(1, 3)):
                burst.append(await self._ask())
                await asyncio.sleep(self._random.uniform(0.0, 0.4))
        question = await self._ask()
        if BURST_SHARE < draw < BURST_SHARE + EARLY_EDIT_SHARE:
            await asyncio.sleep(self._random.uniform(0.0, 1.0))
            return await self._reword(question)
        # whoever went on once without an answer waits for it now, so that never much is pending
        patience = self._random.uniform(2.0, 10.0) if may_edit else PATIENCE_SECONDS
        is_answered = await self._is_answered(question, patience)
        if is_answered and BURST_SHARE + EARLY_EDIT_SHARE < draw < BURST_SHARE + EARLY_EDIT_SHARE + LATE_EDIT_SHARE:
            await asyncio.sleep(self._random.uniform(0.0, 1.0))
            return await self._reword(question)
        if is_answered and draw < BURST_SHARE * BURST_EDIT_SHARE:
            return await self._reword(self._random.choice(burst))
        return is_answered

    async def _ask(self) -> Question:
        [(self._pieces, filler)] = self._random.choices(SIZES, SIZE_WEIGHTS)
        number = next(self._numbers)
        question = Question(number, 0)
        self.chat.questions.append(question)
        text = self._call + worded(number, 1, pieces=self._pieces, filler=filler)
        said = await self._control("say", person=self._person, text=text, **self.chat.where)
        question.message_id = said["message_id"]
        return question

    async def _reword(self, question: Question) -> bool:
        question.version += 1
        self._pieces = self._random.randint(1, 6)
        text = self._call + worded(question.number, question.version, pieces=self._pieces, filler="la")
        changed = {"message_id": question.message_id, "text": text}
        await self._control("edit", person=self._person, **changed, **self.chat.where)
        return await self._is_answered(question, PATIENCE_SECONDS)

    async def _is_answered(self, question: Question, seconds: float) -> bool:
        last = question.last_piece(self._pieces)
        try:
            await self._control("wait", contains=last, seconds=seconds, **self.chat.where)
        except RuntimeError:
            return False
        return True


async def look(control: Control, chat: Chat) -> tuple[list[Seen], int]:
    """The bot's messages in a chat, and how many drafts are left there."""
    screen = await control("screen", **chat.where)
    seen = [
        Seen(each["message_id"], (*(version["text"] for version in each["earlier"]), each["text"]), _has_stop(each))
        for each in screen["messages"]
        if each["from_bot"]
    ]
    chat.questions.sort(key=lambda question: question.message_id)
    return seen, len(screen.get("drafts", ()))


def _has_stop(message: Json) -> bool:
    """Whether one of its buttons stops the reply; servers tell buttons in rows, or one by one."""
    buttons = [each for row in message["buttons"] for each in (row if isinstance(row, list) else [row])]
    return any(button.get("data", button.get("custom_id")) == "stop" for button in buttons)
