"""The Bot API server as the real python-telegram-bot meets it: what people see, what bots hear, what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import telegram
from telegram import BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, ReplyParameters, Update
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, RetryAfter
from telegram.request import HTTPXRequest

from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_client import client, updates
from tests.servers.bot_api_flood import FloodLimits
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with BotApiServer() as running:
        yield running


@pytest.fixture
async def bot(server: BotApiServer) -> AsyncIterator[telegram.Bot]:
    async with client(server) as running:
        yield running


@pytest.fixture
def ann(server: BotApiServer) -> Person:
    return server.person("Ann")


@pytest.fixture
def chat(server: BotApiServer, ann: Person) -> Chat:
    return server.chat_private(ann)


# -- who is there -------------------------------------------------------------------------------------------


async def test_a_bot_knows_itself(bot: telegram.Bot) -> None:
    assert (bot.id, bot.username, bot.bot.can_read_all_group_messages) == (7000001, "parley_test_bot", False)


async def test_an_unknown_token_is_refused() -> None:
    async with BotApiServer(tokens={"1:one": "one_bot"}) as server, HTTPXRequest() as request:
        stranger = telegram.Bot("2:two", base_url=server.base_url, request=request)
        with pytest.raises(InvalidToken):
            await stranger.get_me()


async def test_two_bots_have_chats_of_their_own_with_one_person(server: BotApiServer, ann: Person) -> None:
    second = server.bot("42:second", "second_bot")
    first_chat, second_chat = server.chat_private(ann), server.chat_private(ann, bot=second)
    async with client(server, "42:second") as bot:
        await bot.send_message(ann.id, "I am the second")
        ann.says(second_chat, "Hello, second")
        assert [update.message.text for update in await updates(bot) if update.message] == ["Hello, second"]
    assert server.screen.from_bots(first_chat) == []
    assert server.screen.from_bots(second_chat) == ["I am the second"]


async def test_commands_are_kept_by_scope_and_language(bot: telegram.Bot) -> None:
    group = telegram.BotCommandScopeAllGroupChats()
    await bot.set_my_commands([BotCommand("help", "Hilfe")], language_code="de")
    await bot.set_my_commands([BotCommand("stop", "Stop it")], scope=group)
    assert await bot.get_my_commands() == ()
    assert [command.description for command in await bot.get_my_commands(language_code="de")] == ["Hilfe"]
    assert [command.command for command in await bot.get_my_commands(scope=group)] == ["stop"]


# -- what people see ----------------------------------------------------------------------------------------


async def test_a_message_and_its_edits_are_on_the_screen(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    question = ann.says(chat, "Is it 🙂?")
    bold = MessageEntity("bold", 0, 3)
    sent = await bot.send_message(
        ann.id, "Yes, 🙂", entities=[bold], reply_parameters=ReplyParameters(question.message_id)
    )
    await bot.edit_message_text("Yes, very 🙂", ann.id, sent.message_id)
    answer = server.screen(chat)[-1]
    assert (answer.author, answer.text, answer.reply_to) == ("Parley", "Yes, very 🙂", question.message_id)
    assert [(version.text, version.entities[0].text) for version in answer.earlier] == [("Yes, 🙂", "Yes")]
    assert [event.what for event in server.screen.history(chat)] == ["message", "message", "edit"]
    assert server.screen.text(chat) == "Ann: Is it 🙂?\nParley: Yes, very 🙂"


async def test_a_draft_is_seen_until_the_message_comes_or_thirty_seconds_passed(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    await bot.send_message_draft(ann.id, 7, "Thin")
    await bot.send_message_draft(ann.id, 7, "Thinking")
    assert [draft.text for draft in server.screen.drafts(chat)] == ["Thinking"]
    server.advance(31)
    assert server.screen.drafts(chat) == []
    await bot.send_message_draft(ann.id, 8, "Again")
    await bot.send_message(ann.id, "Done")
    assert server.screen.text(chat) == "Parley: Done"
    group = server.chat_group("Friends", ann)
    with pytest.raises(BadRequest, match=r"Textdraft_peer_invalid"):
        await bot.send_message_draft(group.id, 9, "Not here")


async def test_typing_shows_for_five_seconds(server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat) -> None:
    await bot.send_chat_action(ann.id, "typing")
    assert server.screen.typing(chat) == "typing"
    server.advance(5)
    assert server.screen.typing(chat) == ""


async def test_deleted_messages_are_gone_and_no_bot_is_told(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    mine = ann.says(chat, "Forget this")
    sent = await bot.send_message(ann.id, "And this")
    await updates(bot)
    ann.deletes(chat, mine)
    await bot.delete_message(ann.id, sent.message_id)
    assert server.screen(chat) == []
    assert [message.text for message in server.screen(chat, deleted=True)] == ["Forget this", "And this"]
    assert await updates(bot) == ()
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(ann.id, sent.message_id)


async def test_a_button_is_pressed_and_answered_once_and_in_time(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y:1")]])
    await bot.send_message(ann.id, "Tea?", reply_markup=keyboard)
    ann.presses(chat, server.screen(chat)[-1], "Yes")
    query = (await updates(bot))[0].callback_query
    assert query is not None and query.data == "y:1"
    await query.answer("Coming")
    assert [event.text for event in server.screen.history(chat, "toast")] == ["Coming"]
    late = ann.presses(chat, server.screen(chat)[-1], "y:1")
    server.advance(16)
    for query_id in (query.id, late, "unknown"):
        with pytest.raises(BadRequest, match="Query is too old and response timeout expired"):
            await bot.answer_callback_query(query_id)


async def test_reactions_go_both_ways(server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat) -> None:
    sent = await bot.send_message(ann.id, "Like me")
    await bot.set_message_reaction(ann.id, sent.message_id, "👀")
    ann.reacts(chat, sent.message_id, "👍")
    assert await updates(bot) == ()
    await updates(bot, kinds=Update.ALL_TYPES)
    ann.reacts(chat, sent.message_id, "🔥")
    change = (await updates(bot))[0].message_reaction
    assert change is not None
    assert [each.emoji for each in change.old_reaction + change.new_reaction] == ["👍", "🔥"]  # type: ignore[attr-defined]  # the base class has no emoji
    assert server.screen(chat)[0].reactions == ((bot.id, "👀"), (ann.id, "🔥"))
    with pytest.raises(BadRequest, match="Reaction_invalid"):
        await bot.set_message_reaction(ann.id, sent.message_id, "🐙")


# -- what is refused ----------------------------------------------------------------------------------------


async def test_texts_are_measured_as_telegram_measures_them(bot: telegram.Bot, ann: Person, chat: Chat) -> None:
    await bot.send_message(ann.id, "🙂" * 2048)
    for text, words in (("🙂" * 2048 + "x", "Message is too long"), (" \n ", "Message text is empty")):
        with pytest.raises(BadRequest, match=words):
            await bot.send_message(ann.id, text)
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.send_photo(ann.id, b"jpeg", caption="x" * 1025)


@pytest.mark.parametrize(
    ("text", "entities", "words"),
    [
        ("🙂🙂", [("bold", 1, 2)], "begins in a middle of a UTF-16 symbol"),
        ("🙂🙂", [("bold", 0, 3)], "ends in a middle of a UTF-16 symbol"),
        ("abc", [("bold", 1, 3)], "ends after the end of the text"),
        ("abcdef", [("bold", 0, 4), ("italic", 2, 4)], "overlaps"),
        ("abcdef", [("pre", 0, 6), ("bold", 1, 2)], "stands inside"),
        ("abcdef", [("bold", 0, 6), ("code", 1, 2)], "stands inside"),
        ("abcdef", [("blockquote", 0, 6), ("expandable_blockquote", 1, 2)], "stands inside"),
        ("abcdef", [("text_link", 0, 3)], "without url"),
        ("abcdef", [("sparkle", 0, 3)], "unsupported entity type"),
        ("x" * 101, [("bold", place, 1) for place in range(101)], "101 entities"),
    ],
)
async def test_entities_must_fit_the_text_and_nest(
    server: BotApiServer,
    bot: telegram.Bot,
    ann: Person,
    chat: Chat,
    text: str,
    entities: list[tuple[str, int, int]],
    words: str,
) -> None:
    with pytest.raises(BadRequest, match=f"(?i){words}"):
        await bot.send_message(ann.id, text, entities=[MessageEntity(*each) for each in entities])
    assert server.screen(chat) == []


async def test_entities_nest_where_telegram_lets_them(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    nested = [MessageEntity("blockquote", 0, 8), MessageEntity("code", 0, 3), MessageEntity("bold", 4, 4)]
    link = MessageEntity("text_link", 4, 2, url="https://example.org/")
    await bot.send_message(ann.id, "one fine ", entities=[link, *nested])
    shown = [(entity.type, entity.text) for entity in server.screen(chat)[0].entities]
    assert shown == [("blockquote", "one fine"), ("code", "one"), ("bold", "fine"), ("text_link", "fi")]


async def test_white_space_is_trimmed_so_that_adding_some_changes_nothing(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    sent = await bot.send_message(ann.id, "\n 🙂 so ", entities=[MessageEntity("bold", 5, 3)])
    assert (sent.text, sent.entities[0].offset, sent.entities[0].length) == ("🙂 so", 3, 2)
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("🙂 so\n", ann.id, sent.message_id, entities=[MessageEntity("bold", 3, 2)])


async def test_edits_need_a_message_of_the_bot_that_is_there(bot: telegram.Bot, ann: Person, chat: Chat) -> None:
    mine = ann.says(chat, "Hello")
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("x", ann.id, 999)
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("x", ann.id, mine.message_id)


async def test_a_reply_to_a_missing_message_is_refused_unless_allowed(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(ann.id, "x", reply_parameters=ReplyParameters(999))
    allowed = ReplyParameters(999, allow_sending_without_reply=True)
    await bot.send_message(ann.id, "Anyway", reply_parameters=allowed)
    assert server.screen.text(chat) == "Parley: Anyway"


@pytest.mark.parametrize(("data", "fits"), [("é" * 32, True), ("é" * 32 + "x", False)])
async def test_callback_data_has_sixty_four_bytes(
    bot: telegram.Bot, ann: Person, chat: Chat, data: str, fits: bool
) -> None:
    sending = bot.send_message(
        ann.id, "x", reply_markup=InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data=data)]])
    )
    if fits:
        await sending
    else:
        with pytest.raises(BadRequest, match="Button_data_invalid"):
            await sending


async def test_who_cannot_be_reached_is_told_apart(server: BotApiServer, bot: telegram.Bot, ann: Person) -> None:
    bob, carl = server.person("Bob"), server.person("Carl")
    server.chat_private(ann, started=False)
    ann_group = server.chat_group("Friends", ann)
    bob.blocks(server.chat_private(bob))
    server.chat_private(carl)
    carl.leaves_telegram()
    ann.sets_bot(ann_group, server.bot(server.token), "kicked")
    for place, words in (
        (ann.id, "bot can't initiate conversation with a user"),
        (bob.id, "bot was blocked by the user"),
        (carl.id, "user is deactivated"),
        (ann_group.id, "bot was kicked from the supergroup chat"),
    ):
        with pytest.raises(Forbidden, match=words):
            await bot.send_message(place, "Hello?")
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(31337, "Hello?")
    changes = [update.my_chat_member.new_chat_member.status for update in await updates(bot) if update.my_chat_member]
    assert changes == ["kicked", "kicked"]


async def test_an_upgraded_group_says_where_it_went(server: BotApiServer, bot: telegram.Bot, ann: Person) -> None:
    group = server.chat_group("Friends", ann, kind="group")
    new = ann.upgrades(group)
    with pytest.raises(ChatMigrated) as migrated:
        await bot.send_message(group.id, "Still here?")
    assert migrated.value.new_chat_id == new.id
    service = [update.message for update in await updates(bot) if update.message]
    assert [service[0].migrate_to_chat_id, service[1].migrate_from_chat_id] == [new.id, group.id]
    await bot.send_message(new.id, "Here")
    assert server.screen.from_bots(new) == ["Here"]


async def test_flood_limits_say_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    async with BotApiServer(limits=FloodLimits(per_chat_burst=2), clock=lambda: 1_790_000_000.0) as server:
        ann = server.person()
        server.chat_private(ann)
        group = server.chat_group("Friends", ann)
        async with client(server) as bot:
            for place, calls in ((ann.id, 2), (group.id, 20)):
                for _ in range(calls):
                    await bot.send_message(place, "x")
                with pytest.raises(RetryAfter) as refused:
                    await bot.send_message(place, "x")
                assert refused.value.retry_after == timedelta(seconds=1 if place == ann.id else 3)
            server.advance(1)
            await bot.send_message(ann.id, "x")


# -- what bots hear -----------------------------------------------------------------------------------------


async def test_privacy_mode_lets_through_what_is_addressed_to_the_bot(
    server: BotApiServer, bot: telegram.Bot, ann: Person
) -> None:
    group = server.chat_group("Friends", ann)
    sent = await bot.send_message(group.id, "I am here")
    ann.says(group, "Not for you")
    ann.says(group, "/help@other_test_bot")
    ann.says(group, "/help@parley_test_bot")
    ann.says(group, "You, @parley_test_bot!")
    ann.says(group, "To you", reply_to=sent.message_id)
    heard = [update.message.text for update in await updates(bot) if update.message]
    assert heard == ["/help@parley_test_bot", "You, @parley_test_bot!", "To you"]


async def test_topics_channels_and_edits_arrive_as_what_they_are(
    server: BotApiServer, bot: telegram.Bot, ann: Person
) -> None:
    forum = server.chat_group("Forum", ann, forum=True, admin=True)
    channel = server.chat_channel("News", username="news_test")
    topic = ann.opens_topic(forum, "Cats")
    ann.edits(forum, ann.says(forum, "Meow", topic=topic), "Meow!")
    ann.says(channel, "Posted")
    await bot.send_message("@news_test", "By the bot")
    await bot.send_message(forum.id, "Purr", message_thread_id=topic)
    batch = await updates(bot)
    said, edited, post = batch[1].message, batch[2].edited_message, batch[3].channel_post
    assert said and said.message_thread_id == topic and said.is_topic_message
    assert edited and edited.text == "Meow!" and post and post.text == "Posted"
    assert len(batch) == 4
    assert server.screen.from_bots(forum, topic=topic) == ["Purr"]
    assert server.screen.from_bots(channel) == ["By the bot"]
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(forum.id, "x", message_thread_id=999)


async def test_everything_that_a_person_can_send_is_understood_by_the_library(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    kinds = ["photo", "voice", "audio", "document", "sticker", "location", "venue", "contact", "video", "video_note"]
    kinds += ["animation", "poll", "dice", "story"]
    for kind in kinds:
        ann.sends(chat, kind)
    ann.sends(chat, "hologram", depth=3)
    ann.sends_album(chat, ["photo", "video"], caption="Both")
    heard = [update.message for update in await updates(bot) if update.message]
    assert len(heard) == len(kinds) + 3
    for kind, message in zip(kinds, heard, strict=False):
        assert getattr(message, kind), kind
    assert [message.media_group_id for message in heard[-2:]] == ["album1", "album1"]
    assert [message.caption for message in heard[-2:]] == ["Both", None]


async def test_files_travel_both_ways_up_to_the_limit(
    server: BotApiServer, bot: telegram.Bot, ann: Person, chat: Chat
) -> None:
    small = ann.sends(chat, "document", content=b"Words", name="words.txt")
    large = ann.sends(chat, "video", content=None, size=100_000_000)
    assert bytes(await (await bot.get_file(small.file_id)).download_as_bytearray()) == b"Words"
    with pytest.raises(BadRequest, match="File is too big"):
        await bot.get_file(large.file_id)
    sent = await bot.send_voice(ann.id, b"opus", caption="Listen")
    assert sent.voice is not None
    assert bytes(await (await bot.get_file(sent.voice.file_id)).download_as_bytearray()) == b"opus"
    await bot.send_document(ann.id, small.file_id)
    assert [(message.kind, message.text) for message in server.screen(chat)[2:]] == [
        ("voice", "Listen"),
        ("document", ""),
    ]
