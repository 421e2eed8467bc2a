"""Telegram's Bot API over a real loopback socket for tests and benchmarks: faithful, and faulty on demand.

In a test:

    async with BotApiServer() as server:
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        bot = telegram.Bot(server.token, base_url=server.base_url, base_file_url=server.base_file_url)
        ann.says(chat, "Hello")                                  # an update waits for the bot
        server.faults.next("sendMessage", Drop(after_execution=True))
        …                                                        # the bot does its work
        await server.wait_until(lambda: server.screen.from_bots(chat) == ["Hello, Ann"])

As a process, which lives on while the bot is killed: `python -m tests.servers.bot_api --port 0` prints
`listening on http://127.0.0.1:PORT`; its people are moved through `/control` (see bot_api_control).

What people do stands in bot_api_people, what they see in bot_api_screen, what can go wrong in bot_api_faults, what is
refused in bot_api_checks. Tests assert on the screen, not on calls.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.servers.bot_api_checks import ApiError, Arguments
from tests.servers.bot_api_control import Control
from tests.servers.bot_api_faults import Delay, Fault, Faults, malformed_updates
from tests.servers.bot_api_flood import FloodLimits, Governor
from tests.servers.bot_api_methods import METHODS
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_screen import Screen
from tests.servers.bot_api_updates import UpdateQueue
from tests.servers.bot_api_wire import failure, flood, json_response, read_arguments, refusal
from tests.servers.bot_api_world import DOWNLOAD_BYTES, Account, BotAccount, Chat, World
from tests.servers.control import ControlError, call_control
from tests.servers.moments import Moments

Json = dict[str, Any]
TOKEN = "7000001:parley-test-token"
KEPT_MESSAGES = 200
LARGEST_REQUEST = 80_000_000


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the server counted: calls by method, refusals by code, faults by name, updates by fate and bot id."""

    requests: int
    methods: Mapping[str, int]
    refusals: Mapping[int, int]
    faults: Mapping[str, int]
    updates: Mapping[int, Mapping[str, int]]
    parse_modes: int
    """How often a bot asked for a parse mode. Such texts are shown as they came, unparsed."""


