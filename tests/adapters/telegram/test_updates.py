"""What Telegram tells, as the core gets it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import telegram

from adapters.telegram.updates import KINDS, Translator
from bot.channel import Update, UpdateKind
from bot.types import Address, Attachment, Message
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

NOW = 1_800_000_000.0
ME = telegram.User(7_000_001, "Parley", is_bot=True, username="parley_test_bot")


class Telegram:
    """The test server's world without its socket, and one person in it."""

    def __init__(self) -> None:
        self.server = BotApiServer(clock=lambda: NOW, reads_all=True)
        self.bot = self.server.world.bots[self.server.token]
        self.bot.updates.allow(KINDS)
        self.ann: Person = self.server.person("Ann", language="de")
        self.private = self.server.chat_private(self.ann)
        self.group = self.server.chat_group("Friends", self.ann, admin=True)

    def told(self, *names: str) -> list[Update | None]:
        """What the adapter makes of all that happened."""
        translator = Translator(ME, "telegram", names)
        raws = [pending.update for pending in self.bot.updates.pending]
        self.bot.updates.pending.clear()
        return [translator.translate(raw) for raw in raws]

    def last(self, *names: str) -> Update:
        """The last of it, which is something."""
        update = self.told(*names)[-1]
        assert update is not None
        return update

    def said(self, text: str, *names: str, chat: Chat | None = None, **options: Any) -> Message:
        """What arrives when Ann says this in the group."""
        self.ann.says(chat or self.group, text, **options)
        return self.last(*names).message

    def bot_says(self, chat: Chat, text: str) -> int:
        """A message of the bot's own."""
        number: int = self.server.world.post(chat, self.bot.account, {"text": text}, bot=self.bot.id)["message_id"]
        return number


@pytest.fixture
def world() -> Telegram:
    return Telegram()


# -- who, where, when ---------------------------------------------------------------------------------------


def test_a_private_message_tells_who_said_what_where_and_when(world: Telegram) -> None:
    shown = world.ann.says(world.private, "Hello 👋")
    update = world.last()
    assert update.kind is UpdateKind.MESSAGE
    assert update.id
    message = update.message
    assert message.address == Address("telegram", str(world.ann.id), "7000001")
    assert (message.person.id, message.person.name, message.person.language) == (str(world.ann.id), "Ann", "de")
    assert (message.text, message.at, message.id) == (
        "Hello 👋",
        datetime.fromtimestamp(NOW, UTC),
        str(shown.message_id),
    )
    assert message.is_private
    assert message.is_addressed


def test_a_topic_of_a_forum_is_a_thread_of_its_own_and_its_head_is_no_quote(world: Telegram) -> None:
    forum = world.server.chat_group("Forum", world.ann, forum=True)
    topic = world.ann.opens_topic(forum, "Plans")
    message = world.said("Hello", chat=forum, topic=topic, reply_to=topic)
    assert message.address.thread == str(topic)
    assert (message.reply_to, message.quote) == ("", "")


def test_an_anonymous_administrator_speaks_as_the_group(world: Telegram) -> None:
    message = world.said("@parley_test_bot hi", sender_chat=world.group.wire())
    assert (message.person.id, message.person.name, message.person.is_bot) == (str(world.group.id), "Friends", False)


def test_what_nobody_said_is_nothing(world: Telegram) -> None:
    world.ann.sets_bot(world.group, world.bot, "administrator")
    world.ann.opens_topic(world.group, "Plans")
    world.ann.says(
        world.group, "News", is_automatic_forward=True, sender_chat={"id": -1, "title": "C", "type": "channel"}
    )
    assert world.told() == [None] * 3


# -- addressed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read", "is_addressed"),
    [
        ("How are you?", "How are you?", False),
        ("@parley_test_bot how are you?", "how are you?", True),
        ("@Parley_Test_Bot, how are you?", "how are you?", True),
        ("How are you, @parley_test_bot?", "How are you, @parley_test_bot?", True),
        ("@parley_test_bots how are you?", "@parley_test_bots how are you?", False),
        ("write to me@parley_test_bot.org", "write to me@parley_test_bot.org", False),
        ("/help", "/help", True),
        ("/help@parley_test_bot now", "/help now", True),
        ("@parley_test_bot /help@parley_test_bot", "/help", True),
        ("/help@other_bot", "/help@other_bot", False),
        ("/help@other_bot @parley_test_bot", "/help@other_bot @parley_test_bot", False),
        ("/usr/bin is full", "/usr/bin is full", False),
        ("Parley, how are you?", "Parley, how are you?", True),
        ("The PARLEY failed", "The PARLEY failed", True),
        ("They were parleying", "They were parleying", False),
        ("小助手你好", "小助手你好", True),
        ("你好Parley在吗", "你好Parley在吗", True),
    ],
)
def test_in_a_group_it_listens_to_its_name_and_to_commands(
    world: Telegram, written: str, read: str, is_addressed: bool
) -> None:
    message = world.said(written, "Parley", "小助手")
    assert (message.text, message.is_addressed) == (read, is_addressed)
    assert not message.is_private


