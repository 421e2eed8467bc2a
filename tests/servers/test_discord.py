"""The Discord server as the real discord.py meets it: what people see, what bots hear, what is refused."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import discord
import pytest

from tests.servers import discord_permissions as may
from tests.servers.discord_client import Scene, listening
from tests.servers.discord_people import Upload
from tests.servers.discord_screen import Pings
from tests.servers.discord_server import DiscordServer

NONE = discord.AllowedMentions.none()


# -- who is there -------------------------------------------------------------------------------------------


async def test_a_bot_logs_in_and_finds_its_guilds(scene: Scene) -> None:
    client = scene.client
    assert client.user is not None
    assert (client.user.id, client.user.name, client.user.bot) == (scene.server.bot().id, "Parley", True)
    assert [(each.id, each.name, each.member_count) for each in client.guilds] == [(scene.guild.id, "Friends", 2)]
    assert [each.name for each in client.guilds[0].text_channels] == ["general"]
    member = client.guilds[0].get_member(scene.ann.id)
    assert member is not None and member.display_name == "Ann"


async def test_an_application_says_which_intents_it_was_granted(scene: Scene) -> None:
    flags = (await scene.client.application_info()).flags
    assert flags.gateway_message_content_limited and flags.gateway_guild_members_limited
    async with (
        DiscordServer(granted=0) as server,
        listening(server, type(scene.client)(intents=discord.Intents.default())) as client,
    ):
        assert not (await client.application_info()).flags.gateway_message_content_limited


async def test_a_wrong_token_is_refused() -> None:
    async with DiscordServer() as server:
        with pytest.raises(discord.LoginFailure):
            async with listening(server, token="wrong"):
                pass


# -- messages -----------------------------------------------------------------------------------------------


async def test_what_people_say_reaches_the_bot(scene: Scene) -> None:
    scene.ann.says(scene.general, f"{scene.server.mention} hello")
    message = (await scene.heard())[0]
    assert (message.author.display_name, message.content) == ("Ann", f"{scene.server.mention} hello")
    assert message.channel.id == scene.general.id
    assert scene.client.user in message.mentions


async def test_a_message_and_its_edits_are_on_the_screen(scene: Scene) -> None:
    question = scene.ann.says(scene.general, "Is it?")
    heard = (await scene.heard())[0]
    sent = await heard.reply("Yes", mention_author=False)
    await sent.edit(content="Yes, very")
    answer = scene.server.screen(scene.general)[-1]
    assert (answer.author, answer.text, answer.reply_to) == ("Parley", "Yes, very", question.message_id)
    assert [version.text for version in answer.earlier] == ["Yes"]
    assert [event.what for event in scene.server.screen.history(scene.general)] == ["message", "message", "edit"]
    assert scene.server.screen.text(scene.general) == "Ann: Is it?\nParley: Yes, very"


async def test_people_edit_what_they_said_and_the_bot_hears_of_it(scene: Scene) -> None:
    question = scene.ann.says(scene.general, "Is it?")
    await scene.heard()
    scene.ann.edits(scene.general, question, "Is it so?")
    await scene.until("message_edit")
    heard = (await scene.heard())[0]
    assert (heard.content, heard.edited_at is not None) == ("Is it so?", True)


async def test_a_direct_message_goes_both_ways(scene: Scene) -> None:
    direct = scene.server.dm(scene.ann)
    scene.ann.says(direct, "Psst")
    message = (await scene.heard())[0]
    assert isinstance(message.channel, discord.DMChannel)
    await message.channel.send("Yes?")
    user = await scene.client.fetch_user(scene.ann.id)
    await user.send("Anything else?")
    assert scene.server.screen.from_bots(direct) == ["Yes?", "Anything else?"]


async def test_deleted_messages_are_gone_and_the_bot_is_told(scene: Scene) -> None:
    first, second, third = (scene.ann.says(scene.general, text) for text in ("one", "two", "three"))
    sent = await scene.channel.send("four")
    scene.ann.deletes(scene.general, first)
    scene.ann.deletes(scene.general, second, third)
    await sent.delete()
    await scene.until("message_delete", times=2)
    screen = scene.server.screen
    assert screen(scene.general) == []
    assert [message.text for message in screen(scene.general, deleted=True)] == ["one", "two", "three", "four"]
    assert scene.client.events.count("bulk_message_delete") == 1


async def test_files_travel_both_ways_and_addresses_expire(scene: Scene) -> None:
    scene.ann.says(scene.general, "Look", Upload("notes.txt", b"Words"), Upload("film.mp4", None, size=200_000))
    attachments = (await scene.heard())[0].attachments
    assert [(each.filename, each.size, each.content_type) for each in attachments] == [
        ("notes.txt", 5, "text/plain; charset=utf-8"),
        ("film.mp4", 200_000, "video/mp4"),
    ]
    assert await attachments[0].read() == b"Words"
    assert len(await attachments[1].read()) == 200_000
    await scene.channel.send("Mine", file=discord.File(io.BytesIO(b"answer"), "answer.md"))
    file = scene.server.screen(scene.general)[-1].files[0]
    assert (file.name, scene.server.content(file)) == ("answer.md", b"answer")
    scene.server.advance(25 * 3600)
    with pytest.raises(discord.NotFound):
        await attachments[0].read()
    fresh = await scene.channel.fetch_message(scene.client.messages[0].id)
    assert await fresh.attachments[0].read() == b"Words"


async def test_files_get_plain_names_and_voices_say_how_long_they_are(scene: Scene) -> None:
    voice = Upload("voice-message.ogg", kind="audio/ogg", about={"duration_secs": 2.5, "waveform": "AAAA"})
    scene.ann.says(scene.general, "", voice, Upload("Über uns (2).txt"), flags=1 << 13)
    message = (await scene.heard())[0]
    assert message.flags.voice and message.attachments[0].is_voice_message()
    assert (message.attachments[1].filename, message.attachments[1].title) == ("Über_uns_2.txt", "Über uns (2)")
    assert await message.attachments[1].read() == b"bytes"


async def test_an_edit_keeps_and_replaces_files(scene: Scene) -> None:
    names = ("one.txt", "two.txt")
    sent = await scene.channel.send("Files", files=[discord.File(io.BytesIO(b"x"), name) for name in names])
    await sent.edit(content="Still files")
    assert [file.name for file in scene.server.screen(scene.general)[-1].files] == ["one.txt", "two.txt"]
    await sent.edit(attachments=[sent.attachments[1], discord.File(io.BytesIO(b"y"), "three.txt")])
    assert [file.name for file in scene.server.screen(scene.general)[-1].files] == ["two.txt", "three.txt"]


async def test_history_is_read_from_either_end(scene: Scene) -> None:
    sent = [scene.ann.says(scene.general, str(count)) for count in range(130)]
    middle = discord.Object(sent[60].message_id)
    newest = [each.content async for each in scene.channel.history(limit=3)]
    after = [each.content async for each in scene.channel.history(limit=2, after=middle)]
    before = [each.content async for each in scene.channel.history(limit=2, before=middle)]
    around = [each.content async for each in scene.channel.history(limit=4, around=middle)]
    assert (newest, after, before) == (["129", "128", "127"], ["61", "62"], ["59", "58"])
    assert sorted(around) == ["58", "59", "60", "61"]
    assert len([each async for each in scene.channel.history(limit=None)]) == 130


async def test_a_nonce_that_is_enforced_makes_one_message_of_two_calls(scene: Scene) -> None:
    first = await scene.channel.send("Once", nonce="a1")
    again = await scene.channel.send("Once more", nonce="a1")
    assert (again.id, again.content, again.nonce) == (first.id, "Once", "a1")
    scene.server.advance(301)
    later = await scene.channel.send("Later", nonce="a1")
    assert later.id != first.id
    await later.delete()
    with pytest.raises(discord.NotFound):
        await scene.channel.send("Deleted", nonce="a1")
    assert scene.server.screen.from_bots(scene.general) == ["Once"]


async def test_typing_shows_until_the_message_comes_or_ten_seconds_passed(scene: Scene) -> None:
    async with scene.channel.typing():
        assert scene.server.screen.typing(scene.general) == "Parley"
    scene.server.advance(10)
    assert scene.server.screen.typing(scene.general) == ""


async def test_other_bots_and_webhooks_are_told_apart_from_people(scene: Scene) -> None:
    other = scene.server.person("Robo", bot=True)
    scene.ann.invites(scene.guild, other.account)
    other.says(scene.general, "Beep")
    scene.server.webhook("Builds").says(scene.general, "Green")
    messages = await scene.heard(2)
    assert [(each.author.name, each.author.bot, each.webhook_id is not None) for each in messages] == [
        ("Robo", True, False),
        ("Builds", True, True),
    ]


async def test_a_forwarded_message_is_a_copy_with_its_files(scene: Scene) -> None:
    said = scene.ann.says(scene.general, "Original", Upload("notes.txt", b"Words"))
    shown = scene.ann.forwards(scene.general, said, scene.server.dm(scene.ann))
    forwarded = (await scene.heard(2))[1]
    snapshot = forwarded.message_snapshots[0]
    assert (forwarded.content, snapshot.content, shown.kind, shown.text) == ("", "Original", "forwarded", "Original")
    assert await snapshot.attachments[0].read() == b"Words"


async def test_pins_and_unfolded_links_are_changes_but_no_edits(scene: Scene) -> None:
    said = scene.ann.says(scene.general, "https://example.org/")
    message = (await scene.heard())[0]
    scene.server.unfolds(scene.general, said, "Example")
    scene.ann.pins(scene.general, said)
    await scene.until("message_edit", times=2)
    await scene.until("guild_channel_pins_update")
    assert (message.embeds[0].title, message.pinned, message.edited_at) == ("Example", True, None)
    shown = scene.server.screen(scene.general)
    assert [(each.kind, each.embeds) for each in shown] == [("text", ("Example",)), ("pinned", ())]


# -- pings --------------------------------------------------------------------------------------------------


async def test_whom_a_message_pings_is_on_the_screen(scene: Scene) -> None:
    role = scene.ann.makes_role(scene.guild, "cooks", mentionable=True)
    text = f"{scene.ann.mention} <@&{role.id}> @everyone"
    await scene.channel.send(text)
    await scene.channel.send(text, allowed_mentions=NONE)
    await scene.channel.send(text, allowed_mentions=discord.AllowedMentions(users=[discord.Object(scene.ann.id)]))
    scene.ann.allows(scene.general, scene.guild, deny=may.MENTION_EVERYONE)
    await scene.channel.send(text)
    assert [message.pings for message in scene.server.screen(scene.general)] == [
        Pings((scene.ann.id,), (role.id,), everyone=True),
        Pings(),
        Pings((scene.ann.id,), (role.id,), everyone=True),
        Pings((scene.ann.id,), (role.id,)),
    ]


async def test_a_reply_pings_unless_told_otherwise(scene: Scene) -> None:
    scene.ann.says(scene.general, "Hm?")
    question = (await scene.heard())[0]
    await question.reply("loud")
    await question.reply("soft", mention_author=False)
    await question.reply("silent", allowed_mentions=NONE)
    pinged = [bool(message.pings) for message in scene.server.screen(scene.general)[1:]]
    assert pinged == [True, False, False]


# -- reactions --------------------------------------------------------------------------------------------


async def test_reactions_go_both_ways(scene: Scene) -> None:
    said = scene.ann.says(scene.general, "Like me")
    message = (await scene.heard())[0]
    await message.add_reaction("👀")
    scene.ann.reacts(scene.general, said, "👍")
    await scene.until("reaction_add", times=2)
    reaction = message.reactions[-1]
    assert str(reaction.emoji) == "👍"
    assert [each.id async for each in reaction.users()] == [scene.ann.id]
    assert scene.server.screen(scene.general)[0].reactions == ((scene.server.bot().id, "👀"), (scene.ann.id, "👍"))
    await message.remove_reaction("👀", discord.Object(scene.server.bot().id))
    scene.ann.unreacts(scene.general, said, "👍")
    await scene.until("reaction_remove", times=2)
    assert scene.server.screen(scene.general)[0].reactions == ()
    with pytest.raises(discord.HTTPException) as refused:
        await message.add_reaction("like")
    assert refused.value.code == 10014


# -- what is refused ----------------------------------------------------------------------------------------


async def test_texts_have_two_thousand_characters_and_are_not_empty(scene: Scene) -> None:
    await scene.channel.send("🙂" * 2000)
    with pytest.raises(discord.HTTPException, match="Must be 2000 or fewer in length") as refused:
        await scene.channel.send("🙂" * 2001)
    assert (refused.value.status, refused.value.code) == (400, 50035)
    sent = await scene.channel.send(" x ")
    assert sent.content == "x"
    for attempt in (scene.channel.send(" \n "), sent.edit(content="")):
        with pytest.raises(discord.HTTPException) as empty:
            await attempt
        assert empty.value.code == 50006


async def test_messages_that_are_missing_or_not_its_own_cannot_be_edited(scene: Scene) -> None:
    scene.ann.says(scene.general, "Mine")
    theirs = (await scene.heard())[0]
    for message_id, code in ((theirs.id, 50005), (theirs.id + 1, 10008)):
        with pytest.raises(discord.HTTPException) as refused:
            await scene.channel.get_partial_message(message_id).edit(content="x")
        assert refused.value.code == code
    with pytest.raises(discord.Forbidden) as forbidden:
        await theirs.delete()
    assert forbidden.value.code == 50013


async def test_who_takes_no_direct_messages_is_told_apart(scene: Scene) -> None:
    stranger = scene.server.person("Bob")
    scene.ann.closes_dms()
    for person in (scene.ann, stranger):
        user = await scene.client.fetch_user(person.id)
        with pytest.raises(discord.Forbidden) as refused:
            await user.send("Hello")
        assert refused.value.code == 50007


async def test_a_reply_to_a_missing_message_is_refused_unless_allowed(scene: Scene) -> None:
    missing, lenient = (
        discord.MessageReference(message_id=10**18, channel_id=scene.general.id, fail_if_not_exists=fails)
        for fails in (True, False)
    )
    with pytest.raises(discord.HTTPException, match="Unknown message"):
        await scene.channel.send("x", reference=missing)
    await scene.channel.send("Anyway", reference=lenient)
    assert scene.server.screen.from_bots(scene.general) == ["Anyway"]


async def test_files_are_too_large_beyond_the_limit() -> None:
    async with DiscordServer(largest_file=1000) as server:
        ann = server.person()
        channel = server.channel(server.guild("Friends", ann), "general")
        async with listening(server) as client:
            with pytest.raises(discord.HTTPException) as refused:
                file = discord.File(io.BytesIO(bytes(1001)), "big.bin")
                await client.get_partial_messageable(channel.id).send(file=file)
    assert (refused.value.status, refused.value.code) == (413, 40005)


BUTTON = {"type": 2, "style": 1, "label": "Go", "custom_id": "go"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"content": 42}, "content"),
        ({"content": "x", "tts": "yes"}, "tts"),
        ({"content": "x", "nonce": "n" * 26}, "nonce"),
        ({"content": "x", "flags": 64}, "flags"),
        ({"content": "x", "parse_mode": "HTML"}, "parse_mode"),
        ({"content": "x", "allowed_mentions": {"parse": ["friends"]}}, "allowed_mentions.parse.0"),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, "allowed_mentions"),
        ({"content": "x", "message_reference": {"channel_id": "1"}}, "message_reference.message_id"),
        ({"content": "x", "attachments": [{"id": 0, "filename": "x"}]}, "attachments.0"),
        ({"content": "x", "embeds": [{"title": "t" * 257}]}, "embeds.0.title"),
        ({"content": "x", "embeds": [{"description": "d" * 4000}, {"description": "d" * 2001}]}, "embeds"),
        ({"content": "x", "components": [BUTTON]}, "components.0.type"),
        ({"content": "x", "components": [{"type": 1, "components": []}]}, "components.0.components"),
        ({"content": "x", "components": [{"type": 1, "components": [{"type": 99}]}]}, "components.0.components.0.type"),
        (
            {"content": "x", "components": [{"type": 1, "components": [BUTTON, BUTTON]}]},
            "components.0.components.1.custom_id",
        ),
        (
            {"content": "x", "components": [{"type": 1, "components": [BUTTON | {"custom_id": "c" * 101}]}]},
            "components.0.components.0.custom_id",
        ),
        (
            {"content": "x", "components": [{"type": 1, "components": [BUTTON | {"url": "https://example.org"}]}]},
            "components.0.components.0.url",
        ),
        (
            {"content": "x", "components": [{"type": 1, "components": [BUTTON | {"emoji": {"name": "no"}}]}]},
            "components.0.components.0.emoji.name",
        ),
    ],
)
async def test_a_form_with_a_wrong_field_is_refused_with_its_path(scene: Scene, body: Any, path: str) -> None:
    status, answer = await raw(scene, "POST", f"/channels/{scene.general.id}/messages", json=body)
    assert (status, answer["code"], answer["message"]) == (400, 50035, "Invalid Form Body")
    errors = answer["errors"]
    for step in path.split("."):
        errors = errors[step]
    assert errors["_errors"][0]["message"]
    assert scene.server.screen(scene.general) == []


async def test_requests_that_are_none_are_refused(scene: Scene) -> None:
    place = f"/channels/{scene.general.id}/messages"
    broken = await raw(scene, "POST", place, data="{", headers={"Content-Type": "application/json"})
    half = await raw(scene, "POST", place, json={"content": "\ud83d"})
    form = await raw(scene, "POST", place, data={"content": "x"})
    number = await raw(scene, "GET", "/channels/general/messages")
    limit = await raw(scene, "GET", f"{place}?limit=101")
    nowhere = await raw(scene, "GET", "/weather")
    codes = [answer["code"] for _, answer in (broken, half, form, number, limit, nowhere)]
    assert codes == [50109, 50109, 50035, 50035, 50035, 0]
    assert nowhere[0] == 404


async def raw(scene: Scene, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """A call without discord.py: the status and the JSON of the answer."""
    headers = {"Authorization": f"Bot {scene.server.token}"} | options.pop("headers", {})
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{scene.server.api_url}{path}", headers=headers, **options) as answer,
    ):
        return answer.status, await answer.json()
