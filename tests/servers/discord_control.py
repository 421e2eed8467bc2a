"""The control API of a Discord server in a process of its own; see control for how it is called.

People, guilds, channels and messages go by their id, as numbers. With `Remote` a test writes

    remote = Remote("http://127.0.0.1:8082")
    ann = remote("person", name="Ann")["person"]
    guild = remote("guild", name="Friends", owner=ann)["guild"]
    general = remote("channel", guild=guild, name="general")["channel"]
    remote("connected", seconds=20)
    remote("say", person=ann, channel=general, text="Hello")
    remote("wait", channel=general, contains="Hello, Ann", seconds=20)
    remote("screen", channel=general, person=ann)["messages"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.servers.control import ControlError, Remote
from tests.servers.discord_faults import EventFault, fault_from_json
from tests.servers.discord_people import Person, Upload
from tests.servers.discord_permissions import BY_NAME
from tests.servers.discord_things import BotAccount, Channel, Guild

if TYPE_CHECKING:
    from tests.servers.discord_server import DiscordServer

__all__ = ["Control", "Remote"]

Json = dict[str, Any]


class Control:
    """What can be asked of `server` over HTTP."""

    def __init__(self, server: DiscordServer) -> None:
        self._server = server

    # who is there

    def bot(self, *, token: str = "", name: str = "Parley") -> Json:
        """The first bot, or one of this token."""
        bot = self._server.bot(token, name)
        server = self._server
        about = {"token": bot.token, "id": bot.id, "mention": f"<@{bot.id}>"}
        return about | {"api_url": server.api_url, "gateway_url": server.gateway_url}

    def person(self, *, name: str = "Ann", locale: str = "en-US", bot: bool = False) -> Json:
        """Somebody new."""
        return {"person": self._server.person(name, locale=locale, bot=bot).id}

    def guild(self, *, name: str, owner: int, people: Sequence[int] = ()) -> Json:
        """A guild with the first bot in it."""
        members = [self._person(each) for each in people]
        return {"guild": self._server.guild(name, self._person(owner), *members).id}

    def channel(self, *, guild: int, name: str) -> Json:
        """A channel of a guild."""
        return {"channel": self._server.channel(self._guild(guild), name).id}

    def dm(self, *, person: int, token: str = "", opened: bool = True) -> Json:
        """The direct conversation of a person and a bot."""
        return {"channel": self._server.dm(self._person(person), bot=self._bot(token), opened=opened).id}

    # what people do

    def say(
        self,
        *,
        person: int,
        channel: int,
        text: str,
        reply_to: int | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Json:
        """Write a message, with files of these names and texts."""
        sent = [Upload(name, content.encode()) for name, content in (files or {}).items()]
        shown = self._person(person).says(self._channel(channel), text, *sent, reply_to=reply_to)
        return {"message_id": shown.message_id}

    def edit(self, *, person: int, channel: int, message_id: int, text: str) -> None:
        """Change a message."""
        self._person(person).edits(self._channel(channel), message_id, text)

    def delete(self, *, person: int, channel: int, message_ids: Sequence[int]) -> None:
        """Delete messages."""
        self._person(person).deletes(self._channel(channel), *message_ids)

    def react(self, *, person: int, channel: int, message_id: int, emoji: str, there: bool = True) -> None:
        """React to a message, or take that back."""
        somebody, where = self._person(person), self._channel(channel)
        (somebody.reacts if there else somebody.unreacts)(where, message_id, emoji)

    def click(self, *, person: int, channel: int, message_id: int, button: str) -> Json:
        """Press a button."""
        return {"interaction": self._person(person).clicks(self._channel(channel), message_id, button).id}

    def use(self, *, person: int, channel: int, command: str, options: Mapping[str, Any] | None = None) -> Json:
        """Send a slash command."""
        return {"interaction": self._person(person).uses(self._channel(channel), command, **(options or {})).id}

    def use_on(self, *, person: int, channel: int, message_id: int, command: str) -> Json:
        """Choose a command from a message's context menu."""
        return {"interaction": self._person(person).uses_on(self._channel(channel), message_id, command).id}

    def thread(self, *, person: int, channel: int, name: str, message_id: int | None = None) -> Json:
        """Start a thread."""
        return {"channel": self._person(person).opens_thread(self._channel(channel), name, message=message_id).id}

    def allow(
        self, *, person: int, channel: int, allow: Sequence[str] = (), deny: Sequence[str] = (), bot: bool = False
    ) -> None:
        """Change what everyone, or the first bot, may do in a channel, by names of permissions."""
        where = self._channel(channel)
        whom = self._server.bot().account if bot else where.guild
        assert whom is not None
        bits = [sum(BY_NAME[name] for name in names) for names in (allow, deny)]
        self._person(person).allows(where, whom, allow=bits[0], deny=bits[1])

    def kick(self, *, person: int, guild: int, token: str = "") -> None:
        """Throw a bot out of a guild."""
        self._person(person).kicks(self._guild(guild), self._bot(token).account)

    def invite(self, *, person: int, guild: int, token: str = "") -> None:
        """Bring a bot into a guild."""
        self._person(person).invites(self._guild(guild), self._bot(token).account)

    def delete_channel(self, *, person: int, channel: int) -> None:
        """Delete a channel or a thread."""
        self._person(person).deletes_channel(self._channel(channel))

    def close_dms(self, *, person: int, closed: bool = True) -> None:
        """Take no direct messages from bots any more, or take them again."""
        self._person(person).closes_dms(closed=closed)

    # what is seen

    def screen(self, *, channel: int, person: int | None = None, deleted: bool = False) -> Json:
        """Everything that is on a channel's screen, as one person sees it."""
        screen, where = self._server.screen, self._channel(channel)
        somebody = None if person is None else self._person(person)
        return {
            "messages": [asdict(each) for each in screen(where, person=somebody, deleted=deleted)],
            "typing": screen.typing(where),
            "text": screen.text(where, person=somebody),
        }

    def history(self, *, channel: int, what: str = "") -> Json:
        """Every change of a channel's screen."""
        return {"events": [asdict(each) for each in self._server.screen.history(self._channel(channel), what)]}

    async def wait(
        self, *, channel: int, person: int | None = None, contains: str = "", messages: int = 1, seconds: float = 10
    ) -> Json:
        """Until bots have so many messages in the channel that contain a text; what they are."""
        where = self._channel(channel)
        somebody = None if person is None else self._person(person)

        def found() -> list[str]:
            texts = [text for text in self._server.screen.from_bots(where, person=somebody) if contains in text]
            return texts if len(texts) >= messages else []

        try:
            return {"texts": await self._server.wait_until(found, seconds=seconds)}
        except TimeoutError:
            seen = self._server.screen.text(where, person=somebody)
            raise ControlError(408, f"nothing of the kind within {seconds} s:\n{seen}") from None

    async def connected(self, *, sessions: int = 1, seconds: float = 10) -> None:
        """Until so many connections have a session."""
        try:
            await self._server.wait_until(lambda: self._server.gateway.connected() >= sessions, seconds=seconds)
        except TimeoutError:
            raise ControlError(408, f"no bot came within {seconds} s") from None

    def statistics(self) -> Json:
        """What the server counted."""
        return asdict(self._server.statistics())

    # what goes wrong

    def faults(self, *, route: str, faults: Sequence[Mapping[str, Any] | None], always: bool = False) -> None:
        """Script faults: `{"kind": "drop", "after_execution": true}` and the like; null lets a call pass."""
        made = [None if each is None else fault_from_json(each) for each in faults]
        if always and made[0]:
            self._server.faults.always(route, made[0])
        else:
            self._server.faults.next(route, *made)

    def faults_events(self, *, faults: Sequence[str | None]) -> None:
        """Script faults of the next events, by the values of EventFault; at /control/faults/events."""
        self._server.faults.next_event(*(EventFault(each) if each else None for each in faults))

    def faults_random(self, *, seed: int, rates: Mapping[str, float], routes: Sequence[str] | None = None) -> None:
        """Faults at random; at /control/faults/random."""
        self._server.faults.random(seed=seed, rates=rates, methods=routes)

    def faults_clear(self) -> None:
        """No more faults; at /control/faults/clear."""
        self._server.faults.clear()

    def gateway(
        self, *, act: str, code: int = 4000, resumable: bool = True, connects: int = 1, silent: bool = True
    ) -> None:
        """What befalls connections: close, abort, reconnect, invalidate, refuse or silence."""
        gateway = self._server.gateway
        match act:
            case "close":
                gateway.close(code)
            case "abort":
                gateway.abort()
            case "reconnect":
                gateway.reconnect()
            case "invalidate":
                gateway.invalidate(resumable=resumable)
            case "refuse":
                gateway.refuse(connects)
            case "silence":
                gateway.silent = silent
            case _:
                raise ValueError(f"no act {act!r} of the gateway")

    def outage(self, *, guild: int, over: bool = False) -> None:
        """A guild is down, or comes back."""
        self._server.outage(self._guild(guild), over=over)

    def malformed(self, *, person: int, channel: int, names: Sequence[str] = ()) -> None:
        """Send malformed events."""
        self._server.malformed(self._channel(channel), self._person(person), *names)

    async def advance(self, *, seconds: float) -> None:
        """Let time pass."""
        self._server.advance(seconds)
        await asyncio.sleep(0)

    def _person(self, person_id: int) -> Person:
        return Person(self._server.world.accounts[person_id], self._server.world, self._server.interactions)

    def _guild(self, guild_id: int) -> Guild:
        return self._server.world.guilds[guild_id]

    def _channel(self, channel_id: int) -> Channel:
        return self._server.world.channels[channel_id]

    def _bot(self, token: str) -> BotAccount:
        return self._server.bot(token)
