"""What goes to Discord, and what becomes of its refusals."""

from __future__ import annotations

import pytest

from adapters.menus import held
from bot.channel import CommandInfo, Content, Receipt, TextFile, UpdateKind
from bot.errors import (
    AccountRefused,
    ChannelError,
    Gone,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from bot.types import Address
from tests.adapters.discord.scripted import Scene, scene
from tests.servers import discord_permissions as may
from tests.servers.discord_faults import Cloudflare, Drop, Fail, Fault, Limited, Refuse, Truncate
from tests.servers.discord_server import DiscordServer

SAY, WHY = (
    CommandInfo("say", {"": "Says", "en": "Says", "zh": "说"}, "[TEXT]"),
    CommandInfo("why", {"": "Why"}, "", True),
)


async def address(on: Scene) -> Address:
    on.ann.says(on.general, "Hello")
    return (await on.intake.said("Hello")).address


async def private(on: Scene) -> Address:
    on.ann.says(on.direct, "Hello")
    return (await on.intake.said("Hello")).address


# -- what is shown ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["@everyone", "@here", "@EVERYONE @Here", "<@{0}>", "<@!{0}>", "<@&{0}>", "`@everyone`"]
)
async def test_nothing_mentions_anybody_nor_looks_as_if_it_did(server: DiscordServer, text: str) -> None:
    async with scene(server) as on:
        place = await address(on)
        said = text.format(on.ann.id)
        receipt = await on.adapter.send(place, Content(said))
        await on.adapter.edit(receipt, Content(f"edited {said}"))
        [shown] = [each for each in server.screen(on.general) if each.from_bot]
    assert not shown.pings
    assert not any(sign in shown.text.lower() for sign in ("@everyone", "@here", "<@"))


async def test_a_text_is_not_made_longer_by_what_is_disarmed(server: DiscordServer) -> None:
    async with scene(server) as on:
        longest = "@here " * 333
        await on.adapter.send(await private(on), Content(longest))
        assert len(server.screen.from_bots(on.direct)[0]) >= len(longest.strip())


async def test_the_same_key_shows_a_message_once(server: DiscordServer) -> None:
    async with scene(server) as on:
        place = await address(on)
        server.faults.next("create_message", Drop(after_execution=True))
        with pytest.raises(OutcomeUnknown):
            await on.adapter.send(place, Content("Hi", key="1-1760000000"))
        receipt = await on.adapter.send(place, Content("Hi", key="1-1760000000"))
        [shown] = [each for each in server.screen(on.general) if each.from_bot]
        assert receipt.id == str(shown.message_id)
        assert on.adapter.capabilities.key_seconds <= server.world.nonce_seconds


async def test_what_answers_a_message_that_is_gone_is_sent_all_the_same(server: DiscordServer) -> None:
    async with scene(server) as on:
        place = await address(on)
        await on.adapter.send(place, Content("Hi", reply_to="12345"))
        assert server.screen.from_bots(on.general) == ["Hi"]


# -- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Limited(3.5), RateLimited),
        (Cloudflare(), RateLimited),
        (Refuse(403, 50013, "Missing Permissions"), NotPermitted),
        (Refuse(403, 50001, "Missing Access"), NotPermitted),
        (Refuse(404, 10003, "Unknown Channel"), Gone),
        (Refuse(403, 50007, "Cannot send messages to this user"), Gone),
        (Refuse(404, 10008, "Unknown Message"), Rejected),
        (Refuse(413, 40005, "Request entity too large"), Rejected),
        (Refuse(401, 0, "401: Unauthorized"), AccountRefused),
        (Fail(500), OutcomeUnknown),
        (Fail(502), OutcomeUnknown),
        (Fail(503), OutcomeUnknown),
        (Drop(), OutcomeUnknown),
        (Truncate(), OutcomeUnknown),
    ],
)
async def test_a_refusal_is_told_as_what_it_is(server: DiscordServer, fault: Fault, error: type[ChannelError]) -> None:
    async with scene(server) as on:
        place = await address(on)
        server.faults.next("create_message", fault)
        with pytest.raises(ChannelError) as told:
            await on.adapter.send(place, Content("Hi"))
    assert type(told.value) is error


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_limit_says_how_long_and_whether_it_holds_for_the_whole_account(
    server: DiscordServer, everywhere: bool
) -> None:
    async with scene(server) as on:
        place = await address(on)
        server.faults.next("create_message", Limited(3.5, everywhere=everywhere))
        with pytest.raises(RateLimited) as told:
            await on.adapter.send(place, Content("Hi"))
    assert (told.value.retry_after, told.value.everywhere) == (3.5, everywhere)


async def test_a_missing_permission_is_named_with_its_place_and_the_owner_is_whom_to_ask(
    server: DiscordServer,
) -> None:
    ben = server.person("Ben")
    async with scene(server) as on:
        server.world.join(on.guild, ben.account)
        place = await address(on)
        on.ann.allows(on.general, on.guild, deny=may.SEND_MESSAGES)
        with pytest.raises(NotPermitted) as told:
            await on.adapter.send(place, Content("Hi"))
        assert (told.value.permission, told.value.place) == ("send_messages", "#general")
        keeper = await on.adapter.keeper(place)
        assert keeper is not None and on.adapter.is_private(keeper)
        await on.adapter.send(keeper, Content("I may not"))
        assert server.screen.from_bots(on.direct) == ["I may not"]


# -- menus --------------------------------------------------------------------------------------------------


