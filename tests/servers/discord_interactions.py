"""Interactions: commands and pressed buttons on their way to a bot, and the bot's answers to them.

An interaction has to be answered within 3 seconds, once; then its token is good for 15 minutes of follow-ups and edits.
What comes later is refused, and the person reads that the application did not respond. The first follow-up after a
deferred answer takes the deferred one's place, and is as private as that one was.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.discord_checks import ApiError, Form, refused
from tests.servers.discord_forms import (
    EDIT,
    EPHEMERAL,
    LOADING,
    RESPONSE,
    SUPPRESS_EMBEDS,
    WEBHOOK,
    check_message,
    is_empty,
)
from tests.servers.discord_messages import CONTEXT_MENU, DEFAULT, SLASH, Source, post, remove, rewrite, view
from tests.servers.discord_modals import check_modal
from tests.servers.discord_things import Account, BotAccount, Channel, File
from tests.servers.discord_wire import Call
from tests.servers.discord_world import World

Json = dict[str, Any]
ANSWER_SECONDS = 3
TOKEN_SECONDS = 15 * 60
COMMAND, COMPONENT, SUBMITTED = 2, 3, 5
MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, MODAL = 4, 5, 6, 7, 9
NO_ANSWER = "The application did not respond"
KEPT = 1000


@dataclass(slots=True, eq=False)
class Interaction:
    """One of them, and what became of it."""

    id: int
    token: str
    kind: int
    bot: BotAccount
    channel: Channel
    person: Account
    at: float
    data: Json
    message: Json | None = None
    """The message whose button was pressed."""
    answer: int = 0
    """The type of callback that answered it."""
    original: Json | None = None
    """The answer that `@original` means; also the pressed message, where the answer was an update of it."""
    waiting: bool = False
    """Whether the answer was deferred, and nothing has come yet."""
    failed: bool = False
    modal: Json | None = None
    """The form that it was answered with, as long as nobody has sent it."""

    def metadata(self) -> Json:
        """What messages say about the interaction that they answer."""
        owners = {"0": str(self.channel.guild.id if self.channel.guild else self.person.id)}
        about: Json = {"id": str(self.id), "type": self.kind, "user": self.person.wire()}
        about["authorizing_integration_owners"] = owners
        if self.message is not None:
            about["interacted_message_id"] = self.message["id"]
        return about


class Interactions:
    """All interactions of a world, by token."""

    def __init__(self, world: World, *, limit: int | None = KEPT) -> None:
        self.world = world
        self._by_token: dict[str, Interaction] = {}
        self._limit = limit

    def begin(
        self, bot: BotAccount, channel: Channel, person: Account, *, kind: int, data: Json, message: Json | None = None
    ) -> Interaction:
        """A person presses a button or sends a command, and the bot hears of it."""
        world = self.world
        token = f"aW50ZXJhY3Rpb246{secrets.token_urlsafe(48)}"
        made = Interaction(world.snowflake(), token, kind, bot, channel, person, world.now(), data, message)
        self._by_token[token] = made
        if self._limit is not None and len(self._by_token) > self._limit:
            del self._by_token[next(iter(self._by_token))]
        guild_id = channel.guild.id if channel.guild else None
        world.dispatch(bot, "INTERACTION_CREATE", lambda intents: _payload(world, made), guild_id)
        asyncio.get_running_loop().call_later(ANSWER_SECONDS + 0.01, self.tick)
        return made

    def tick(self) -> None:
        """Tell people whose commands and presses have not been answered in time."""
        for each in list(self._by_token.values()):
            age = self.world.now() - each.at
            late = age > (TOKEN_SECONDS if each.answer else ANSWER_SECONDS) and (each.waiting or not each.answer)
            if late and not each.failed:
                each.failed = True
                self.world.screen.note(each.channel, "failed", NO_ANSWER, each.id, only_for=each.person.id)

    def find(self, token: str) -> Interaction | None:
        """The interaction with this token."""
        return self._by_token.get(token)

    def answered(self, application_id: str, token: str) -> Interaction:
        """The interaction that a follow-up or an edit belongs to, or ApiError."""
        found = self.find(token)
        if found is None or application_id != str(found.bot.id) or found.answer == 0:
            raise refused(10015)
        if self.world.now() - found.at > TOKEN_SECONDS:
            raise refused(50027)
        if found.channel.gone:
            raise refused(10003)
        return found


def _payload(world: World, interaction: Interaction) -> Json:
    channel, bot, person = interaction.channel, interaction.bot, interaction.person
    body: Json = {
        "id": str(interaction.id),
        "application_id": str(bot.id),
        "type": interaction.kind,
        "data": interaction.data,
        "token": interaction.token,
        "version": 1,
        "channel_id": str(channel.id),
        "channel": channel.wire(me=bot.id),
        "locale": person.locale,
        "app_permissions": str(world.allowed(bot.id, channel)),
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": interaction.metadata()["authorizing_integration_owners"],
        "attachment_size_limit": world.largest_file,
        "context": 1 if channel.guild is None else 0,
    }
    if interaction.message is not None:
        body["message"] = view(world, interaction.message, bot)
    if channel.guild is None:
        return body | {"user": person.wire()}
    guild = channel.guild
    member = guild.members[person.id].wire() | {"permissions": str(guild.permissions(person.id, channel))}
    about = {"id": str(guild.id), "locale": guild.locale, "features": []}
    return body | {"guild_id": str(guild.id), "guild": about, "guild_locale": guild.locale, "member": member}


# -- the first answer ---------------------------------------------------------------------------------------


def answer(call: Call) -> tuple[int, Any]:
    """POST /interactions/{id}/{token}/callback."""
    interaction = call.interactions.find(call.path["token"])
    if interaction is None or str(interaction.id) != call.path["interaction"]:
        raise refused(10062)
    if interaction.answer:
        raise refused(40060)
    if call.world.now() - interaction.at > ANSWER_SECONDS:
        raise refused(10062)
    if interaction.channel.gone:
        raise refused(10003)
    form = Form(call.body, strict=call.world.strict)
    body = form.fields((), call.body, {"type", "data"}, required=("type",))
    on_message = (DEFERRED_UPDATE, UPDATE) if interaction.message is not None else ()
    opening = () if interaction.kind == SUBMITTED else (MODAL,)
    form.choice(("type",), body.get("type"), (MESSAGE, DEFERRED, *on_message, *opening))
    form.finish()
    _do(call, interaction, body["type"], body.get("data") or {})
    interaction.answer = body["type"]
    if call.query.get("with_response") not in ("1", "true"):
        return 204, None
    return 200, _outcome(call, interaction)


def _do(call: Call, interaction: Interaction, kind: int, data: Json) -> None:
    world = call.world
    if kind == DEFERRED_UPDATE:
        interaction.original = interaction.message
    elif kind == MODAL:
        interaction.modal = check_modal(data, strict=world.strict)
    elif kind == UPDATE:
        message = check_message(data, RESPONSE, files=len(call.files), ephemeral=True, strict=world.strict)
        interaction.original = _edited(call, interaction, _current(interaction, interaction.message), message)
    elif kind == DEFERRED:
        message = check_message(data, RESPONSE, ephemeral=True, strict=world.strict)
        private = (message.get("flags") or 0) & EPHEMERAL
        interaction.original = _posted(call, interaction, {"flags": private | LOADING}, private=bool(private))
        interaction.waiting = True
    else:
        message = check_message(data, RESPONSE, files=len(call.files), ephemeral=True, strict=world.strict)
        interaction.original = _post(call, interaction, message)


def _outcome(call: Call, interaction: Interaction) -> Json:
    """What an answer `with_response` says."""
    original = interaction.original
    about: Json = {"id": str(interaction.id), "type": interaction.kind}
    if original is None:
        return {"interaction": about, "resource": None}
    about |= {
        "response_message_id": original["id"],
        "response_message_loading": interaction.waiting,
        "response_message_ephemeral": original.get("only_for") is not None,
        "channel_id": original["channel_id"],
    }
    resource: Json = {"type": interaction.answer}
    if interaction.answer != DEFERRED_UPDATE:
        resource["message"] = view(call.world, original, interaction.bot)
    return {"interaction": about, "resource": resource}


# -- follow-ups and edits -----------------------------------------------------------------------------------


def follow_up(call: Call) -> tuple[int, Any]:
    """POST /webhooks/{application}/{token}."""
    interaction = call.interactions.answered(call.path["application"], call.path["token"])
    message = check_message(call.body, WEBHOOK, files=len(call.files), ephemeral=True, strict=call.world.strict)
    if interaction.waiting and interaction.original is not None:
        made = _edited(call, interaction, interaction.original, message)
        interaction.original = made
    else:
        made = _post(call, interaction, message)
    return 200, view(call.world, made, interaction.bot)


def get_response(call: Call) -> tuple[int, Any]:
    """GET /webhooks/{application}/{token}/messages/{message}."""
    interaction, message = _named(call)
    return 200, view(call.world, message, interaction.bot)


def edit_response(call: Call) -> tuple[int, Any]:
    """PATCH /webhooks/{application}/{token}/messages/{message}."""
    interaction, message = _named(call)
    body = check_message(call.body, EDIT | {"poll"}, files=len(call.files), ephemeral=True, strict=call.world.strict)
    after = _edited(call, interaction, message, body)
    if interaction.original is not None and interaction.original["id"] == after["id"]:
        interaction.original = after
    return 200, view(call.world, after, interaction.bot)


def delete_response(call: Call) -> tuple[int, Any]:
    """DELETE /webhooks/{application}/{token}/messages/{message}."""
    interaction, message = _named(call)
    remove(call.world, interaction.channel, int(message["id"]))
    if interaction.original is not None and interaction.original["id"] == message["id"]:
        interaction.original, interaction.waiting = None, False
    return 204, None


def _named(call: Call) -> tuple[Interaction, Json]:
    """The interaction and the message of a path."""
    interaction = call.interactions.answered(call.path["application"], call.path["token"])
    if call.path["message"] == "@original":
        return interaction, _current(interaction, interaction.original)
    number = call.id("message")
    channel = interaction.channel
    message = channel.messages.get(number) or channel.private.get(number)
    if message is None or message["author"]["id"] != str(interaction.bot.id):
        raise refused(10008)
    return interaction, message


def _current(interaction: Interaction, message: Json | None) -> Json:
    """A message as it is now, which may have been edited or deleted meanwhile."""
    number = 0 if message is None else int(message["id"])
    channel = interaction.channel
    found = channel.messages.get(number) or channel.private.get(number)
    if found is None:
        raise refused(10008)
    return found


def _post(call: Call, interaction: Interaction, message: Json) -> Json:
    if is_empty(message, files=len(call.files)):
        raise refused(50006)
    check_named_files(call, message)
    flags = message.get("flags") or 0
    fields = written(message) | {"flags": flags}
    return _posted(call, interaction, fields, private=bool(flags & EPHEMERAL), allowed=message.get("allowed_mentions"))


def _posted(call: Call, interaction: Interaction, fields: Json, *, private: bool, allowed: Json | None = None) -> Json:
    channel = interaction.channel
    first = interaction.answer == 0
    kind = DEFAULT
    if first and interaction.kind == COMMAND:
        kind = SLASH if interaction.data.get("type", 1) == 1 else CONTEXT_MENU
    source = Source(interaction.bot.account, interaction.bot, interaction.bot.id, interaction.metadata())
    return post(
        call.world,
        channel,
        source,
        kind=kind,
        files=uploads(call, channel, call.body if first is False else (call.body or {}).get("data")),
        allowed=allowed,
        only_for=interaction.person.id if private else None,
        fields=fields,
    )


def _edited(call: Call, interaction: Interaction, before: Json, body: Json) -> Json:
    fields = written(body)
    channel = interaction.channel
    check_named_files(call, body, before)
    if "attachments" in body or call.files:
        fields["attachments"] = kept_files(before, body) + [file.id for file in uploads(call, channel, body)]
    if is_empty(before | fields):
        raise refused(50006)
    fields["flags"] = edited_flags(before, body) & ~LOADING
    source = Source(interaction.bot.account, interaction.bot, interaction.bot.id, interaction.metadata())
    after = rewrite(call.world, channel, source, before, fields, body.get("allowed_mentions"))
    if interaction.original is not None and interaction.original["id"] == after["id"]:
        interaction.waiting = False
    return after


# -- what all messages have in common -----------------------------------------------------------------------


def written(message: Json) -> Json:
    """Of a message's body, what is seen of it: without white space around it, and nothing instead of null."""
    fields: Json = {}
    if "content" in message:
        fields["content"] = (message["content"] or "").strip()
    for name in ("embeds", "components"):
        if name in message:
            fields[name] = message[name] or []
    return fields


