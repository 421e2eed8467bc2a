"""Requests to Discord's REST API, and its refusals as our errors; how a message looks in them."""

import re
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from adapters.download import download
from adapters.json_requests import JsonRequests
from adapters.requesting import Answer
from bot.channel import Budget, Capabilities, Content, Format, PreviewStyle, TextFile, in_rows
from bot.errors import AccountRefused, ChannelError, Gone, NotPermitted, OutcomeUnknown, RateLimited, Rejected
from bot.types import Attachment

Json = dict[str, Any]
Missing = Callable[[str], tuple[str, str]]
"""Which permission is missing in a channel, and what the channel is called."""

# https://discord.com/developers/docs/topics/rate-limits, and what channels are known to take
LIMITS: dict[str, Any] = {"account_budget": Budget(40, 40), "longest": 2000, "key_seconds": 120.0}
LIMITS |= dict.fromkeys(("private_budget", "group_budget"), Budget(1, 5))
ABILITIES: dict[str, Any] = dict.fromkeys(("can_edit", "can_delete", "can_type", "can_choose", "can_send_files"), True)
ABILITIES |= dict.fromkeys(("private_preview", "group_preview"), PreviewStyle.EDIT)
CAPABILITIES = Capabilities(Format.MARKDOWN, **LIMITS, **ABILITIES)
LIMITED_SECONDS = 5.0
"""To wait where nothing says how long."""
# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
GONE = {10003, 10004, 10013, 50007}  # channel, server, user; a person who takes no direct messages
NOT_PERMITTED = {50001, 50013, 160002}
OVER = {10008, 10015, 10062, 40060, 50027}  # message, webhook, interaction; answered already; token
TEXTS = {40005: "discord.file_too_big"}
NO_EMBEDS, EPHEMERAL = 1 << 2, 1 << 6
USER_AGENT = "DiscordBot (https://github.com/Rapptz/discord.py, 2)"
MENTION = re.compile(r"@(?=everyone|here)|<(?=@[!&]?\d+>|#\d+>|id:)", re.IGNORECASE)


class Rest(JsonRequests):
    """One bot's requests."""

    def __init__(self, api_url: str, token: str, proxy: str | None) -> None:
        headers = {"Authorization": f"Bot {token}", "User-Agent": USER_AGENT}
        super().__init__(api_url, headers, proxy=proxy, unreachable="discord.unreachable")
        self.proxy = proxy
        self.missing: Missing = lambda channel: ("send_messages", channel)

    async def call(
        self, method: str, path: str, body: Any = None, *, file: TextFile | None = None, harmless: Collection[int] = ()
    ) -> Any:
        """What Discord answers; None for a refusal with a `harmless` code. Raises as `bot.channel.Adapter` says."""
        if file:
            body = body | {"attachments": [{"id": 0, "filename": file.name}]}
        answer, told = await self.request(method, path, body, file)
        if answer.status < 300:
            return told
        told = told if isinstance(told, dict) else {}
        if told.get("code") not in harmless:
            raise self._refusal(answer, told, path)
        return None

    def _refusal(self, answer: Answer, told: Json, path: str) -> ChannelError:
        status, code = answer.status, told.get("code", 0)
        reason = f"{told.get('message', 'refused')} ({status}, {code})"[:200]
        if status == 429:
            wait = told.get("retry_after") or answer.headers.get("Retry-After") or LIMITED_SECONDS
            return RateLimited(reason, retry_after=float(wait), everywhere=told.get("global", True))
        if status >= 500:
            return OutcomeUnknown(reason, key="discord.unreachable")
        if status == 401 and not code:
            return AccountRefused(reason, key="discord.token_refused")
        if code in NOT_PERMITTED and (channel := re.search(r"/channels/(\d+)", path)):
            permission, place = self.missing(channel[1])
            return NotPermitted(reason, permission=permission, place=place)
        return Gone(reason) if code in GONE else Rejected(reason, key=TEXTS.get(code, "errors.channel"))

    async def fetch(self, attachment: Attachment, longest_bytes: int) -> AsyncIterator[bytes]:
        """The content of a file. Addresses expire, so the message is asked for a fresh one."""
        channel, message, number = attachment.reference.split("/")
        raw = await self.call("GET", f"/channels/{channel}/messages/{message}")
        parts = (raw, *(each["message"] for each in raw.get("message_snapshots") or ()))
        files = {each["id"]: each["url"] for part in parts for each in part["attachments"]}
        if number not in files:
            raise Rejected("the file is no longer there")
        limits: dict[str, Any] = {"longest_bytes": longest_bytes, "too_big": "discord.file_too_big"}
        async for chunk in download(files[number], attachment.size_bytes, proxy=self.proxy, **limits):
            yield chunk


def shown(content: Content, *, flags: int = 0) -> Json:
    """How a message looks: it mentions nobody, and nothing in it looks as if it did."""
    text = MENTION.sub(lambda match: "＠" if match[0] == "@" else "‹", content.text)
    rows = [
        [{"type": 2, "style": 2, "label": label, "custom_id": data} for label, data in row] for row in in_rows(content)
    ]
    return {
        "content": text.encode("utf-8", "replace").decode(),
        "allowed_mentions": {"parse": []},
        "components": [{"type": 1, "components": row} for row in rows],
        "flags": NO_EMBEDS | flags,
    }
