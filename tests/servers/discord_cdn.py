"""Where Discord's attachments are fetched: addresses are signed and expire."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from tests.servers.discord_things import File
from tests.servers.discord_world import World


def file_at(world: World, request: web.Request) -> File | None:
    """The file of an address that is as it was given out, and not too old."""
    parts = request.path.split("/")
    try:
        file, until = world.files.get(int(parts[4])), int(request.query["ex"], 16)
    except (LookupError, ValueError):
        return None
    if file is None or until <= world.now() or request.query.get("hm") != f"{file.id ^ until:064x}":
        return None
    return file


async def send_file(request: web.Request, file: File | None) -> web.StreamResponse:
    """A file, or that it is gone."""
    if file is None:
        return web.Response(status=404, text="This content is no longer available.")
    if file.content is not None:
        return web.Response(body=file.content, headers={"Content-Type": file.mime})
    return await _send_zeros(request, file)


async def _send_zeros(request: web.Request, file: File) -> web.StreamResponse:
    """A file of which only the size is known."""
    answer = web.StreamResponse(headers={"Content-Type": file.mime, "Content-Length": str(file.size)})
    await answer.prepare(request)
    left = file.size
    with suppress(ConnectionError):
        while left > 0:
            await answer.write(bytes(min(left, 65536)))
            left -= 65536
    return answer
