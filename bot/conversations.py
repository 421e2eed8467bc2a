"""Which conversation a message belongs to, and how it becomes a turn there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

from bot.clock import Clock
from bot.protocols import Store
from bot.skills.context import CURRENT_CONVERSATION
from bot.speakers import Speakers
from bot.texts import Texts
from bot.turn import QUOTE, remembered, without_origin
from bot.types import Address, Conversation, Message, Origin, Role, Turn, TurnDraft

Shown = Callable[[Address, str], Awaitable[int | None]]

LEFT_OUT = "…"
"""What a question says that must not be read any more."""


class Conversations:
    """The conversations of a store, as addresses go on with them."""

    def __init__(self, store: Store, clock: Clock, shown: Shown | None = None) -> None:
        """
        Args:
            store: keeps them.
            clock: dates them.
            shown: the turn that a message of the assistant shows, by its place and its id there.
        """
        self._store = store
        self._clock = clock
        self._shown = shown
        self._speakers = Speakers(store)
        self._beginning = asyncio.Lock()

    async def open(self, address: Address, name: str = "") -> Conversation:
        """The conversation of that name, begun if there is none; without a name a new one. Not yet the current one."""
        found = await self._store.find_conversation(address, name) if name else None
        return found or await self._store.create_conversation(address, at=self._clock.now(), name=name)

    async def current(self, address: Address) -> Conversation:
        """The conversation that the address goes on with; a new one if there is none."""
        return await self._kept(address) or (await self._begin(address))[0]

    async def _begin(self, address: Address, origin: Origin | None = None) -> tuple[Conversation, bool]:
        """The conversation that the address goes on with from now on, and whether nothing was said in it yet."""
        async with self._beginning:  # the first messages of an address may come all at once
            if (found := await self._kept(address)) is not None:
                return found, False
            begun = await self._grown(address, origin) if origin else None
            begun = begun or await self.open(address)
            await self.go_on_with(begun)
            return begun, begun.head_id is None

    async def _grown(self, address: Address, origin: Origin) -> Conversation | None:
        """One that goes on from the turn that the origin is; None where it is no turn."""
        there = origin.address
        if (there.channel, there.account) != (address.channel, address.account):
            return None
        asked = await self._store.find_turn(there, origin.id)
        turn_id = asked.id if asked else await self._shown(there, origin.id) if self._shown else None
        return await self._store.branch_off(turn_id, address, at=self._clock.now()) if turn_id else None

    async def _kept(self, address: Address) -> Conversation | None:
        kept = await self._store.setting(address.key, CURRENT_CONVERSATION)
        return await self._store.conversation(int(kept)) if kept else None

    async def go_on_with(self, conversation: Conversation) -> None:
        """Make it the current one of its address."""
        await self._store.set_setting(conversation.address.key, CURRENT_CONVERSATION, str(conversation.id))

    async def of_message(self, message: Message, *, goes_back: bool = True) -> tuple[Conversation, Message]:
        """The one that the message names, was stored in before, or replies to; else the current one; and the message as
        it is said there, with a quote only where the conversation does not have what it quotes.

        Where it `goes_back`, the conversation goes on from what the message replies to.
        """
        if message.conversation_id is not None:
            named = await self._store.conversation(message.conversation_id)
            if named is not None:
                return named, message
        if message.is_resumed and (found := await self._store.find_turn(message.address, message.id)):
            return await self.of_turn(found), without_origin(message)
        if message.after_turn_id is not None and (turn := await self._store.turn(message.after_turn_id)):
            conversation = await self.of_turn(turn)
            if conversation.address == message.address:
                if goes_back:
                    await self._go_back_to(turn, conversation)
                return conversation, message
            message = replace(message, after_turn_id=None)
        if (current := await self._kept(message.address)) is not None:
            return current, without_origin(message)
        begun, is_empty = await self._begin(message.address, message.grew_from)
        return begun, message if is_empty else without_origin(message)

    async def of_turn(self, turn: Turn) -> Conversation:
        """The one that holds the turn."""
        conversation = await self._store.conversation(turn.conversation_id)
        assert conversation is not None  # a turn's conversation is there as long as the turn
        return conversation

    async def _go_back_to(self, turn: Turn, conversation: Conversation) -> None:
        """Go on from a turn that was said before; what came after it stays in the tree."""
        if conversation.head_id != turn.id:
            await self._store.set_head(conversation.id, turn.id)
        await self.go_on_with(conversation)

    # -- what is said ---------------------------------------------------------------------------------------

    async def remember(self, message: Message, conversation: Conversation, texts: Texts) -> Turn:
        """Store what was said, once; the conversation goes on from there."""
        if message.is_resumed and (found := await self._store.find_turn(message.address, message.id)):
            await self._store.set_head(found.conversation_id, found.id)
            return found
        draft = TurnDraft(
            conversation_id=conversation.id,
            role=Role.USER,
            text=remembered(message, texts),
            at=message.at,
            author=message.person,
            speaker=await self._speaker(message, conversation, texts),
            platform_id=message.id,
            evidence={"attachments": [asdict(each) for each in message.attachments]} if message.attachments else {},
        )
        appending = asyncio.create_task(self._store.append_turn(draft))
        try:
            return await asyncio.shield(appending)
        except asyncio.CancelledError:
            await asyncio.wait([appending])  # whoever answers it anew must find it
            raise

    async def _speaker(self, message: Message, conversation: Conversation, texts: Texts) -> str:
        if message.is_private:
            return ""
        return await self._speakers.name(message.person, conversation.id, unnamed=texts.get("tasks.unnamed"))

    async def recall(self, message: Message) -> tuple[Turn, Turn | None] | None:
        """The question that a message became, and its answer; None where it became none (a command, say).

        The answer to a burst is that of each of its messages.
        """
        question = await self._store.find_turn(message.address, message.id) if message.id else None
        if question is None:
            return None
        # one of its own may be what was said of it before the burst went on
        return question, await self._answer_of_burst(question) or await self.answer_of(question)

    async def _answer_of_burst(self, question: Turn) -> Turn | None:
        """The answer to the question and to what the same person said right after it; None where that is nothing."""
        way = await self._store.path(question.conversation_id, since=question.id)
        if way[:1] != [question]:
            return None
        after = list(itertools.takewhile(lambda turn: _said_by(turn) == _said_by(question), way))
        return await self.answer_of(after[-1]) if len(after) > 1 else None

    async def forget(self, message: Message) -> list[int]:
        """Delete the question that a message became, and its answers; the ids of the turns that are gone."""
        found = await self.recall(message)
        return await self._store.delete_exchange(found[0].id) if found else []

    async def leave_out(self, message: Message) -> None:
        """Delete what the question says that a message became; that it was there, and its answer, stay."""
        if found := await self.recall(message):
            await self._store.revise_turn(found[0].id, text=LEFT_OUT, at=message.at)

    async def revise(self, question: Turn, message: Message, texts: Texts) -> Conversation:
        """Let a question say what the message says now; the conversation that holds it."""
        message = message if question.text.startswith(QUOTE) else replace(message, quote="")
        await self._store.revise_turn(question.id, text=remembered(message, texts), at=message.at)
        return await self.of_turn(question)

    async def go_on_after(self, answer: Turn, conversation: Conversation) -> None:
        """Let the conversation that stands at a question go on from the answer that there is to it."""
        if conversation.head_id == answer.parent_id:
            await self._store.set_head(conversation.id, answer.id)

    async def answer_of(self, question: Turn) -> Turn | None:
        """The newest answer to it."""
        answers = await self._store.answers(question.id)
        return answers[-1] if answers else None


def _said_by(turn: Turn) -> str | None:
    """The id of the person who said it; None for the assistant."""
    return turn.author.id if turn.role is Role.USER and turn.author else None