def test_a_caption_calls_as_a_text_does(world: Telegram) -> None:
    world.ann.sends(world.group, "photo", caption="@parley_test_bot what is this?")
    message = world.last().message
    assert (message.text, message.is_addressed) == ("what is this?", True)


def test_an_answer_to_its_message_is_addressed_and_does_not_quote_it(world: Telegram) -> None:
    own = world.bot_says(world.group, "Tea or coffee?")
    message = world.said("Tea", reply_to=own)
    assert (message.is_addressed, message.reply_to, message.quote) == (True, str(own), "")


def test_an_answer_to_somebody_else_quotes_them(world: Telegram) -> None:
    first = world.ann.says(world.group, "The meeting is at nine")
    message = world.said("@parley_test_bot is that so?", reply_to=first)
    assert (message.reply_to, message.quote) == (str(first.message_id), "The meeting is at nine")


def test_the_part_that_was_selected_is_what_is_quoted(world: Telegram) -> None:
    first = world.ann.says(world.group, "The meeting is at nine")
    message = world.said("@parley_test_bot?", reply_to=first, quote={"text": "at nine", "position": 15})
    assert message.quote == "at nine"


# -- other kinds --------------------------------------------------------------------------------------------


def test_an_edit_says_what_is_said_now_and_two_in_one_second_differ(world: Telegram) -> None:
    message = world.ann.says(world.private, "one")
    world.ann.edits(world.private, message, "two")
    world.ann.edits(world.private, message, "three")
    _, first, second = world.told()
    assert first and second
    assert (first.kind, first.message.text, second.message.text) == (UpdateKind.EDIT, "two", "three")
    assert first.message.id == str(message.message_id)
    assert first.key != second.key


def test_a_reaction_names_the_message_and_the_emoji(world: Telegram) -> None:
    message = world.bot_says(world.private, "Good?")
    world.ann.reacts(world.private, message, "👍")
    world.ann.reacts(world.private, message)
    given, taken = world.told()
    assert given and taken
    assert (given.kind, given.message.id, given.detail) == (UpdateKind.REACTION, str(message), "👍")
    assert taken.detail == ""


def test_a_group_that_becomes_a_supergroup_moves_once(world: Telegram) -> None:
    group = world.server.chat_group("Old", world.ann, kind="group")
    new = world.ann.upgrades(group)
    moved, twin = world.told()
    assert moved and twin is None
    assert (moved.kind, moved.message.address.chat, moved.detail) == (UpdateKind.MOVED, str(group.id), str(new.id))


def test_blocking_and_removal_are_told_and_so_is_coming_back(world: Telegram) -> None:
    world.ann.blocks(world.private)
    world.ann.unblocks(world.private)
    world.ann.sets_bot(world.group, world.bot, "kicked")
    kinds = [update and update.kind for update in world.told()]
    assert kinds == [UpdateKind.GONE, UpdateKind.BACK, UpdateKind.GONE]


def test_a_promotion_is_no_news(world: Telegram) -> None:
    world.ann.sets_bot(world.group, world.bot, "member")
    assert world.told() == [None]


# -- attachments --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        ("photo", "", "image/jpeg"),
        ("voice", "", "audio/ogg"),
        ("audio", "song.mp3", "audio/mpeg"),
        ("video", "film.mp4", "video/mp4"),
        ("video_note", "", "video/mp4"),
        ("animation", "dance.mp4", "video/mp4"),
        ("document", "notes.txt", "text/plain"),
        ("sticker", "👍", "image/webp"),
    ],
)
def test_a_file_is_an_attachment_with_its_caption_as_text(
    world: Telegram, kind: str, name: str, media_type: str
) -> None:
    world.ann.sends(world.private, kind, content=b"12345", caption="Look")
    message = world.last().message
    (attachment,) = message.attachments
    assert message.text == "Look"
    assert (attachment.kind, attachment.name, attachment.media_type, attachment.size_bytes) == (
        kind,
        name,
        media_type,
        5,
    )
    assert attachment.reference in world.server.world.files


@pytest.mark.parametrize(
    ("kind", "attachment"),
    [
        ("location", Attachment("location", "47.37,8.54", "application/geo+json", 0, "")),
        ("venue", Attachment("venue", "Station, Square 1", "application/geo+json", 0, "")),
        ("contact", Attachment("contact", "Carl, +41440000000", "text/vcard", 0, "")),
        ("poll", Attachment("poll", "Tea?", "text/plain", 0, "")),
        ("dice", Attachment("dice", "🎲 4", "text/plain", 0, "")),
        ("story", Attachment("unknown", "story", "application/octet-stream", 0, "")),
        ("hologram", Attachment("unknown", "hologram", "application/octet-stream", 0, "")),
    ],
)
def test_what_is_no_file_is_an_attachment_that_says_so(world: Telegram, kind: str, attachment: Attachment) -> None:
    world.ann.sends(world.private, kind)
    assert world.last().message.attachments == (attachment,)


def test_each_part_of_an_album_is_a_message(world: Telegram) -> None:
    world.ann.sends_album(world.private, ["photo", "photo", "video"], caption="Holidays")
    messages = [update.message for update in world.told() if update]
    assert [message.text for message in messages] == ["Holidays", "", ""]
    assert [message.attachments[0].kind for message in messages] == ["photo", "photo", "video"]