def edited_flags(before: Json, body: Json) -> int:
    """The flags of a message after an edit, which can only hide embeds or show them again."""
    flags: int = before["flags"]
    return flags & ~SUPPRESS_EMBEDS | (body["flags"] or 0) & SUPPRESS_EMBEDS if "flags" in body else flags


def uploads(call: Call, channel: Channel, body: Any) -> list[File]:
    """The files of a request, stored; named as the body says."""
    if sum(len(content) for _, content in call.files.values()) > call.world.largest_file:
        raise refused(40005)
    described: Mapping[str, Json] = {str(each["id"]): each for each in (body or {}).get("attachments") or ()}
    stored: list[File] = []
    for number, (name, content) in call.files.items():
        about = described.get(str(number), {})
        file = call.world.store(channel, about.get("filename") or name, content)
        if about.get("description"):
            file.about = {"description": about["description"]}
        stored.append(file)
    return stored


def kept_files(before: Json, body: Json) -> list[int]:
    """The attachments of a message that an edit keeps: those that its body names, or all where it names none."""
    if body.get("attachments") is None:
        return list(before["attachments"])
    named = {str(each["id"]) for each in body["attachments"]}
    return [each for each in before["attachments"] if str(each) in named]


def check_named_files(call: Call, body: Json, before: Json | None = None) -> None:
    """ApiError where a body names a file that is neither uploaded nor there already."""
    there = {str(number) for number in call.files} | {str(each) for each in (before or {}).get("attachments", ())}
    missing = [place for place, each in enumerate(body.get("attachments") or ()) if str(each["id"]) not in there]
    if missing:
        error = {"code": "ATTACHMENT_NOT_FOUND", "message": "Attachment data not found"}
        raise ApiError(400, 50035, "Invalid Form Body", {"attachments": {str(missing[0]): {"_errors": [error]}}})
