"""The platforms of the crash test: a server that stays, how the program finds it, and where people talk there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

GROUP_SHARE = 0.3
CONFIGURATION = """
[model]
name = "echo"
generator = "echo"
echo_delay_seconds = 0.015

[access]
mode = "open"
messages_per_minute = 0
"""


class Caller(Protocol):
    """The control API of a server."""

    def __call__(self, name: str, /, **fields: Any) -> Awaitable[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where people talk to the bot."""

    id: object
    """By which the server knows it."""
    is_group: bool
    people: tuple[int, ...]
    call: str = ""
    """What a message begins with, to be meant for the bot."""

    @property
    def key(self) -> str:
        """The id as text, fit for names of files."""
        return str(self.id).replace(":", "-")


SLOW_SHARE = 0.3
"""Of calls whose outcome is known late, as over a real network."""
SLOW = {"late_answer": SLOW_SHARE / 2, "delay": SLOW_SHARE / 2}
Gather = Callable[[Caller, int], Awaitable[list[Place]]]


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform."""

    name: str
    server: str
    """The module that is run."""
    adapter: str
    """The class that the named points of the platform are methods of."""
    table: str
    """The channel's table in the configuration; `{url}` is the server."""
    place: str
    """What calls of the control API name a place by."""
    gather: Gather
    """So many people, and as many places; in each group two of them talk."""
    faulty: Mapping[str, Any] = field(default_factory=dict)
    """Which calls go wrong at random, as `faults/random` is told, and how often."""
    lacks: frozenset[str] = frozenset()
    """Named points that are never reached there."""
    updates_waiting: str = ""
    """Where the server tells how many updates nobody has confirmed, if it does."""
    forgets: bool = False
    """Whether it tells something once and no more, so that nobody can know of what was said before the first start."""

    @property
    def configuration(self) -> str:
        """The whole, with `{url}`."""
        return f"{CONFIGURATION}\n[channels.{self.name}]\n{self.table}"


def _groups(chats: int) -> int:
    return round(chats * GROUP_SHARE) if chats > 2 else 0


async def _people(control: Caller, count: int) -> list[int]:
    return [(await control("person", name=f"P{number}"))["person"] for number in range(count)]


# -- Telegram -----------------------------------------------------------------------------------------------

TELEGRAM_TOKEN = "7000001:parley-test-token"


async def _gather_telegram(control: Caller, chats: int) -> list[Place]:
    people = await _people(control, chats)
    bot = (await control("bot"))["username"]
    places = []
    for index, person in enumerate(people):
        if index < _groups(chats):
            members = (person, people[(index + 1) % chats])
            made = await control("group", title=f"Group {index}", people=members)
            places.append(Place(made["chat"], True, members, f"@{bot} "))
        else:
            made = await control("private", person=person)
            places.append(Place(made["chat"], False, (person,)))
    return places


TELEGRAM = Platform(
    name="telegram",
    server="tests.servers.bot_api",
    adapter="adapters.telegram.adapter:TelegramAdapter",
    table=f'token = "{TELEGRAM_TOKEN}"\nbase_url = "{{url}}/bot"\n',
    place="chat",
    gather=_gather_telegram,
    faulty={
        "methods": ["sendMessage", "editMessageText"],
        "rates": SLOW | {"duplicate_update": 0.02, "renumbered_update": 0.02},
    },
    updates_waiting=f"/bot{TELEGRAM_TOKEN}/getWebhookInfo",
)

# -- Discord ------------------------------------------------------------------------------------------------


async def _gather_discord(control: Caller, chats: int) -> list[Place]:
    """All groups are channels of one server."""
    people = await _people(control, chats)
    mention = (await control("bot"))["mention"]
    guild = (await control("guild", name="Crash", owner=people[0], people=people[1:]))["guild"]
    places = []
    for index, person in enumerate(people):
        if index < _groups(chats):
            made = await control("channel", guild=guild, name=f"group-{index}")
            places.append(Place(made["channel"], True, (person, people[(index + 1) % chats]), f"{mention} "))
        else:
            made = await control("dm", person=person)
            places.append(Place(made["channel"], False, (person,)))
    return places


DISCORD = Platform(
    name="discord",
    server="tests.servers.discord_server",
    adapter="adapters.discord.adapter:DiscordAdapter",
    table='token = "parley-test-token"\napi_url = "{url}/api/v10"\ngateway_url = "{websocket}/gateway"\n',
    place="channel",
    gather=_gather_discord,
    faulty={"routes": ["create_message", "edit_message"], "rates": SLOW | {"duplicate_event": 0.02}},
    lacks=frozenset({"platform.preview", "outbox.aim"}),
    forgets=True,
)

PLATFORMS = {platform.name: platform for platform in (TELEGRAM, DISCORD)}