class BotApiServer(Moments):
    """Enter it, and it listens at `url`.

    Args:
        tokens: the bots, as token to username; other tokens get 401. None: `token` is there, and any other of the form
            `digits:…` makes a bot of its own.
        clock: the time in seconds since 1970; `advance` moves it forward.
        keep_history: False bounds what is remembered to the newest 200 messages and events a chat, so that the server
            stays flat over any number of messages.
        limits: flood limits, off by default.
        reads_all: whether privacy mode is off for the bots.
        strict: refuse entities that Telegram would silently mend (see bot_api_checks).
        query_seconds: how long a pressed button may be answered.
        webhook_retry_seconds: the pause before an update is pushed again.
        port: where to listen; 0 takes a free one.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        keep_history: bool = True,
        limits: FloodLimits | None = None,
        reads_all: bool = False,
        strict: bool = True,
        query_seconds: float = 15,
        webhook_retry_seconds: float = 0.05,
        port: int = 0,
    ) -> None:
        super().__init__(clock)
        keep = None if keep_history else KEPT_MESSAGES
        self.faults = Faults()
        self.screen = Screen(now=self.now, changed=self.changed, keep=keep)
        self.world = World(now=self.now, screen=self.screen, keep=keep, strict=strict, query_seconds=query_seconds)
        self.url = ""
        self._open = tokens is None
        self._limits, self._reads_all = limits, reads_all
        self._retry_seconds, self._port = webhook_retry_seconds, port
        self._methods: Counter[str] = Counter()
        self._refusals: Counter[int] = Counter()
        self._pushers: dict[int, asyncio.Task[None]] = {}
        self._ids = itertools.count(500_001)
        self._control = Control(self)
        made = [self.bot(token, username) for token, username in (tokens or {TOKEN: "parley_test_bot"}).items()]
        self._default = made[0]

    # its life

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=LARGEST_REQUEST)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(self, *exception: object) -> None:
        for bot in self.world.bots.values():
            bot.updates.close()
        for task in self._pushers.values():
            task.cancel()
        await asyncio.gather(*self._pushers.values(), return_exceptions=True)
        await self._session.close()
        await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls base_url."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """What python-telegram-bot calls base_file_url."""
        return f"{self.url}/file/bot"

    @property
    def token(self) -> str:
        """The first bot's token."""
        return self._default.token

    # who is there

    def bot(self, token: str, username: str = "", *, reads_all: bool | None = None) -> BotAccount:
        """The bot with this token, made if it is not there; its id is the number in the token."""
        if token in self.world.bots:
            return self.world.bots[token]
        bot_id = int(token.partition(":")[0])
        account = Account(bot_id, "Parley", username or f"bot{bot_id}_bot", is_bot=True)
        queue = UpdateQueue(self.faults, next_id=100_000_001)
        governor = Governor(self._limits) if self._limits else None
        privacy = self._reads_all if reads_all is None else reads_all
        bot = BotAccount(account, token, queue, privacy, governor)
        self.world.accounts[bot_id] = account
        self.world.bots[token] = bot
        return bot

    def person(self, name: str = "Ann", *, username: str = "", language: str = "en", person_id: int = 0) -> Person:
        """Somebody new."""
        account = Account(person_id or next(self._ids), name, username or f"{name.lower()}_test", language)
        self.world.accounts[account.id] = account
        return Person(account, self.world)

    def chat_private(self, person: Person, *, bot: BotAccount | None = None, started: bool = True) -> Chat:
        """The private chat of a person and a bot; before it is `started`, the bot may not write."""
        bot = bot or self._default
        key = f"{bot.id}:{person.id}"
        if key not in self.world.chats:
            self.world.chats[key] = Chat(person.id, "private", key, person=person.account, started=started)
        return self.world.chats[key]

    def chat_group(
        self,
        title: str,
        *people: Person,
        kind: str = "supergroup",
        forum: bool = False,
        admin: bool = False,
        username: str = "",
        bots: tuple[BotAccount, ...] = (),
    ) -> Chat:
        """A group with these people and bots (the first bot, if none is named).

        Args:
            title: its name.
            people: its members.
            kind: group, supergroup or channel.
            forum: whether it has topics (`Person.opens_topic`).
            admin: whether the bots are administrators, who also see reactions and everything that is said.
            username: its public name, without @.
            bots: its bots.
        """
        number = next(self._ids)
        chat_id = -number if kind == "group" else -1_000_000_000_000 - number
        chat = Chat(chat_id, kind, str(chat_id), title, username, forum=forum)
        chat.people = {person.id: person.account for person in people}
        chat.bots = {bot.id: "administrator" if admin else "member" for bot in bots or (self._default,)}
        self.world.chats[chat.key] = chat
        return chat

    def chat_channel(self, title: str, *, username: str = "", bots: tuple[BotAccount, ...] = ()) -> Chat:
        """A channel, of which the bots are administrators."""
        return self.chat_group(title, kind="channel", admin=True, username=username, bots=bots)

    # what goes wrong with updates

    def malformed(self, chat: Chat, person: Person, *names: str, bot: BotAccount | None = None) -> list[int]:
        """Queue updates that are not as they should be (all of `malformed_updates`, or those named); their ids."""
        updates = malformed_updates(chat.wire(), person.account.wire(), int(self.now()))
        queue = (bot or self._default).updates
        return [queue.push_raw(updates[name]) for name in names or updates]

    def statistics(self) -> Statistics:
        """What happened so far."""
        updates = {bot.id: dict(bot.updates.counted) for bot in self.world.bots.values()}
        return Statistics(
            self._methods.total(),
            dict(self._methods),
            dict(self._refusals),
            dict(self.faults.happened),
            updates,
            self.world.counted["parse_mode"],
        )

    # the wire

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            if request.path.startswith("/bot"):
                token, _, method = request.path[4:].partition("/")
                return await self._serve(request, self._bot_of(token), method)
            if request.path.startswith("/file/bot"):
                token, _, path = request.path[9:].partition("/")
                return self._download(self._bot_of(token), path)
            if request.path.startswith("/control/"):
                return await self._controlled(request)
            raise ApiError(404, "Not Found")
        except ApiError as error:
            return self._refusal(error)

    async def _controlled(self, request: web.Request) -> web.Response:
        try:
            answer = await call_control(self._control, request.path[9:], await request.json())
        except ControlError as error:
            return self._refusal(ApiError(error.status, str(error)))
        self.changed()
        return web.json_response(answer)

    def _bot_of(self, token: str) -> BotAccount:
        if token in self.world.bots:
            return self.world.bots[token]
        if self._open and re.fullmatch(r"[1-9]\d*:[\w-]+", token):
            return self.bot(token)
        raise ApiError(401, "Unauthorized")

    async def _serve(self, request: web.Request, bot: BotAccount, method: str) -> web.StreamResponse:
        self._methods[method] += 1
        call = await read_arguments(request)
        fault = self.faults.pick(method)
        self.changed()
        if fault and not fault.after_execution:
            if not isinstance(fault, Delay):
                return self._failed(request, fault, b"")
            await asyncio.sleep(fault.seconds)
        answer = await self._answer(bot, method, call)
        if fault and fault.after_execution:
            if not isinstance(fault, Delay):
                return self._failed(request, fault, answer.body if isinstance(answer.body, bytes) else b"")
            await asyncio.sleep(fault.seconds)
        return answer

    async def _answer(self, bot: BotAccount, method: str, call: Arguments) -> web.Response:
        try:
            result = await self._execute(bot, method.lower(), call)
        except ApiError as error:
            return self._refusal(error)
        finally:
            self.changed()
        return json_response(200, {"ok": True, "result": result})

    async def _execute(self, bot: BotAccount, method: str, call: Arguments) -> Any:
        if method not in METHODS:
            raise ApiError(404, "Not Found")
        self._govern(bot, method, call)
        result = METHODS[method](self.world, bot, call)
        if inspect.isawaitable(result):
            result = await result
        if bot.updates.webhook and bot.id not in self._pushers:
            self._pushers[bot.id] = asyncio.create_task(self._push(bot))
        return result

    def _govern(self, bot: BotAccount, method: str, call: Arguments) -> None:
        if bot.governor is None or method == "sendchataction" or not method.startswith(("send", "editmessage")):
            return
        chat = call.text("chat_id")
        group, draft = chat.startswith(("-", "@")), method == "sendmessagedraft"
        if seconds := bot.governor.take(self.now(), chat=chat, group=group, overall_only=draft):
            raise flood(seconds)

    async def _push(self, bot: BotAccount) -> None:
        async def answered(answer: Json) -> None:
            with suppress(ApiError):
                if method := str(answer.pop("method", "")):
                    await self._execute(bot, method.lower(), Arguments(answer))

        await bot.updates.deliver(
            self._session, retry_seconds=self._retry_seconds, now=self.now, answered=answered, changed=self.changed
        )

    def _download(self, bot: BotAccount, path: str) -> web.Response:
        file = self.world.paths.get(path)
        if file is None or file.content is None or file.size > DOWNLOAD_BYTES:
            raise ApiError(404, "Not Found")
        return web.Response(body=file.content, content_type="application/octet-stream")

    def _failed(self, request: web.Request, fault: Fault, body: bytes) -> web.Response:
        answer = failure(request, fault, body)
        if answer.status >= 400:
            self._refusals[answer.status] += 1
        return answer

    def _refusal(self, error: ApiError) -> web.Response:
        self._refusals[error.code] += 1
        return refusal(error)


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A Bot API server for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--flat", action="store_true", help="remember only the newest messages of each chat")
    parser.add_argument("--limits", action="store_true", help="with Telegram's flood limits")
    options = parser.parse_args()
    limits = FloodLimits() if options.limits else None
    async with BotApiServer(port=options.port, keep_history=not options.flat, limits=limits) as server:
        sys.stdout.write(f"listening on {server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main())
