"""The connections over which Discord tells what happens. The library keeps them; what ends them is said here.

Its own way to look at messages is left out: what it cannot read would end the connection.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
import discord
import httpx
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route

from adapters.discord.rest import Rest
from bot.errors import AccountRefused, Rejected, Unreachable
from bot.patience import Patience, Sleep

logger = logging.getLogger(__name__)
Json = dict[str, Any]
Hear = Callable[[str, Json], None]
UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
BROKEN = (*UNREADABLE, RuntimeError, aiohttp.ClientError, discord.DiscordException)
AGAIN_SECONDS = 5.0
"""Between two sessions that are begun, as Discord asks for."""
TOKEN_REFUSED, INTENTS_REFUSED = 4004, (4013, 4014)
IGNORED = ("MESSAGE_", "INTERACTION_", "PRESENCE_", "TYPING_")


class Http(HTTPClient):
    """What the library asks for on the way, from the Discord that is configured, for as long as it takes."""

    def __init__(self, rest: Rest, gateway_url: str, patience: Patience) -> None:
        connector = aiohttp.TCPConnector(ssl=httpx.create_ssl_context())
        super().__init__(connector=connector, loop=None, proxy=rest.proxy)  # type: ignore[arg-type] # set later
        self._rest, self._gateway_url, self._patience = rest, gateway_url, patience

    async def request(self, route: Route, **_: Any) -> Any:
        return await self._rest.call(route.method, route.path)

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        if self._gateway_url:
            url = url.replace(str(DiscordWebSocket.DEFAULT_GATEWAY), self._gateway_url)
        return await self._patience.insist(partial(self._connect, url, compress))

    async def _connect(self, url: str, compress: int) -> aiohttp.ClientWebSocketResponse:
        try:
            return await super().ws_connect(url, compress=compress)
        except (OSError, aiohttp.ClientError) as error:
            raise Unreachable(type(error).__name__, key="discord.unreachable") from None


class IntentsRefused(Rejected):
    """What the bot asks to be told has to be switched on."""


class Gateway(discord.AutoShardedClient):
    """The connections of one run. `hear` is told each event before the library learns what servers there are."""

    def __init__(self, http: Http, hear: Hear, sleep: Sleep, *, reads_content: bool, **options: Any) -> None:
        intents = discord.Intents(guilds=True, messages=True, reactions=True, message_content=reads_content)
        frugal: Json = {"max_messages": None, "member_cache_flags": discord.MemberCacheFlags.none()}
        super().__init__(
            intents=intents,
            shard_connect_timeout=None,
            guild_ready_timeout=0.0,
            chunk_guilds_at_startup=False,
            **frugal,
            **options,
        )
        self.http = self._connection.http = http
        self._hear, self._sleep = hear, sleep
        for event, parse in self._connection.parsers.items():
            self._connection.parsers[event] = partial(self._take, event, parse)

    def _take(self, event: str, parse: Callable[[Json], None], raw: Json) -> None:
        for act in (partial(self._hear, event), *(() if event.startswith(IGNORED) else (parse,))):
            try:
                act(raw)
            except UNREADABLE as error:
                logger.warning("Discord tells something that cannot be read: %s, %s", event, type(error).__name__)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        if not initial:
            await self._sleep(AGAIN_SECONDS)

    async def listen(self, token: str) -> None:
        """Until it is over, which is told by what is raised; see `bot.channel.Adapter.run`."""
        try:
            async with self:
                await self.start(token)
        except discord.PrivilegedIntentsRequired:
            raise IntentsRefused("4014", key="discord.intents_refused") from None
        except discord.ConnectionClosed as error:
            if error.code == TOKEN_REFUSED:
                raise AccountRefused(str(error.code), key="discord.token_refused") from None
            raise Rejected(f"closed with {error.code}", key="discord.connection_refused") from None
        except BROKEN as error:
            raise Unreachable(type(error).__name__, key="discord.unreachable") from None
        raise Unreachable("closed", key="discord.unreachable")

    # -- what the library makes of things -------------------------------------------------------------------

    def message(self, raw: Json) -> discord.Message:
        """A message, wherever it comes from."""
        channel = self.get_partial_messageable(int(raw["channel_id"]), guild_id=int(raw.get("guild_id", 0)) or None)
        return discord.Message(state=self._connection, channel=channel, data=raw)  # type: ignore[arg-type]

    def interaction(self, raw: Json) -> discord.Interaction:
        """A command, a press or a form."""
        return discord.Interaction(state=self._connection, data=raw)  # type: ignore[arg-type]
