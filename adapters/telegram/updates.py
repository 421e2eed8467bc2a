"""What Telegram tells, in its JSON, as the core knows it. Keeps nothing, and does not care how it arrived.

In a CHOICE, `message.text` is the id of the press, by which it is acknowledged.
"""

import hashlib
import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import telegram

from adapters.calling import is_called, without_call
from bot.channel import Update, UpdateKind
from bot.types import Address, Attachment, Message, Person

logger = logging.getLogger(__name__)
Json = dict[str, Any]
KINDS = ("message", "edited_message", "callback_query", "message_reaction", "my_chat_member")
FILES = {"photo": "image/jpeg", "voice": "audio/ogg", "audio": "audio/mpeg", "sticker": "image/webp"}
FILES |= dict.fromkeys(("video", "video_note", "animation"), "video/mp4")
FILES["document"] = "application/octet-stream"  # at the end: an animation is a document as well
PLACE = "application/geo+json"
WORDS = {"venue": (PLACE, "{title}, {address}"), "location": (PLACE, "{latitude},{longitude}")}
WORDS |= {"contact": ("text/vcard", "{first_name}, {phone_number}"), "poll": ("text/plain", "{question}")}
WORDS["dice"] = ("text/plain", "{emoji} {value}")
UNKNOWN = {"story", "game", "invoice", "paid_media", "live_photo", "checklist", "giveaway"}
KNOWN = {*telegram.Message.__slots__, *telegram.MaybeInaccessibleMessage.__slots__, "from"} - UNKNOWN


@dataclass(frozen=True, slots=True)
class Translator:
    """Reads what one bot is told. `names` are what it listens to in groups, besides its @username."""

    me: telegram.User
    channel: str
    names: tuple[str, ...] = ()

    def translate(self, raw: Json) -> Update | None:
        """What happened; None where it is nothing to the core, or cannot be read."""
        try:
            happened = self._happened(raw)
            return happened and replace(happened, id=str(raw["update_id"]))
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            logger.warning("Telegram tells something that cannot be read: %s", type(error).__name__)
            return None

    def _happened(self, raw: Json) -> Update | None:
        match raw:
            case {"message": {"migrate_to_chat_id": chat} as message}:
                return Update(UpdateKind.MOVED, self._event(message), detail=str(chat))
            case {"message": message} if said := self._said(message):
                return Update(UpdateKind.MESSAGE, said)
            case {"edited_message": message} if said := self._said(message | {"date": message["edit_date"]}):
                # dates are whole seconds, and one may edit twice in that time
                return Update(UpdateKind.EDIT, said, detail=hashlib.sha256(said.text.encode()).hexdigest()[:16])
            case {"callback_query": {"message": under, "from": person, "id": press, "data": data}}:
                event = self._event(under | {"from": person, "date": time.time()})
                return Update(UpdateKind.CHOICE, replace(event, text=press), detail=data)
            case {"message_reaction": {"new_reaction": now} as reaction}:
                event = self._event(reaction | {"from": reaction.get("user") or reaction["actor_chat"]})
                return Update(UpdateKind.REACTION, event, detail=now[-1].get("emoji", now[-1]["type"]) if now else "")
            case {"my_chat_member": change} if (there := _is_there(change, "new")) != _is_there(change, "old"):
                return Update(UpdateKind.BACK if there else UpdateKind.GONE, self._event(change))
        return None

    def _event(self, event: Json) -> Message:
        """Who did something where and when. A group's anonymous administrators speak as the group."""
        chat, who = event["chat"], event.get("sender_chat") or event["from"]
        name = who.get("title") or " ".join(filter(None, (who["first_name"], who.get("last_name"))))
        person = Person(str(who["id"]), name, who.get("language_code", ""), who.get("is_bot", False))
        thread = str(event["message_thread_id"]) if event.get("is_topic_message") else ""
        address = Address(self.channel, str(chat["id"]), str(self.me.id), thread)
        at, message_id = datetime.fromtimestamp(event["date"], UTC), str(event.get("message_id", ""))
        return Message(address, person, "", at, message_id, is_private=chat["type"] == "private")

    def _said(self, message: Json) -> Message | None:
        """None for what nobody said, such as posts of a channel and news about the chat."""
        text, attachment = message.get("text") or message.get("caption") or "", _attachment(message)
        if message.get("is_automatic_forward") or not (text or attachment):
            return None
        replied: Json = message.get("reply_to_message") or {}
        replied = {} if "forum_topic_created" in replied else replied  # the head of the topic, which nobody answers
        is_to_me = replied.get("from", {}).get("id") == self.me.id
        quote = message.get("quote", replied).get("text") or replied.get("caption", "")
        event = self._event(message)
        return replace(
            event,
            text=without_call(text, str(self.me.username)),
            reply_to=str(replied.get("message_id", "")),
            attachments=(attachment,) if attachment else (),
            is_addressed=event.is_private or is_to_me or is_called(text, str(self.me.username), self.names),
            quote="" if is_to_me else quote,
        )


def _is_there(change: Json, when: str) -> bool:
    member = change[f"{when}_chat_member"]
    return member["status"] not in ("left", "kicked") and bool(member.get("is_member", True))


def _attachment(message: Json) -> Attachment | None:
    """One at most: each part of an album is a message of its own."""
    if kind := next((kind for kind in FILES if kind in message), ""):
        file = max(message[kind], key=lambda size: int(size["width"])) if kind == "photo" else message[kind]
        name, media_type = file.get("file_name") or file.get("emoji") or "", file.get("mime_type", FILES[kind])
        return Attachment(kind, name, media_type, file.get("file_size", 0), file["file_id"])
    if kind := next((kind for kind in WORDS if kind in message), ""):
        media_type, words = WORDS[kind]
        return Attachment(kind, words.format(**message[kind]), media_type, 0, "")
    unknown = sorted(set(message) - KNOWN)  # among them is what is newer than the library
    if unknown and "text" not in message:
        return Attachment("unknown", unknown[0], "application/octet-stream", 0, "")
    return None
