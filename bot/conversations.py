"""Which conversation a message belongs to, and how it becomes a turn there."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from bot.clock import Clock
from bot.protocols import Store
from bot.skills.context import CURRENT_CONVERSATION
from bot.speakers import Speakers
from bot.texts import Texts
from bot.turn import quoted
from bot.types import Address, Conversation, Message, Role, Turn, TurnDraft


class Conversations:
    """The conversations of a store, as addresses go on with them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._speakers = Speakers(store)
        self._beginning = asyncio.Lock()

    async def open(self, address: Address, name: str = "") -> Conversation:
        """The conversation of that name, begun if there is none; without a name a new one. Not yet the current one."""
        found = await self._store.find_conversation(address, name) if name else None
        return found or await self._store.create_conversation(address, at=self._clock.now(), name=name)

    async def current(self, address: Address) -> Conversation:
        """The conversation that the address goes on with; a new one if there is none."""
        if (found := await self._kept(address)) is not None:
            return found
        async with self._beginning:  # the first messages of an address may come all at once
            if (found := await self._kept(address)) is None:
                found = await self.open(address)
                await self.go_on_with(found)
            return found

    async def _kept(self, address: Address) -> Conversation | None:
        kept = await self._store.setting(address.key, CURRENT_CONVERSATION)
        return await self._store.conversation(int(kept)) if kept else None

    async def go_on_with(self, conversation: Conversation) -> None:
        """Make it the current one of its address."""
        await self._store.set_setting(conversation.address.key, CURRENT_CONVERSATION, str(conversation.id))

    async def of_message(self, message: Message) -> Conversation:
        """The one that the message names, was stored in before, or replies to; else the current one."""
        if message.conversation_id is not None:
            named = await self._store.conversation(message.conversation_id)
            if named is not None:
                return named
        if message.is_resumed and (found := await self._store.find_turn(message.address, message.id)):
            return await self.of_turn(found)
        if message.after_turn_id is not None and (turn := await self._store.turn(message.after_turn_id)):
            conversation = await self.of_turn(turn)
            if conversation.address == message.address:
                await self._go_back_to(turn, conversation)
                return conversation
        return await self.current(message.address)

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
            text=quoted(message),
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
