"""Discord keeps to the contract of adapters. What it tells only those who listen is done while somebody does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.contract import AdapterContract, receiving
from adapters.contract_platform import CHOICES
from bot.channel import Adapter, Content, UpdateKind
from bot.types import Address
from tests.adapters.discord.platform import DiscordPlatform


class TestDiscord(AdapterContract):
    @pytest.fixture
    async def platform(self) -> AsyncIterator[DiscordPlatform]:
        async with DiscordPlatform() as platform:
            yield platform

    async def test_edits_arrive_and_are_told_apart(self, platform: DiscordPlatform, adapter: Adapter) -> None:  # type: ignore[override]
        async with receiving(adapter) as intake:
            message_id = await platform.say("one")
            said = await intake.said("one")
            await platform.edit(message_id, "two")
            await platform.edit(message_id, "three")
            edits = await intake.messages(2, UpdateKind.EDIT)
        assert [(edit.message.id, edit.message.text) for edit in edits] == [(message_id, "two"), (message_id, "three")]
        assert edits[0].message.address == said.address

    async def test_a_deletion_names_what_is_gone(self, platform: DiscordPlatform, adapter: Adapter) -> None:  # type: ignore[override]
        async with receiving(adapter) as intake:
            message_id = await platform.say("one")
            await intake.said("one")
            await platform.delete(message_id)
            [deletion] = await intake.messages(1, UpdateKind.DELETION)
        assert deletion.message.id == message_id

    async def test_a_button_is_shown_pressed_and_taken_away(  # type: ignore[override]
        self, platform: DiscordPlatform, adapter: Adapter, address: Address
    ) -> None:
        receipt = await adapter.send(address, Content("Well?", choices=CHOICES))
        assert [message.buttons for message in await platform.shown()] == [("Yes", "No")]
        async with receiving(adapter) as intake:
            await platform.connected()
            await platform.press(receipt.id, "No")
            [press] = await intake.messages(1, UpdateKind.CHOICE)
            for text in ("", "Noted", "Noted at length " * 40):
                await adapter.acknowledge(press, text)
        assert (press.message.address, press.message.id, press.detail) == (address, receipt.id, CHOICES[1][1])
        await adapter.edit(receipt, Content("Well."))
        assert [message.buttons for message in await platform.shown()] == [()]

    async def test_the_platform_is_told_once_it_is_kept(self, platform: DiscordPlatform) -> None:  # type: ignore[override]
        pytest.skip("Discord is told nothing: what is known already is read again, as an intake allows")
