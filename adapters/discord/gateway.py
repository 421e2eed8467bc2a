"""The connections over which Discord tells what happens. The library keeps them; what ends them is said here."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

import aiohttp
import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route

from adapters.discord.rest import Rest
from adapters.json_requests import patiently
from bot.errors import AccountRefused, Rejected, Unreachable
from bot.patience import Patience, Sleep

logger = logging.getLogger(__name__)
Json = dict[str, Any]
Read = Callable[[Json], None]
UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
BROKEN = (*UNREADABLE, RuntimeError, aiohttp.ClientError, discord.DiscordException)
AGAIN_SECONDS = 5.0  # between two sessions that are begun, as Discord asks for
NOT_PARSED = ("MESSAGE_", "INTERACTION_")


class Gateway(discord.AutoShardedClient):
    """One bot's, until they break. `hear` is told each event, before the library learns what servers there are."""

    def __init__(self, rest: Rest, url: str, patience: Patience, sleep: Sleep, **options: Any) -> None:
        options |= {"max_messages": None, "member_cache_flags": discord.MemberCacheFlags.none()}
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody speaks here
        super().__init__(shard_connect_timeout=None, guild_ready_timeout=0.0, proxy=rest.proxy, **options)
        self._rest, self._url, self._patience, self._sleep = rest, url, patience, sleep
        self._connect, self.hear = self.http.ws_connect, lambda event, raw: None
        self._sockets: WeakSet[DiscordWebSocket] = WeakSet()
        self._connection._update_references = self._sockets.add  # type: ignore[method-assign, assignment]
        # what the library asks for goes to the Discord that is configured, and is asked for as long as it takes
        self.http.request, self.http.ws_connect = self._ask, self._reach  # type: ignore[method-assign]
        for event, parse in self._connection.parsers.items():
            self._connection.parsers[event] = partial(self._take, event, parse)

    async def _ask(self, route: Route, **_: Any) -> Any:
        return await self._rest.call(route.method, route.path)

    async def _reach(self, url: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        url = url.replace(str(DiscordWebSocket.DEFAULT_GATEWAY), self._url) if self._url else url
        return await patiently(self._patience, partial(self._connect, url, **options), "discord.unreachable")

    def _take(self, event: str, parse: Read, raw: Json) -> None:
        """What cannot be read does not end the connection. What is said, the library need not know."""
        for read in (partial(self.hear, event), *(() if event.startswith(NOT_PARSED) else (parse,))):
            try:
                read(raw)
            except UNREADABLE as error:
                logger.warning("Discord tells something that cannot be read: %s, %s", event, type(error).__name__)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        await self._sleep(0.0 if initial else AGAIN_SECONDS)

    async def listen(self, token: str) -> None:
        """Until it is over, which is told by what is raised; see `bot.channel.Adapter.run`."""
        try:
            async with self:
                await self.start(token)
        except discord.PrivilegedIntentsRequired:
            raise Rejected("4014", key="discord.intents_refused") from None
        except discord.ConnectionClosed as error:
            refused = (AccountRefused, "token_refused") if error.code == 4004 else (Rejected, "connection_refused")
            raise refused[0](str(error.code), key=f"discord.{refused[1]}") from None
        except BROKEN as error:
            raise Unreachable(type(error).__name__, key="discord.unreachable") from None
        finally:
            for socket in self._sockets:  # of those that never came to be, the library forgets to let go
                if socket._keep_alive:
                    socket._keep_alive.stop()
        raise Unreachable("closed", key="discord.unreachable")

    def message(self, raw: Json) -> discord.Message:
        """A message as the library has it, wherever it comes from."""
        channel = self.get_partial_messageable(int(raw["channel_id"]), guild_id=int(raw.get("guild_id", 0)) or None)
        return discord.Message(state=self._connection, channel=channel, data=raw)  # type: ignore[arg-type]

    def who(self, raw: Json) -> discord.User | discord.Member:
        """Who chose something."""
        return discord.Interaction(state=self._connection, data=raw).user  # type: ignore[arg-type]