async def test_commands_are_offered_at_once_in_every_language(server: DiscordServer) -> None:
    async with scene(server) as on:
        await on.adapter.announce([SAY, WHY])
        [say, why, ask, summarize] = server.bot().commands[0]
    assert say["description_localizations"] == {"en-US": "Says", "en-GB": "Says", "zh-CN": "说", "zh-TW": "说"}
    assert say["options"][0]["description"] == "[TEXT]" and not why["options"]
    assert (ask["type"], ask["name"], ask["name_localizations"]["zh-CN"]) == (3, "Ask about this", "就此提问")
    assert summarize["name"] == "Summarise from here"


async def test_commands_are_offered_in_the_servers_that_are_named(server: DiscordServer) -> None:
    ann = server.person("Ann")
    guild = server.guild("Garden", ann)
    async with scene(server, servers=[guild.id]) as on:
        await on.adapter.announce([SAY])
        assert [*server.bot().commands] == [guild.id]


async def test_a_command_holds_a_place_and_its_answer_stands_there(server: DiscordServer) -> None:
    async with scene(server) as on:
        await on.adapter.announce([SAY])
        on.ann.uses(on.general, "say", text="hello you")
        message = await on.intake.said("/say hello you")
        receipt = await on.adapter.edit(Receipt(message.address, message.placeholder), Content("Done"))
        assert receipt is not None and held(receipt.id) is None
        await on.adapter.edit(receipt, Content("Done indeed"))
        await on.adapter.send(message.address, Content("and more", reply_to=message.placeholder))
        assert server.screen.from_bots(on.general) == ["Done indeed", "and more"]


async def test_the_answer_to_a_discreet_command_is_read_by_who_gave_it_alone(server: DiscordServer) -> None:
    async with scene(server) as on:
        await on.adapter.announce([WHY])
        on.ann.uses(on.general, "why")
        message = await on.intake.said("/why")
        place = Receipt(message.address, message.placeholder)
        assert await on.adapter.edit(place, Content("Because")) is None
        more = await on.adapter.send(message.address, Content("of this", reply_to=message.placeholder))
        await on.adapter.edit(more, Content("of that"))
        assert server.screen.from_bots(on.general, person=on.ann) == ["Because", "of that"]
        assert server.screen.from_bots(on.general) == []
        await on.adapter.delete(more)
        assert server.screen.from_bots(on.general, person=on.ann) == ["Because"]


@pytest.mark.parametrize(("command", "is_discreet"), [("say", False), ("why", True)])
async def test_where_the_place_is_no_longer_held_the_answer_is_a_message(
    server: DiscordServer, command: str, is_discreet: bool
) -> None:
    async with scene(server) as on:
        await on.adapter.announce([SAY, WHY])
        on.ann.uses(on.general, command)
        message = await on.intake.said(f"/{command}")
        await server.wait_until(lambda: any(shown.from_bot for shown in server.screen(on.general, person=on.ann)))
        server.advance(16 * 60)
        with pytest.raises(Rejected):
            await on.adapter.edit(Receipt(message.address, message.placeholder), Content("Late"))
        await on.adapter.send(message.address, Content("Late", reply_to=message.placeholder))
        assert server.screen.from_bots(on.direct if is_discreet else on.general)[-1:] == ["Late"]
        assert ("Late" in server.screen.from_bots(on.general)) is not is_discreet


async def test_a_question_about_a_message_is_asked_for_and_comes_with_what_it_says(server: DiscordServer) -> None:
    async with scene(server) as on:
        await on.adapter.announce([])
        shown = on.ann.says(on.general, "The sky is green.")
        asked = on.ann.uses_on(on.general, shown, "Ask about this")
        await server.wait_until(lambda: asked.modal)
        on.ann.submits(asked, question="Is it?")
        message = await on.intake.said("Is it?")
    assert (message.quote, message.reply_to, message.is_addressed) == ("The sky is green.", str(shown.message_id), True)
    assert message.placeholder


async def test_a_summary_is_of_what_was_said_from_a_message_on(server: DiscordServer) -> None:
    async with scene(server) as on:
        await on.adapter.announce([])
        on.ann.says(on.general, "before")
        shown = on.ann.says(on.general, "one")
        on.ann.says(on.general, "two")
        on.ann.uses_on(on.general, shown, "Summarise from here")
        message = await on.intake.said("/summarize")
    assert message.quote == "Ann: one\nAnn: two"


async def test_a_press_that_is_acknowledged_too_late_is_no_error(server: DiscordServer) -> None:
    async with scene(server) as on:
        receipt = await on.adapter.send(await private(on), Content("Well?", choices=(("Yes", "yes"),)))
        on.ann.clicks(on.direct, int(receipt.id), "Yes")
        [press] = await on.intake.messages(1, UpdateKind.CHOICE)
        server.advance(4)
        assert await on.adapter.acknowledge(press, "Noted") == ""


async def test_a_file_goes_with_an_answer_at_a_place(server: DiscordServer) -> None:
    async with scene(server) as on:
        await on.adapter.announce([WHY])
        on.ann.uses(on.general, "why")
        message = await on.intake.said("/why")
        file = TextFile("reply.md", "# All of it", "text/markdown")
        await on.adapter.edit(Receipt(message.address, message.placeholder), Content("It begins so"))
        await on.adapter.send(message.address, Content("and the file", reply_to=message.placeholder, file=file))
        shown = server.screen(on.general, person=on.ann)[-1]
        assert server.content(shown.files[0]) == b"# All of it"
