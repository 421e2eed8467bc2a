"""What goes to Discord: messages, what its menus offer, requests for files; and its refusals as our errors."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import discord

from adapters.download import download
from adapters.json_requests import JsonRequests
from adapters.menus import localized
from bot.channel import Budget, Capabilities, CommandInfo, Content, Format, PreviewStyle, in_rows
from bot.errors import ChannelError, Gone, NotPermitted, Rejected
from bot.texts import LANGUAGES, Texts
from bot.types import Attachment

Json = dict[str, Any]
# https://discord.com/developers/docs/topics/rate-limits, and what channels are known to take
LIMITS: dict[str, Any] = {"account_budget": Budget(45, 4), "longest": 2000, "key_seconds": 120.0}
LIMITS |= dict.fromkeys(("private_budget", "group_budget"), Budget(1, 5))
ABILITIES: dict[str, Any] = dict.fromkeys(("can_edit", "can_delete", "can_type", "can_choose", "can_send_files"), True)
ABILITIES |= dict.fromkeys(("private_preview", "group_preview"), PreviewStyle.EDIT)
CAPABILITIES = Capabilities(Format.MARKDOWN, **LIMITS, **ABILITIES)
# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
GONE = {10003, 10004, 10013, 50007}  # channel, server, user; a person who takes no direct messages
OVER = {10008, 10015, 10062, 40060, 50027}  # message, webhook, interaction; answered already; token
MISSING = {50001: "view_channel", 50013: "send_messages", 160002: "read_message_history"}
NO_EMBEDS, EPHEMERAL = 1 << 2, 1 << 6
MENTION = re.compile(r"@(?=everyone|here)|<(?=@[!&]?\d+>|#\d+>|id:)", re.IGNORECASE)
ASK, SUMMARIZE = "discord.ask", "discord.summarize"
USER_AGENT = "DiscordBot (https://github.com/Rapptz/discord.py, 2)"


class Rest(JsonRequests):
    """One bot's requests. `name` tells what people call a channel."""

    def __init__(self, api_url: str, token: str, proxy: str | None, name: Callable[[str], str]) -> None:
        headers = {"Authorization": f"Bot {token}", "User-Agent": USER_AGENT}
        super().__init__(api_url, headers, proxy=proxy, texts="discord")
        self.proxy, self._name = proxy, name

    def refusal(self, code: int, reason: str, path: str) -> ChannelError:
        if code in MISSING and (channel := re.match(r"/channels/(\d+)", path)):
            return NotPermitted(reason, permission=MISSING[code], place=self._name(channel[1]))
        if code == 40005:
            return Rejected(reason, key="discord.file_too_big")
        return (Gone if code in GONE else Rejected)(reason)

    async def fetch(self, attachment: Attachment, longest_bytes: int) -> AsyncIterator[bytes]:
        """The content of a file. Addresses expire, so the message is asked for a fresh one."""
        path, _, number = attachment.reference.rpartition("/")
        raw = await self.call("GET", path)
        parts = (raw, *(each["message"] for each in raw.get("message_snapshots", ())))
        urls = [file["url"] for part in parts for file in part["attachments"] if file["id"] == number]
        if not urls:
            raise Rejected("the file is no longer there")
        limits: dict[str, Any] = {"longest_bytes": longest_bytes, "too_big": "discord.file_too_big"}
        async for chunk in download(urls[0], attachment.size_bytes, proxy=self.proxy, **limits):
            yield chunk


def shown(content: Content, *, flags: int = 0) -> Json:
    """How a message looks: it mentions nobody, and nothing in it looks as if it did."""
    text = MENTION.sub(lambda match: "＠" if match[0] == "@" else "‹", content.text).encode("utf-8", "replace").decode()
    button = {"type": 2, "style": 2}
    rows = [[button | {"label": label, "custom_id": data} for label, data in row] for row in in_rows(content)]
    components = [{"type": 1, "components": row} for row in rows]
    return {"content": text, "allowed_mentions": {"parse": []}, "components": components, "flags": NO_EMBEDS | flags}


def offered(commands: Sequence[CommandInfo]) -> list[Json]:
    """The commands as menus offer them, in servers and in private; and those for a message."""
    offers, locales = list[Json](), [locale.value for locale in discord.Locale]
    for each in commands:
        option = {"type": 3, "name": "text", "description": each.argument[:100]}
        offer = {"type": 1, "name": each.name, "options": [option] if each.argument else []}
        offers.append(offer | localized("description", each.summaries, locales))
    for key in (ASK, SUMMARIZE):
        names = {language: Texts(language).get(key) for language in LANGUAGES}
        offers.append({"type": 3} | localized("name", names | {"": names["en"]}, locales))
    return [offer | {"contexts": [0, 1]} for offer in offers]


def form(target: Json, texts: Texts) -> Json:
    """What asks for a question about a message. What that says goes along, so that nothing has to be kept here."""
    question = {"custom_id": "question", "label": texts.get("discord.question"), "max_length": 2000}
    quote = {"custom_id": "quote", "label": texts.get("discord.about"), "value": target["content"], "required": False}
    rows = [{"type": 1, "components": [{"type": 4, "style": 2} | field]} for field in (question, quote)]
    return {"custom_id": target["id"], "title": texts.get(ASK), "components": rows}
