"""What every channel's adapter keeps to, as tests that its author inherits; they script the platform behind it.

    class TestMyChannel(AdapterContract):
        @pytest.fixture
        async def platform(self) -> AsyncIterator[Platform]:
            async with MyPlatform() as platform:
                yield platform

Asks for pytest and for pytest-asyncio with `asyncio_mode = "auto"`. What a channel does not declare is skipped. A rule
that a platform cannot keep is overridden by a test that skips and says why. Knows no platform and not the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from adapters.contract_platform import (
    CHOICES,
    KINDS,
    TEXTS,
    VALUES,
    Failure,
    Place,
    Platform,
    ScriptedIntake,
    Seen,
    receiving,
)
from bot.channel import Adapter, Budget, CommandInfo, Content, Format, PreviewStyle, Span, TextFile, UpdateKind
from bot.errors import ChannelError, Gone, Moved, OutcomeUnknown, RateLimited, Rejected, Unreachable
from bot.types import Address

__all__ = ["AdapterContract", "Failure", "Place", "Platform", "ScriptedIntake", "Seen", "receiving"]

WAIT_SECONDS = 7.0
ENDLESSLY = 1_000_000

Act = Callable[[Content], Awaitable[object]]
Doing = Callable[[Adapter, Address], Awaitable[Act]]


async def _sent(adapter: Adapter, address: Address) -> Act:
    return partial(adapter.send, address)


async def _edited(adapter: Adapter, address: Address) -> Act:
    _needs(adapter.capabilities.can_edit, "can_edit")
    return partial(adapter.edit, await adapter.send(address, Content("before")))


def _needs(is_declared: bool, capability: str) -> None:
    if not is_declared:
        pytest.skip(f"the channel does not declare {capability}")


def _filling(adapter: Adapter, *, beyond: int = 0) -> str:
    """As long as a message may be, of characters that count twice where that is how they count."""
    size = adapter.capabilities.longest + beyond
    return "𝔘" * (size // 2) + "x" * (size % 2) if adapter.capabilities.utf16 else "𝔘" * size


# -- the rules ----------------------------------------------------------------------------------------------


class AdapterContract:
    """Inherit it, and give a fixture `platform`."""

    @pytest.fixture
    async def adapter(self, platform: Platform) -> AsyncIterator[Adapter]:
        """An adapter that is connected, and receives where a test makes it."""
        async with platform.adapter() as adapter:
            yield adapter

    @pytest.fixture
    async def address(self, platform: Platform, adapter: Adapter) -> Address:
        """Where Ann has spoken to the assistant."""
        return await self.met(platform, adapter, Place.ANN)

    async def met(self, platform: Platform, adapter: Adapter, place: Place) -> Address:
        """The address of a place, learned as the core learns it."""
        await platform.say(f"Hello from {place}", place=place)
        async with receiving(adapter) as intake:
            return (await intake.said(f"Hello from {place}")).address

    # what it says of itself

    async def test_what_it_declares_is_consistent(self, platform: Platform) -> None:
        async with platform.adapter() as one:
            first = one.name, one.account, one.capabilities
        async with platform.adapter() as another:
            assert (another.name, another.account, another.capabilities) == first
        name, account, can = first
        assert name and account
        assert can.longest > 0 and can.table_columns > 0
        previews = (can.private_preview, can.group_preview)
        assert can.can_edit or PreviewStyle.EDIT not in previews, "a preview that is edited needs can_edit"
        for budget in (can.account_budget, can.private_budget, can.group_budget):
            assert isinstance(budget, Budget) and budget.burst >= 1
            assert budget.per_second is None or budget.per_second > 0

    # what arrives

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    async def test_what_is_said_arrives_as_it_was_said(self, platform: Platform, adapter: Adapter, text: str) -> None:
        await platform.say(text)
        async with receiving(adapter) as intake:
            [update] = await intake.messages()
        assert update.message.text == text

    async def test_messages_arrive_in_order_and_are_told_apart(self, platform: Platform, adapter: Adapter) -> None:
        said = ["same", "same", "another", "same"]
        async with receiving(adapter) as intake:
            for text in said:
                await platform.say(text)
            updates = await intake.messages(4)
        assert [update.message.text for update in updates] == said

    async def test_a_message_tells_who_speaks_and_where(self, platform: Platform, adapter: Adapter) -> None:
        await platform.say("Hello")
        async with receiving(adapter) as intake:
            [message] = [update.message for update in await intake.messages()]
        assert (message.address.channel, message.address.account) == (adapter.name, adapter.account)
        assert message.address.chat and message.person.id and not message.person.is_bot
        assert message.at.utcoffset() is not None, "a time needs its zone"
        assert message.is_private and message.is_addressed and adapter.is_private(message.address)

    async def test_people_and_addresses_are_the_same_after_a_restart(self, platform: Platform) -> None:
        found = []
        for text in ("before", "after"):
            await platform.say(text)
            async with platform.adapter() as adapter, receiving(adapter) as intake:
                found.append(await intake.said(text))
        assert found[0].address == found[1].address
        assert found[0].person.id == found[1].person.id

    async def test_two_chats_do_not_mix(self, platform: Platform, adapter: Adapter) -> None:
        ann, ben = [await self.met(platform, adapter, place) for place in (Place.ANN, Place.BEN)]
        assert ann.key != ben.key
        said = [(ann, "for Ann 1"), (ben, "for Ben 1"), (ann, "for Ann 2"), (ben, "for Ben 2")]
        receipts = await asyncio.gather(*(adapter.send(address, Content(text)) for address, text in said))
        seen = {(message.id, message.text) for message in await platform.shown(Place.ANN)}
        assert seen == {(receipts[0].id, "for Ann 1"), (receipts[2].id, "for Ann 2")}
        assert {message.text for message in await platform.shown(Place.BEN)} == {"for Ben 1", "for Ben 2"}

    async def test_in_a_group_it_is_told_what_is_meant_for_it(self, platform: Platform, adapter: Adapter) -> None:
        await platform.say("talk among us", place=Place.GROUP, addressed=False)
        await platform.say("a question", place=Place.GROUP)
        async with receiving(adapter) as intake:
            await intake.said("a question")
        messages = [update.message for update in await intake.messages()]
        assert ["a question" in message.text for message in messages if message.is_addressed] == [True]
        assert not any(message.is_private or adapter.is_private(message.address) for message in messages)

    async def test_a_reply_in_a_group_names_what_it_answers(self, platform: Platform, adapter: Adapter) -> None:
        group = await self.met(platform, adapter, Place.GROUP)
        receipt = await adapter.send(group, Content("Tea?"))
        await platform.say("Yes", place=Place.GROUP, addressed=False, reply_to=receipt.id)
        async with receiving(adapter) as intake:
            answer = await intake.said("Yes")
        assert (answer.reply_to, answer.is_addressed) == (receipt.id, True)

    async def test_a_chat_that_moves_is_followed(self, platform: Platform, adapter: Adapter) -> None:
        group = await self.met(platform, adapter, Place.GROUP)
        await platform.move()
        async with receiving(adapter) as intake:
            [moved] = await intake.messages(1, UpdateKind.MOVED)
        with pytest.raises(Moved) as told:
            await adapter.send(group, Content("lost"))
        assert (moved.message.address, moved.detail) == (group, told.value.chat)
        await adapter.send(replace(group, chat=told.value.chat), Content("found"))
        assert [message.text for message in await platform.shown(Place.GROUP)] == ["found"]

    async def test_edits_arrive_and_are_told_apart(self, platform: Platform, adapter: Adapter) -> None:
        message_id = await platform.say("one")
        await platform.edit(message_id, "two")
        await platform.edit(message_id, "three")
        async with receiving(adapter) as intake:
            edits = await intake.messages(2, UpdateKind.EDIT)
        assert [(edit.message.id, edit.message.text) for edit in edits] == [(message_id, "two"), (message_id, "three")]
        assert edits[0].message.address == (await intake.messages())[0].message.address

    async def test_a_deletion_names_what_is_gone(self, platform: Platform, adapter: Adapter) -> None:
        message_id = await platform.say("one")
        await platform.delete(message_id)
        async with receiving(adapter) as intake:
            [deletion] = await intake.messages(1, UpdateKind.DELETION)
        assert deletion.message.id == message_id

    async def test_a_file_arrives_with_its_content(self, platform: Platform, adapter: Adapter) -> None:
        content = bytes(range(256)) * 300
        await platform.share(content)
        async with receiving(adapter) as intake:
            [update] = await intake.messages()
        [attachment] = update.message.attachments
        assert b"".join([chunk async for chunk in adapter.fetch(attachment)]) == content

    async def test_what_cannot_be_read_does_not_hold_up_the_rest(self, platform: Platform, adapter: Adapter) -> None:
        await platform.babble()
        await platform.say("Still there?")
        async with receiving(adapter) as intake:
            await intake.said("Still there?")

    # nothing is lost, nothing is taken twice

    async def test_an_update_that_comes_again_is_known(self, platform: Platform, adapter: Adapter) -> None:
        async with receiving(adapter) as intake:
            await platform.say("Hello")
            await intake.messages()
            await platform.repeat()
            await intake.until(lambda: len(intake.offered) == 2)
        first, again = intake.offered
        assert (first.id, first.key) == (again.id, again.key)
        assert first.id or first.key, "nothing tells that it is the same"

    async def test_what_cannot_be_kept_is_tried_again(self, platform: Platform, adapter: Adapter) -> None:
        async with receiving(adapter, ScriptedIntake(failures=2)) as intake:
            await platform.say("one")
            await platform.say("two")
            updates = await intake.messages(2)
        assert [update.message.text for update in updates] == ["one", "two"]

    @pytest.mark.parametrize("trouble", ["the store fails", "the store takes long"])
    async def test_the_platform_is_not_told_before_it_is_kept(self, platform: Platform, trouble: str) -> None:
        await platform.say("Hello")
        broken = ScriptedIntake(failures=ENDLESSLY) if "fails" in trouble else ScriptedIntake(blocks=True)
        async with platform.adapter() as adapter, receiving(adapter, broken):
            await broken.until(lambda: broken.offered)
        async with platform.adapter() as adapter, receiving(adapter) as intake:
            [update] = await intake.messages()
        assert update.message.text == "Hello"
        assert (update.id, update.key) == (broken.offered[0].id, broken.offered[0].key)

    async def test_the_platform_is_told_once_it_is_kept(self, platform: Platform) -> None:
        for texts in (["one", "two"], ["three"]):
            async with platform.adapter() as adapter, receiving(adapter) as intake:
                for text in texts:
                    await platform.say(text)
                    await intake.said(text)
        assert "one" not in [update.message.text for update in intake.offered]

    async def test_what_is_said_during_an_outage_arrives_after_it(self, platform: Platform, adapter: Adapter) -> None:
        async with receiving(adapter) as intake:
            await platform.say("before")
            await intake.messages()
            async with platform.unreachable():
                await platform.say("meanwhile")
            updates = await intake.messages(2)
        assert [update.message.text for update in updates] == ["before", "meanwhile"]

    async def test_it_can_be_run_again_and_sends_in_between(self, platform: Platform, adapter: Adapter) -> None:
        for text in ("one", "two"):
            async with receiving(adapter) as intake:
                await platform.say(text)
                message = await intake.said(text)
            await adapter.send(message.address, Content(text))
        assert [message.text for message in await platform.shown()] == ["one", "two"]

    # what is sent

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    async def test_a_text_is_shown_as_it_is(
        self, platform: Platform, adapter: Adapter, address: Address, text: str
    ) -> None:
        receipt = await adapter.send(address, Content(text))
        assert receipt.address == address
        assert list(await platform.shown()) == [Seen(receipt.id, text)]

    async def test_the_longest_text_is_sent(self, platform: Platform, adapter: Adapter, address: Address) -> None:
        await adapter.send(address, Content(_filling(adapter)))
        assert [message.text for message in await platform.shown()] == [_filling(adapter)]

    @pytest.mark.parametrize("oddity", ["empty", "blank", "half a surrogate pair", "too long"])
    async def test_what_cannot_be_sent_is_rejected(self, adapter: Adapter, address: Address, oddity: str) -> None:
        texts = {"empty": "", "blank": " \n ", "half a surrogate pair": "a\ud800b"}
        content = Content(texts.get(oddity, _filling(adapter, beyond=1)))
        try:
            assert (await adapter.send(address, content)).id
        except ChannelError as error:
            assert type(error) is Rejected

    async def test_formatting_covers_what_it_is_meant_for(
        self, platform: Platform, adapter: Adapter, address: Address
    ) -> None:
        _needs(adapter.capabilities.format is not Format.PLAIN, "a format")
        if adapter.capabilities.format is Format.MARKDOWN:
            content, marks = Content("👋🏽 **bold**, `code` and [link](https://example.org/)"), None
        else:
            text, spans = "👋🏽 𝔘 ", []
            for kind in KINDS:
                spans.append(Span(kind, len(text), len(text) + len(kind), VALUES.get(kind, "")))
                text += f"{kind} 🎉 "
            content = Content(text.strip(), tuple(spans))
            marks = tuple((kind, VALUES.get(kind, ""), kind) for kind in KINDS)
        await adapter.send(address, content)
        [seen] = await platform.shown()
        assert seen.text == content.text
        assert marks is None or seen.marks == marks

    async def test_an_edit_replaces_and_may_change_nothing(
        self, platform: Platform, adapter: Adapter, address: Address
    ) -> None:
        _needs(adapter.capabilities.can_edit, "can_edit")
        receipt = await adapter.send(address, Content("before"))
        for _ in range(2):
            await adapter.edit(receipt, Content("after"))
        assert list(await platform.shown()) == [Seen(receipt.id, "after")]

    async def test_what_is_deleted_is_gone_and_may_be_so_already(
        self, platform: Platform, adapter: Adapter, address: Address
    ) -> None:
        _needs(adapter.capabilities.can_delete, "can_delete")
        receipt = await adapter.send(address, Content("oops"))
        for _ in range(2):
            await adapter.delete(receipt)
        assert list(await platform.shown()) == []
        await adapter.send(address, Content("answers what is gone", reply_to=receipt.id))
        if adapter.capabilities.can_edit:
            with pytest.raises(Rejected):  # so that the core sends it anew
                await adapter.edit(receipt, Content("too late"))
        assert [message.text for message in await platform.shown()] == ["answers what is gone"]

    async def test_a_button_is_shown_pressed_and_taken_away(
        self, platform: Platform, adapter: Adapter, address: Address
    ) -> None:
        _needs(adapter.capabilities.can_choose, "can_choose")
        receipt = await adapter.send(address, Content("Well?", choices=CHOICES))
        assert [message.buttons for message in await platform.shown()] == [("Yes", "No")]
        await platform.press(receipt.id, "No")
        async with receiving(adapter) as intake:
            [press] = await intake.messages(1, UpdateKind.CHOICE)
        assert (press.message.address, press.message.id, press.detail) == (address, receipt.id, CHOICES[1][1])
        for text in ("", "Noted", "Noted at length " * 40):
            await adapter.acknowledge(press, text)
        if adapter.capabilities.can_edit:
            await adapter.edit(receipt, Content("Well."))
            assert [message.buttons for message in await platform.shown()] == [()]

    async def test_a_file_is_sent_with_its_message(
        self, platform: Platform, adapter: Adapter, address: Address
    ) -> None:
        _needs(adapter.capabilities.can_send_files, "can_send_files")
        receipt = await adapter.send(address, Content("It begins so …", file=TextFile("reply.md", TEXTS["astral"])))
        assert [(message.id, message.text) for message in await platform.shown()] == [(receipt.id, "It begins so …")]
        assert (await platform.file(receipt.id)).decode() == TEXTS["astral"]

    async def test_what_only_pleases_does_not_fail(self, adapter: Adapter, address: Address) -> None:
        can = adapter.capabilities
        assert isinstance(await adapter.remarks(), Sequence)
        if can.can_type:
            await adapter.typing(address)
        if can.private_preview is PreviewStyle.DRAFT:
            for text in ("Hel", "Hello"):
                await adapter.preview(address, "7", Content(text))
        summaries = {"": "Shows what there is", "en": "Shows what there is", "zh": "有什么"}
        await adapter.announce([CommandInfo("help", summaries), CommandInfo("model", summaries, "[NAME]", True)])
        assert await adapter.keeper(address) != address

    # what goes wrong

    @pytest.mark.parametrize("doing", [_sent, _edited], ids=["send", "edit"])
    @pytest.mark.parametrize("failure", Failure)
    async def test_a_failure_is_told_as_what_it_is(
        self, platform: Platform, adapter: Adapter, address: Address, failure: Failure, doing: Doing
    ) -> None:
        errors = {Failure.RATE_LIMITED: RateLimited, Failure.REJECTED: Rejected, Failure.GONE: Gone}
        act = await doing(adapter, address)
        await platform.fail_next(failure, seconds=WAIT_SECONDS)
        with pytest.raises(ChannelError) as told:
            await act(Content("after"))
        assert type(told.value) is errors.get(failure, OutcomeUnknown)
        assert getattr(told.value, "retry_after", WAIT_SECONDS) == WAIT_SECONDS
        is_shown = [message.text for message in await platform.shown()].count("after")
        assert is_shown == (failure is Failure.OUTCOME_UNKNOWN)
        await act(Content("after all"))
        assert (await platform.shown())[-1].text == "after all"

    @pytest.mark.parametrize("doing", [_sent, _edited], ids=["send", "edit"])
    async def test_where_no_connection_comes_about_nothing_was_sent(
        self, platform: Platform, adapter: Adapter, address: Address, doing: Doing
    ) -> None:
        act = await doing(adapter, address)
        async with platform.unreachable():
            with pytest.raises(Unreachable) as told:
                await act(Content("after"))
        assert type(told.value) is Unreachable
        await act(Content("after all"))
        assert [message.text for message in await platform.shown()].count("after") == 0
        assert (await platform.shown())[-1].text == "after all"
