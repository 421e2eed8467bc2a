"""Every method that the server knows, by its name in lower case, and those that change nothing on the screen."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from tests.servers import bot_api_messages as messages
from tests.servers.bot_api_checks import Arguments, bad
from tests.servers.bot_api_media import MIMES
from tests.servers.bot_api_world import DOWNLOAD_BYTES, BotAccount, World

Json = dict[str, Any]
Method = Callable[[World, BotAccount, Arguments], Any | Awaitable[Any]]
TOAST_CHARACTERS = 200
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


# -- the bot itself -----------------------------------------------------------------------------------------


def get_me(world: World, bot: BotAccount, call: Arguments) -> Json:
    """getMe."""
    return bot.account.wire() | {
        "can_join_groups": True,
        "can_read_all_group_messages": bot.reads_all,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def set_commands(world: World, bot: BotAccount, call: Arguments) -> bool:
    """setMyCommands, for one scope and language."""
    commands = call.nested_list("commands")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "").removeprefix("/")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "").strip()) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    if len(commands) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    bot.commands[_commands_key(call)] = commands
    return True


def get_commands(world: World, bot: BotAccount, call: Arguments) -> list[Json]:
    """getMyCommands: exactly those of the scope and language, no others in their stead."""
    return bot.commands.get(_commands_key(call), [])


def delete_commands(world: World, bot: BotAccount, call: Arguments) -> bool:
    """deleteMyCommands."""
    bot.commands.pop(_commands_key(call), None)
    return True


def _commands_key(call: Arguments) -> tuple[str, str]:
    language = call.text("language_code")
    if language and not re.fullmatch(r"[a-z]{2}", language):
        raise bad("invalid language code specified")
    return json.dumps(call.nested("scope") or {"type": "default"}, sort_keys=True), language


# -- updates ------------------------------------------------------------------------------------------------


async def get_updates(world: World, bot: BotAccount, call: Arguments) -> list[Json]:
    """getUpdates."""
    bot.updates.allow(call.nested("allowed_updates"))
    return await bot.updates.poll(
        offset=call.integer("offset"), limit=call.integer("limit", 100), seconds=max(0, call.integer("timeout"))
    )


def set_webhook(world: World, bot: BotAccount, call: Arguments) -> bool:
    """setWebhook; an empty address removes it."""
    if not call.text("url"):
        return delete_webhook(world, bot, call)
    bot.updates.set_webhook(
        call.text("url"), secret=call.text("secret_token"), max_connections=call.integer("max_connections")
    )
    bot.updates.allow(call.nested("allowed_updates"))
    if call.flag("drop_pending_updates"):
        bot.updates.pending.clear()
    return True


def delete_webhook(world: World, bot: BotAccount, call: Arguments) -> bool:
    """deleteWebhook."""
    bot.updates.webhook = None
    if call.flag("drop_pending_updates"):
        bot.updates.pending.clear()
    return True


def get_webhook_info(world: World, bot: BotAccount, call: Arguments) -> Json:
    """getWebhookInfo."""
    return bot.updates.webhook_info()


# -- chats, files, buttons ----------------------------------------------------------------------------------


def get_chat(world: World, bot: BotAccount, call: Arguments) -> Json:
    """getChat: a ChatFullInfo."""
    chat = world.reachable(bot, call.text("chat_id"))
    return chat.wire() | {
        "accent_color_id": 1,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(
            (
                "unlimited_gifts",
                "limited_gifts",
                "unique_gifts",
                "premium_subscription",
                "gifts_from_channels",
            ),
            False,
        ),
    }


def get_chat_member(world: World, bot: BotAccount, call: Arguments) -> Json:
    """getChatMember, of people and of the bot itself."""
    chat = world.reachable(bot, call.text("chat_id"))
    number = call.integer("user_id")
    account = world.accounts.get(number)
    if account is None:
        raise bad("user not found")
    there = number in chat.people or chat.person is account
    status = chat.bots.get(number, "member" if there else "left")
    return {"user": account.wire(), "status": status}


def leave_chat(world: World, bot: BotAccount, call: Arguments) -> bool:
    """leaveChat."""
    chat = world.reachable(bot, call.text("chat_id"))
    old = chat.bots.get(bot.id, "member")
    chat.bots[bot.id] = "left"
    world.membership(bot, chat, bot.account, old, "left")
    return True


def get_file(world: World, bot: BotAccount, call: Arguments) -> Json:
    """getFile, up to 20 MB."""
    file = world.files.get(call.text("file_id"))
    if file is None:
        raise bad("invalid file_id")
    if file.size > DOWNLOAD_BYTES:
        raise bad("file is too big")
    return file.wire() | {"file_path": file.path}


def answer_query(world: World, bot: BotAccount, call: Arguments) -> bool:
    """answerCallbackQuery: once, and in time."""
    query = bot.queries.get(call.text("callback_query_id"))
    if query is None or query.answer is not None or world.now() - query.at > world.query_seconds:
        raise bad(TOO_OLD)
    if len(call.text("text")) > TOAST_CHARACTERS:
        raise bad("MESSAGE_TOO_LONG")
    query.answer = call.text("text")
    world.screen.toast(query.chat, query.answer, query.message_id)
    return True


METHODS: Mapping[str, Method] = {
    "getme": get_me,
    "setmycommands": set_commands,
    "getmycommands": get_commands,
    "deletemycommands": delete_commands,
    "getupdates": get_updates,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "leavechat": leave_chat,
    "getfile": get_file,
    "answercallbackquery": answer_query,
    "sendmessage": messages.send_message,
    "sendmessagedraft": messages.send_draft,
    "sendchataction": messages.send_chat_action,
    "editmessagetext": messages.edit_text,
    "editmessagecaption": messages.edit_caption,
    "editmessagereplymarkup": messages.edit_markup,
    "deletemessage": messages.delete_message,
    "deletemessages": messages.delete_messages,
    "setmessagereaction": messages.set_reaction,
    **{f"send{kind.replace('_', '')}": partial(messages.send_file, kind) for kind in MIMES},
}
