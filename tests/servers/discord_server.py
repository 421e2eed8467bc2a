"""Discord over real loopback sockets for tests and benchmarks, REST API and gateway: faithful, and faulty on demand.

In a test:

    async with DiscordServer() as server:
        ann = server.person("Ann")
        guild = server.guild("Friends", ann)                     # Ann owns it, the bot is in it
        general = server.channel(guild, "general")
        direct = server.dm(ann)                                  # a direct conversation of Ann and the bot
        with routed(server):                                     # discord.py now talks to this server
            …                                                    # client.start(server.token), and so on
            await server.wait_until(server.gateway.connected)
            ann.says(general, f"{server.mention} hello")         # an event goes to the bot
            server.faults.next("create_message", Drop(after_execution=True))
            await server.wait_until(lambda: server.screen.from_bots(general) == ["Hello, Ann"])

discord.py finds the server by two class attributes, `discord.http.Route.BASE` (here `api_url`) and
`discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY` (here `gateway_url`); `routed`, in discord_client, sets and restores
both. A bot in another process does the same with the values of its choice.

As a process, which lives on while the bot is killed: `python -m tests.servers.discord_server --port 0` prints
`listening on http://127.0.0.1:PORT`; its people are moved through `/control` (see discord_control).

What people do stands in discord_people, what they see in discord_screen, what can go wrong in discord_faults (calls and
events) and discord_gateway (connections), which calls there are in discord_routes, what is refused in discord_checks
and discord_forms. Tests assert on the screen, not on calls.

What is not as in reality: there are no voice, polls, stickers, custom emoji, forums, autocompletion and
components of version 2; slow mode, time-outs and bans are missing; people may write where they have no permission; a
session can be resumed for ever. Errors have Discord's codes and form; the words about single fields are not all to the
letter.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from tests.servers.control import ControlError, call_control
from tests.servers.discord_cdn import file_at, send_file
from tests.servers.discord_checks import ApiError
from tests.servers.discord_control import Control
from tests.servers.discord_faults import Delay, Fault, Faults, malformed_events
from tests.servers.discord_gateway import PRIVILEGED, Gateway
from tests.servers.discord_interactions import Interactions
from tests.servers.discord_limits import Governor, RateLimits
from tests.servers.discord_messages import view
from tests.servers.discord_news import unfold
from tests.servers.discord_people import Person, number
from tests.servers.discord_routes import NAMES, ROUTES, Route
from tests.servers.discord_screen import File as Uploaded
from tests.servers.discord_screen import Screen, Shown
from tests.servers.discord_things import TEXT, Account, BotAccount, Channel, Guild
from tests.servers.discord_wire import Call, failure, json_answer, limited, read_body
from tests.servers.discord_world import World, available_guild
from tests.servers.moments import Moments

Json = dict[str, Any]
TOKEN = "parley-test-token"
KEPT_MESSAGES = 200
LARGEST_REQUEST = 100_000_000
_PREFIX = re.compile(r"/api(?:/v(?:9|10))?(/.*)")


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the server counted: calls by route, refusals by status, faults by name, what happened at the gateway."""

    requests: int
    routes: Mapping[str, int]
    refusals: Mapping[int, int]
    faults: Mapping[str, int]
    gateway: Mapping[str, int]


