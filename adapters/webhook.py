"""A webhook for adapters: what a platform brings is kept before it is answered. Knows no platform."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web

from bot.errors import Rejected, StorageError
from bot.patience import Patience

LARGEST_BYTES = 1_000_000
SHUTDOWN_SECONDS = 2.5
"""The library waits this long twice: for what is being answered, and for it to give up."""

Take = Callable[[dict[str, Any]], Awaitable[None]]


@asynccontextmanager
async def listening(
    listen: str, path: str, take: Take, patience: Patience, *, header: str, secret: str, key: str
) -> AsyncIterator[None]:
    """Listen while the block runs.

    Args:
        listen: `host:port`.
        path: where the platform posts to.
        take: keeps one JSON object; 200 is answered once it has, 503 where storage prevents it, so that the platform
            tries again.
        patience: says in the log when storage prevents it.
        header: the header by which the platform shows that it is the platform.
        secret: what it must say.
        key: the text that tells a person that the address cannot be used.

    Raises:
        Rejected: the address cannot be listened on.
    """
    application = web.Application(client_max_size=LARGEST_BYTES)
    application.router.add_post(path, partial(_answer, take, patience, header, secret.encode()))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        host, _, port = listen.rpartition(":")
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except (OSError, OverflowError) as error:
            raise Rejected(f"{listen}: {error}", key=key) from None
        yield
    finally:
        await asyncio.shield(runner.cleanup())


async def _answer(take: Take, patience: Patience, header: str, secret: bytes, request: web.Request) -> web.Response:
    if not hmac.compare_digest(request.headers.get(header, "").encode(), secret):
        return web.Response(status=403)
    if request.content_type != "application/json":
        return web.Response(status=415)
    try:
        posted = dict(json.loads(await request.read()))
    except (RecursionError, TypeError, ValueError):
        return web.Response(status=400)
    try:
        await take(posted)
    except StorageError as error:
        patience.complain(error)
        return web.Response(status=503)
    return web.Response()
