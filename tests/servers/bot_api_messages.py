"""The methods with which a bot changes what people see: send, edit, delete, preview, react."""

from __future__ import annotations

from typing import Any

from tests.servers.bot_api_checks import ApiError, Arguments, accept_draft, accept_markup, accept_text, bad
from tests.servers.bot_api_media import MIMES, file_content
from tests.servers.bot_api_world import UPLOAD_BYTES, BotAccount, Chat, File, World

Json = dict[str, Any]
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
CONTENT = ("text", "entities", "caption", "caption_entities", "reply_markup")
DELETABLE_SECONDS = 48 * 3600
ACTIONS = frozenset(
    {"typing", "choose_sticker", "find_location", "upload_photo", "upload_document"}
    | {f"{act}_{what}" for act in ("record", "upload") for what in ("video", "voice", "video_note")}
)
_EMOJI = """
👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭
💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝
✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
EMOJI = frozenset(_EMOJI.split())
"""What a bot may react with."""


# -- sending ------------------------------------------------------------------------------------------------


def send_message(world: World, bot: BotAccount, call: Arguments) -> Json:
    """sendMessage."""
    chat = world.reachable(bot, call.text("chat_id"))
    return _send(world, bot, chat, call, _words(world, call, "text"))


def send_file(kind: str, world: World, bot: BotAccount, call: Arguments) -> Json:
    """sendPhoto, sendVoice, sendDocument and their like."""
    chat = world.reachable(bot, call.text("chat_id"))
    content = file_content(kind, _upload(world, call, kind))
    return _send(world, bot, chat, call, content | _words(world, call, "caption"))


def _send(world: World, bot: BotAccount, chat: Chat, call: Arguments, content: Json) -> Json:
    content |= _topic(chat, call)
    reply_to = _reply_to(chat, call)
    if markup := accept_markup(call.nested("reply_markup")):
        content["reply_markup"] = markup
    sender = None if chat.type == "channel" else bot.account
    return world.post(chat, sender, content, reply_to=reply_to, bot=bot.id)


def _words(world: World, call: Arguments, field: str) -> Json:
    """The text or caption and its entities, checked; what is empty is left out."""
    if call.text("parse_mode"):
        world.counted["parse_mode"] += 1
    marks = "entities" if field == "text" else "caption_entities"
    text, entities = accept_text(
        call.text(field), call.nested_list(marks), caption=field == "caption", strict=world.strict
    )
    return ({field: text} if text else {}) | ({marks: entities} if entities else {})


def _topic(chat: Chat, call: Arguments) -> Json:
    topic = call.integer("message_thread_id")
    if not topic:
        return {}
    if topic not in chat.topics:
        raise bad("message thread not found")
    return {"message_thread_id": topic, "is_topic_message": True}


def _reply_to(chat: Chat, call: Arguments) -> int | None:
    wanted = call.nested("reply_parameters") or {"message_id": call.integer("reply_to_message_id")}
    if not isinstance(wanted, dict) or type(wanted.get("message_id")) is not int:
        raise bad('can\'t parse reply parameters: field "message_id" must be of type Number')
    number: int = wanted["message_id"]
    if not number or number in chat.messages:
        return number or None
    if wanted.get("allow_sending_without_reply") or call.flag("allow_sending_without_reply"):
        return None
    raise bad("message to be replied not found")


def _upload(world: World, call: Arguments, kind: str) -> File:
    named = call.text(kind)
    upload = call.files.get(named.removeprefix("attach://") if named.startswith("attach://") else kind)
    if upload is None:
        if named in world.files:
            return world.files[named]
        raise bad(f"there is no {kind} in the request" if not named else "wrong remote file identifier specified")
    name, content = upload
    if not content:
        raise bad("file must be non-empty")
    if len(content) > UPLOAD_BYTES:
        raise ApiError(413, "Request Entity Too Large")
    return world.store(content, name=name or MIMES[kind][0], mime=MIMES[kind][1])


def send_draft(world: World, bot: BotAccount, call: Arguments) -> bool:
    """sendMessageDraft: private chats only."""
    chat = world.reachable(bot, call.text("chat_id"))
    if chat.group:
        raise bad("TEXTDRAFT_PEER_INVALID")
    draft_id = call.integer("draft_id")
    if not draft_id:
        raise bad("draft_id must be non-zero")
    if call.text("parse_mode"):
        world.counted["parse_mode"] += 1
    text, entities = accept_draft(call.text("text"), call.nested_list("entities"), strict=world.strict)
    topic = _topic(chat, call).get("message_thread_id")
    world.screen.draft(chat, draft_id, text, entities, topic)
    return True


def send_chat_action(world: World, bot: BotAccount, call: Arguments) -> bool:
    """sendChatAction."""
    chat = world.reachable(bot, call.text("chat_id"))
    action = call.text("action")
    if action not in ACTIONS:
        raise bad("wrong parameter action in request")
    world.screen.act(chat, action, _topic(chat, call).get("message_thread_id"))
    return True


# -- changing -----------------------------------------------------------------------------------------------


def edit_text(world: World, bot: BotAccount, call: Arguments) -> Json:
    """editMessageText."""
    chat, before = _editable(world, bot, call)
    if "text" not in before:
        raise bad("there is no text in the message to edit")
    return _edit(world, chat, before, call, _words(world, call, "text"), ("text", "entities", "reply_markup"))


def edit_caption(world: World, bot: BotAccount, call: Arguments) -> Json:
    """editMessageCaption."""
    chat, before = _editable(world, bot, call)
    if "text" in before:
        raise bad("there is no caption in the message to edit")
    dropped = ("caption", "caption_entities", "reply_markup")
    return _edit(world, chat, before, call, _words(world, call, "caption"), dropped)


def edit_markup(world: World, bot: BotAccount, call: Arguments) -> Json:
    """editMessageReplyMarkup."""
    chat, before = _editable(world, bot, call)
    return _edit(world, chat, before, call, {}, ("reply_markup",))


def _editable(world: World, bot: BotAccount, call: Arguments) -> tuple[Chat, Json]:
    chat = world.reachable(bot, call.text("chat_id"))
    message = chat.messages.get(call.integer("message_id"))
    if message is None:
        raise bad("message to edit not found")
    if chat.type != "channel" and message.get("from", {}).get("id") != bot.id:
        raise bad("message can't be edited")
    return chat, message


def _edit(world: World, chat: Chat, before: Json, call: Arguments, words: Json, dropped: tuple[str, ...]) -> Json:
    """The message with `words` instead of the fields `dropped`, and the markup that came along."""
    after = {key: value for key, value in before.items() if key not in dropped} | words
    if markup := accept_markup(call.nested("reply_markup")):
        after["reply_markup"] = markup
    if all(after.get(name) == before.get(name) for name in CONTENT):
        raise bad(NOT_MODIFIED)
    after["edit_date"] = int(world.now())
    world.replace(chat, after)
    return after


def delete_message(world: World, bot: BotAccount, call: Arguments) -> bool:
    """deleteMessage."""
    chat = world.reachable(bot, call.text("chat_id"))
    number = call.integer("message_id")
    message = chat.messages.get(number)
    if message is None:
        raise bad("message to delete not found")
    own = message.get("from", {}).get("id") == bot.id
    if chat.group and chat.bots[bot.id] != "administrator" and not own:
        raise bad("message can't be deleted")
    if world.now() - message["date"] > DELETABLE_SECONDS and not (chat.group and chat.bots[bot.id] == "administrator"):
        raise bad("message can't be deleted for everyone")
    world.delete(chat, number)
    return True


def delete_messages(world: World, bot: BotAccount, call: Arguments) -> bool:
    """deleteMessages: what cannot be found is passed over."""
    chat = world.reachable(bot, call.text("chat_id"))
    for number in call.nested_list("message_ids"):
        if number in chat.messages:
            delete_message(world, bot, Arguments({"chat_id": call.text("chat_id"), "message_id": number}))
    return True


def set_reaction(world: World, bot: BotAccount, call: Arguments) -> bool:
    """setMessageReaction: one reaction at most."""
    chat = world.reachable(bot, call.text("chat_id"))
    number = call.integer("message_id")
    if number not in chat.messages:
        raise bad("message to react not found")
    emoji = tuple(each.get("emoji", "") for each in call.nested_list("reaction") if isinstance(each, dict))
    if any(each not in EMOJI for each in emoji):
        raise bad("REACTION_INVALID")
    if len(emoji) > 1:
        raise bad("REACTIONS_TOO_MANY")
    world.screen.react(chat, number, bot.id, emoji)
    return True