class DiscordServer(Moments):
    """Enter it, and it listens at `url`.

    Args:
        tokens: the bots, as token to name; other tokens get 401.
        clock: the time in seconds since 1970; `advance` moves it forward.
        keep_history: False bounds what is remembered to the newest 200 messages and events a channel, so that the
            server stays flat over any number of messages.
        limits: rate limits; the usual ones if left out, None for none.
        granted: the privileged intents switched on in the developer portal, as bits; all of them by default.
        strict: refuse fields that Discord would ignore (see discord_checks).
        largest_file: in bytes, for all files of one message.
        heartbeat_seconds: how often clients shall say that they live.
        shards: how many GET /gateway/bot recommends.
        port: where to listen; 0 takes a free one.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        keep_history: bool = True,
        limits: RateLimits | None = RateLimits(),  # noqa: B008  # a frozen value
        granted: int = PRIVILEGED,
        strict: bool = True,
        largest_file: int = 25 * 1024 * 1024,
        heartbeat_seconds: float = 41.25,
        shards: int = 1,
        port: int = 0,
    ) -> None:
        super().__init__(clock)
        keep = None if keep_history else KEPT_MESSAGES
        self.faults = Faults(NAMES)
        self.screen = Screen(now=self.now, changed=self.changed, keep=keep)
        self.gateway = Gateway(faults=self.faults, changed=self.changed, heartbeat_seconds=heartbeat_seconds, keep=keep)
        self.world = World(
            now=self.now,
            screen=self.screen,
            dispatch=self.gateway.dispatch,
            keep=keep,
            strict=strict,
            largest_file=largest_file,
        )
        self.gateway.world = self.world
        self.world.shards = shards
        self.interactions = Interactions(self.world)
        self.url = ""
        self._governor = Governor(limits)
        self._granted, self._port = granted, port
        self._routes: Counter[str] = Counter()
        self._refusals: Counter[int] = Counter()
        self._control = Control(self)
        made = [self.bot(token, name) for token, name in (tokens or {TOKEN: "Parley"}).items()]
        self._default = made[0]

    # its life

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=LARGEST_REQUEST)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.url = self.world.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.gateway.url = self.gateway_url
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.gateway.shut()
        await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        """What discord.py calls Route.BASE."""
        return f"{self.url}/api/v10"

    @property
    def gateway_url(self) -> str:
        """What discord.py calls DEFAULT_GATEWAY, and GET /gateway/bot and READY tell."""
        return f"{self.url.replace('http', 'ws', 1)}/gateway"

    @property
    def token(self) -> str:
        """The first bot's token."""
        return self._default.token

    @property
    def mention(self) -> str:
        """What mentions the first bot in a text."""
        return f"<@{self._default.id}>"

    def advance(self, seconds: float) -> None:
        """Let time pass at once: interactions grow old, addresses of files expire, limits fill up."""
        super().advance(seconds)
        self.interactions.tick()

    # who is there

    def bot(self, token: str = "", name: str = "Parley", *, granted: int | None = None) -> BotAccount:
        """The bot with this token (the first one's if empty), made if it is not there.

        Args:
            token: its token.
            name: of a new one.
            granted: the privileged intents of a new one; those of the server if left out.
        """
        if not token:
            return self._default
        if token not in self.world.bots:
            account = self._account(name, is_bot=True)
            self.world.bots[token] = BotAccount(account, token, self._granted if granted is None else granted)
        return self.world.bots[token]

    def person(self, name: str = "Ann", *, locale: str = "en-US", bot: bool = False) -> Person:
        """Somebody new, or a bot of somebody else's."""
        return Person(self._account(name, locale=locale, is_bot=bot), self.world, self.interactions)

    def webhook(self, name: str = "Builds") -> Person:
        """A webhook, which says things in channels under its name."""
        account = self._account(name, is_bot=True)
        account.is_webhook = True
        return Person(account, self.world, self.interactions)

    def _account(self, name: str, *, locale: str = "en-US", is_bot: bool = False) -> Account:
        number = self.world.snowflake()
        username = name if is_bot else f"{re.sub(r'[^a-z0-9_.]', '', name.lower())}_test"
        account = Account(number, name, username, locale, is_bot)
        self.world.accounts[number] = account
        return account

    def guild(
        self,
        name: str,
        owner: Person,
        *people: Person,
        bots: tuple[BotAccount, ...] | None = None,
        locale: str = "en-US",
    ) -> Guild:
        """A guild with its owner, people and bots (the first bot, if none is named)."""
        guild = self.world.make_guild(name, owner.account, locale=locale)
        for person in people:
            self.world.join(guild, person.account)
        for bot in (self._default,) if bots is None else bots:
            self.world.join(guild, bot.account)
        return guild

    def channel(self, guild: Guild, name: str, *, kind: int = TEXT) -> Channel:
        """A channel that everybody in a guild sees."""
        return self.world.make_channel(guild, name, kind=kind)

    def dm(self, person: Person, *, bot: BotAccount | None = None, opened: bool = True) -> Channel:
        """The direct conversation of a person and a bot; until it is `opened`, that takes a guild in common."""
        channel = self.world.make_dm(bot or self._default, person.account)
        channel.opened = channel.opened or opened
        return channel

    def content(self, file: Uploaded) -> bytes:
        """What is in a file on the screen."""
        kept = self.world.files[file.id]
        return kept.content if kept.content is not None else bytes(kept.size)

    def unfolds(self, channel: Channel, message: Shown | int, title: str) -> None:
        """Discord unfolds a link in a message, which is told to bots like a change of it."""
        unfold(self.world, channel, number(message), title)

    # what goes wrong with events

    def outage(self, guild: Guild, *, over: bool = False) -> None:
        """A guild is down, or comes back."""
        guild.unavailable = not over
        for bot in self.world.bots.values():
            if over and bot.id in guild.members:
                self.gateway.dispatch(bot, "GUILD_CREATE", available_guild(guild, bot), guild.id)
        if not over:
            self.world.tell_guild(guild, "GUILD_DELETE", {"id": str(guild.id), "unavailable": True})

    def malformed(self, channel: Channel, person: Person, *names: str) -> None:
        """Send events that are not as they should be: all of `malformed_events`, or those named."""
        bot = self._default
        said = person.says(channel, "Hello")
        events = malformed_events(view(self.world, channel.messages[said.message_id], bot, intents=(1 << 26) - 1))
        for name in names or events:
            self.gateway.send_event(events[name]["t"], events[name]["d"], bot=bot)

    def statistics(self) -> Statistics:
        """What happened so far."""
        routes = dict(self._routes)
        happened = dict(self.faults.happened)
        return Statistics(sum(routes.values()), routes, dict(self._refusals), happened, dict(self.gateway.counted))

    # the wire

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/gateway":
            return await self.gateway.serve(request)
        if request.path.startswith("/control/"):
            return await self._controlled(request)
        if request.path.startswith("/cdn/attachments/"):
            return await self._download(request)
        if found := _PREFIX.fullmatch(request.rel_url.raw_path):
            for route in ROUTES:
                parts = route.match(request.method, found[1])
                if parts is not None:
                    return await self._serve(request, route, parts)
        return self._refused(404, {"message": "404: Not Found", "code": 0})

    async def _controlled(self, request: web.Request) -> web.Response:
        try:
            answer = await call_control(self._control, request.path[9:], await request.json())
        except (ControlError, ApiError) as error:
            return web.json_response({"description": str(error)}, status=error.status)
        self.changed()
        return web.json_response(answer)

    async def _serve(self, request: web.Request, route: Route, parts: Mapping[str, str]) -> web.StreamResponse:
        self._routes[route.name] += 1
        bot = self._bot_of(request, route, parts)
        if bot is None:
            return self._refused(401, {"message": "401: Unauthorized", "code": 0})
        now = self.now()
        verdict = self._governor.take(
            now, token=bot.token, route=route.name, major=parts.get(route.major, ""), apart=route.apart
        )
        headers = verdict.headers(now)
        if verdict.wait:
            return self._refused(429, limited(verdict.wait, everywhere=verdict.everywhere), headers)
        call = await self._call(request, bot, parts, headers)
        if isinstance(call, web.Response):
            return call
        fault = self.faults.pick(route.name)
        self.changed()
        return await self._faulty(request, route, call, fault, headers)

    async def _faulty(
        self, request: web.Request, route: Route, call: Call, fault: Fault | None, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        if fault and not fault.after_execution:
            if not isinstance(fault, Delay):
                return self._failed(request, fault, b"", headers)
            await asyncio.sleep(fault.seconds)
        answer = self._execute(route, call, headers)
        if fault and fault.after_execution:
            if not isinstance(fault, Delay):
                return self._failed(request, fault, answer.body if isinstance(answer.body, bytes) else b"", headers)
            await asyncio.sleep(fault.seconds)
        return answer

    async def _call(
        self, request: web.Request, bot: BotAccount, parts: Mapping[str, str], headers: Mapping[str, str]
    ) -> Call | web.Response:
        try:
            body, files = await read_body(request)
        except ApiError as error:
            return self._refused(error.status, error.wire(), headers)
        except web.HTTPRequestEntityTooLarge:
            return self._refused(413, {"message": "Request entity too large", "code": 40005}, headers)
        return Call(self.world, self.interactions, bot, parts, dict(request.query), body, files)

    def _execute(self, route: Route, call: Call, headers: Mapping[str, str]) -> web.Response:
        try:
            status, value = route.answer(call)
        except ApiError as error:
            return self._refused(error.status, error.wire(), headers)
        finally:
            self.changed()
        return json_answer(status, value, headers)

    def _bot_of(self, request: web.Request, route: Route, parts: Mapping[str, str]) -> BotAccount | None:
        """Whose call it is; with an interaction's token the first bot stands for whoever that belongs to."""
        if route.apart:
            interaction = self.interactions.find(parts["token"])
            return interaction.bot if interaction else self._default
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return self.world.bots.get(token) if scheme == "Bot" else None

    async def _download(self, request: web.Request) -> web.StreamResponse:
        self._routes["download"] += 1
        fault = self.faults.pick("download")
        file = file_at(self.world, request)
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        elif fault:
            return self._failed(request, fault, (file.content if file else None) or b"", {})
        return await send_file(request, file)

    def _failed(self, request: web.Request, fault: Fault, body: bytes, headers: Mapping[str, str]) -> web.Response:
        answer = failure(request, fault, body, headers)
        if answer.status >= 400:
            self._refusals[answer.status] += 1
        return answer

    def _refused(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
        self._refusals[status] += 1
        return json_answer(status, body, headers)


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A Discord for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--flat", action="store_true", help="remember only the newest messages of each channel")
    parser.add_argument("--no-limits", action="store_true", help="without Discord's rate limits")
    options = parser.parse_args()
    limits = None if options.no_limits else RateLimits()
    async with DiscordServer(port=options.port, keep_history=not options.flat, limits=limits) as server:
        sys.stdout.write(f"listening on {server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
