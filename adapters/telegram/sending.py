"""What goes to Telegram: texts with entities, requests for files; and its errors as ours. Knows nothing of updates."""

import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity, ReplyParameters
from telegram import error as errors
from telegram.request import BaseRequest

from adapters.download import download
from adapters.requesting import NoAnswer, NotSent, RequestMaker
from bot.channel import Budget, Capabilities, Content, Format, PreviewStyle, in_rows, in_utf16
from bot.errors import AccountRefused, ChannelError, Gone, Moved, OutcomeUnknown, RateLimited, Rejected, Unreachable
from bot.types import Attachment

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
LIMITS: dict[str, Any] = {"account_budget": Budget(30, 30), "private_budget": Budget(1, 3)}
LIMITS |= {"longest": 4096, "utf16": True, "group_budget": Budget(20 / 60, 5)}
ABILITIES: dict[str, Any] = dict.fromkeys(("can_edit", "can_delete", "can_type", "can_choose", "can_send_files"), True)
ABILITIES |= {"private_preview": PreviewStyle.DRAFT, "group_preview": PreviewStyle.EDIT}
CAPABILITIES = Capabilities(Format.SPANS, **LIMITS, **ABILITIES)
ENTITIES = {kind: kind for kind in ("bold", "italic", "strikethrough", "code", "pre", "spoiler")}
ENTITIES |= {"link": "text_link", "quote": "blockquote"}
LINK = re.compile("(https?|tg|mailto):", re.IGNORECASE)
GONE = re.compile("forbidden|chat not found|group chat was deactivated|peer_id_invalid", re.IGNORECASE)


class _Request(RequestMaker, BaseRequest):
    """How the library makes its requests; its own way takes three times as long."""


def new_bot(token: str, base_url: str, base_file_url: str, proxy: str | None) -> Bot:
    """The library's bot, not connected yet."""
    os.environ.setdefault("PTB_TIMEDELTA", "true")  # else the library warns of its own fields
    logging.getLogger("telegram.request.BaseRequest").setLevel(logging.CRITICAL)  # it logs what people wrote
    request = _Request(proxy)
    return Bot(token, base_url, base_file_url or re.sub("/bot$", "/file/bot", base_url), request, request)


def shown(content: Content, *, answers: bool = False) -> dict[str, Any]:
    """The arguments that say how a message looks and, where that is wanted, what it `answers` if that still exists."""
    rows = [[InlineKeyboardButton(text, callback_data=data) for text, data in row] for row in in_rows(content)]
    marks, preview = entities(content), LinkPreviewOptions(is_disabled=True)
    arguments: dict[str, Any] = {"text": content.text, "entities": marks, "link_preview_options": preview}
    if file := content.file:
        arguments = {"document": file.text.encode("utf-8", "replace"), "filename": file.name}
        arguments |= {"caption": content.text, "caption_entities": marks}
    if answers and content.reply_to:
        arguments["reply_parameters"] = ReplyParameters(int(content.reply_to), allow_sending_without_reply=True)
    return arguments | {"reply_markup": InlineKeyboardMarkup(rows) if rows else None}


def entities(content: Content) -> list[MessageEntity]:
    """The spans in UTF-16 units; links to what Telegram does not open are left out."""
    found = []
    for span in in_utf16(content):
        if span.end > span.start and (span.kind != "link" or LINK.match(span.value)):
            url, language = (span.value or None if span.kind == kind else None for kind in ("link", "pre"))
            kind, length = ENTITIES[span.kind], span.end - span.start
            found.append(MessageEntity(kind, span.start, length, url=url, language=language))
    return found[:100]  # more are ignored


async def fetch(bot: Bot, attachment: Attachment, longest_bytes: int, proxy: str | None) -> AsyncIterator[bytes]:
    """The file's content."""
    with told():
        url = str((await bot.get_file(attachment.reference)).file_path)
    limits: dict[str, Any] = {"longest_bytes": longest_bytes, "too_big": "telegram.file_too_big"}
    async for chunk in download(url, attachment.size_bytes, proxy=proxy, **limits):
        yield chunk


@contextmanager
def told(*harmless: str) -> Iterator[None]:
    """Raise the library's errors as ours; a refusal with one of the `harmless` words is none."""
    try:
        yield
    except errors.TelegramError as error:
        if not (isinstance(error, errors.BadRequest) and any(words in str(error).lower() for words in harmless)):
            raise _ours(error) from None


def _ours(error: errors.TelegramError) -> ChannelError:
    cause = error.__cause__
    reason = str(cause if isinstance(cause, NoAnswer) else error).partition(". Parsing the server")[0][:200]  # a page
    match error:
        case errors.RetryAfter(retry_after=wait):
            return RateLimited(reason, retry_after=wait.total_seconds() if isinstance(wait, timedelta) else float(wait))
        case errors.ChatMigrated():
            return Moved(reason, chat=str(error.new_chat_id))
        case errors.InvalidToken() | errors.EndPointNotFound():  # their own sentence may quote the token
            return AccountRefused(str(cause or error), key="telegram.token_refused")
        case errors.BadRequest() if "file is too big" in reason.lower():
            return Rejected(reason, key="telegram.file_too_big")
        case errors.Forbidden() | errors.BadRequest():
            return Gone(reason) if GONE.search(reason) else Rejected(reason)
        case errors.Conflict():
            return Unreachable(reason, key="telegram.conflict")
    if isinstance(cause, UnicodeEncodeError):
        return Rejected(reason)
    if "too many requests" in reason.lower():  # without a time to wait
        return RateLimited(reason, retry_after=1.0)
    return (Unreachable if isinstance(cause, NotSent) else OutcomeUnknown)(reason, key="telegram.unreachable")
