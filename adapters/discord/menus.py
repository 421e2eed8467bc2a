"""Discord's menus: the commands that it offers, and what becomes of one that somebody chooses.

The place that is held for an answer is called `@PERSON/TOKEN/MESSAGE`: with a person only where nobody else is to read
it, with a message only where that is not the first one that was sent with the token.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import discord

from adapters.discord.rest import EPHEMERAL, Rest
from adapters.discord.updates import Translator
from bot.channel import CommandInfo, Update, UpdateKind
from bot.errors import ChannelError
from bot.texts import LANGUAGES, Texts

Json = dict[str, Any]
Accept = Callable[[Sequence[Update]], Awaitable[None]]
PRESS, FORM, ON_MESSAGE, PARAGRAPH = 3, 5, 3, 2
HOLD, ASK_BACK = 5, 9
ASK, SUMMARIZE = "discord.ask", "discord.summarize"
SUMMARIZED_MESSAGES, SUMMARIZED_CHARACTERS = 100, 16_000


@dataclass(slots=True)
class Menus:
    """Those of one bot."""

    rest: Rest
    application: str
    holding: dict[str, asyncio.Event] = field(default_factory=dict)
    """Tokens with which a place is just being held."""
    _discreet: frozenset[str] = frozenset()

    async def announce(self, commands: Sequence[CommandInfo], servers: Sequence[str]) -> None:
        """Offer the commands in these servers; where none is named, everywhere."""
        self._discreet = frozenset(command.name for command in commands if command.is_discreet)
        offered = [_offered(command) for command in commands]
        for key in (ASK, SUMMARIZE):
            names = {language: Texts(language).get(key) for language in LANGUAGES}
            offered.append({"type": ON_MESSAGE, **_localized("name", names | {"": names["en"]}), "contexts": [0, 1]})
        for path in [f"/guilds/{server}" for server in servers] or [""]:
            await self.rest.call("PUT", f"/applications/{self.application}{path}/commands", offered)

    async def take(self, raw: Json, translator: Translator, accept: Accept) -> None:
        """Somebody chose something: have it kept, then hold a place for the answer. Asks for what is missing."""
        if raw["type"] == PRESS:
            await accept([*translator.translate("INTERACTION_CREATE", raw)])
            return
        about, event = raw["data"], translator.chosen(raw)
        if about.get("name") == Texts("en").get(ASK):
            [target] = about["resolved"]["messages"].values()
            await self.rest.call(
                "POST", _callback(raw), {"type": ASK_BACK, "data": _form(target, event.person.language)}
            )
            return
        words = await self._words(raw, about, translator)
        person = event.person.id if about.get("name") in self._discreet else ""
        placeholder, held = f"@{person}/{raw['token']}/", asyncio.Event()
        self.holding[placeholder] = held
        try:
            await accept([Update(UpdateKind.MESSAGE, replace(event, **words, placeholder=placeholder), raw["id"])])
            answer = {"type": HOLD, "data": {"flags": EPHEMERAL if person else 0}}
            with suppress(ChannelError):  # too late: then the answer comes as a message
                await self.rest.call("POST", _callback(raw), answer)
        finally:
            held.set()
            del self.holding[placeholder]

    async def _words(self, raw: Json, about: Json, translator: Translator) -> Json:
        """What was asked for by it."""
        if raw["type"] == FORM:
            given = {part["custom_id"]: part["value"] for row in about["components"] for part in row["components"]}
            return {"text": given["question"], "quote": given["quote"], "reply_to": about["custom_id"]}
        if target := about.get("target_id"):
            quote = await self._said_since(raw["channel_id"], int(target), translator)
            return {"text": "/summarize", "quote": quote, "reply_to": target}
        values = [str(option["value"]) for option in about.get("options", ())]
        return {"text": " ".join([f"/{about['name']}", *values])}

    async def _said_since(self, channel: str, message: int, translator: Translator) -> str:
        limits = f"after={message - 1}&limit={SUMMARIZED_MESSAGES}"
        found = await self.rest.call("GET", f"/channels/{channel}/messages?{limits}")
        messages = [translator.gateway.message(each) for each in reversed(found)]
        said = [f"{message.author.display_name}: {message.clean_content}" for message in messages]
        return "\n".join(said)[:SUMMARIZED_CHARACTERS]


def _callback(raw: Json) -> str:
    return f"/interactions/{raw['id']}/{raw['token']}/callback"


def _offered(command: CommandInfo) -> Json:
    offered = {"type": 1, "name": command.name, "contexts": [0, 1], **_localized("description", command.summaries)}
    if command.argument:
        offered["options"] = [{"type": 3, "name": "text", "description": command.argument[:100]}]
    return offered


def _localized(what: str, texts: Any) -> Json:
    """The text, and that of every variety of the languages that there are."""
    spoken = {str(each): each.value.partition("-")[0] for each in discord.Locale}
    told = {locale: texts[language][:100] for locale, language in spoken.items() if language in texts}
    return {what: texts[""][:100], f"{what}_localizations": told}


def _form(target: Json, language: str) -> Json:
    """What asks for a question about a message. What it says goes along, so that nothing has to be kept here."""
    texts = Texts(language)
    question = {"custom_id": "question", "label": texts.get("discord.question"), "max_length": 2000}
    quote = {
        "custom_id": "quote",
        "label": texts.get("discord.about"),
        "value": target["content"][:4000],
        "required": False,
    }
    rows = [{"type": 1, "components": [{"type": 4, "style": PARAGRAPH} | part]} for part in (question, quote)]
    return {"custom_id": target["id"], "title": texts.get(ASK), "components": rows}
