"""Requests and answers of the REST API as bytes: what a client sent, and how the server says yes, no or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, MultipartReader, web

from tests.servers.discord_checks import ApiError, refused
from tests.servers.discord_faults import Cloudflare, Drop, Fail, Fault, Limited, Refuse
from tests.servers.discord_things import BotAccount
from tests.servers.discord_world import World

if TYPE_CHECKING:
    from tests.servers.discord_interactions import Interactions

Json = dict[str, Any]
VIA = {"Via": "1.1 google"}
HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
_HOLDS_PLACE = re.compile(r"files\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: to what, by whom, and with what."""

    world: World
    interactions: Interactions
    bot: BotAccount
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    files: Mapping[int, tuple[str, bytes]] = field(default_factory=dict)
    """The name and content of each uploaded file, by its number."""

    def id(self, name: str) -> int:
        """An id in the path; ApiError if it is none."""
        return snowflake(name, self.path[name])

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A number in the query, between two bounds."""
        value = self.query.get(name, str(default))
        if not value.isdecimal() or not least <= int(value) <= most:
            words = f"int value should be between {least} and {most}."
            raise ApiError(
                400, 50035, "Invalid Form Body", {name: {"_errors": [{"code": "NUMBER_TYPE", "message": words}]}}
            )
        return int(value)


def snowflake(name: str, value: str) -> int:
    """An id; ApiError if it is none."""
    if not value.isdecimal() or int(value) >= 2**64:
        error = {"code": "NUMBER_TYPE_COERCE", "message": f'Value "{value}" is not snowflake.'}
        raise ApiError(400, 50035, "Invalid Form Body", {name: {"_errors": [error]}})
    return int(value)


async def read_body(request: web.Request) -> tuple[Any, dict[int, tuple[str, bytes]]]:
    """The JSON of a request and its files, or ApiError."""
    if request.content_type.startswith("multipart/"):
        return await _read_parts(await request.multipart())
    raw = await request.read()
    if not raw:
        return None, {}
    if request.content_type != "application/json":
        words = "Expected \"Content-Type\" header to be one of {'application/json'}."
        raise ApiError(
            400, 50035, "Invalid Form Body", {"_errors": [{"code": "CONTENT_TYPE_INVALID", "message": words}]}
        )
    return _parsed(raw), {}


async def _read_parts(parts: MultipartReader) -> tuple[Any, dict[int, tuple[str, bytes]]]:
    body: Any = {}
    files: dict[int, tuple[str, bytes]] = {}
    async for part in parts:
        if not isinstance(part, BodyPartReader):
            raise refused(50109)
        place = _HOLDS_PLACE.fullmatch(part.name or "")
        content = bytes(await part.read())
        if part.name == "payload_json":
            body = _parsed(content)
        elif place and part.filename:
            files[int(place[1])] = (part.filename, content)
        else:
            raise ApiError(400, 50035, "Invalid Form Body", {str(part.name): {"_errors": []}})
    return body, files


def _parsed(raw: bytes) -> Any:
    try:
        value = json.loads(raw)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except ValueError:
        raise refused(50109) from None
    return value


def json_answer(status: int, value: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer with JSON, or without anything where `value` is None."""
    named = {**VIA, **(headers or {})}
    if value is None:
        return web.Response(status=204, headers=named)
    # discord.py takes an answer for JSON only if its type is exactly this, without a charset.
    body = json.dumps(value, ensure_ascii=False).encode()
    return web.Response(status=status, body=body, headers={"Content-Type": "application/json"} | named)


def html_answer(status: int, title: str) -> web.Response:
    """What a proxy in between says; without `Via`."""
    return web.Response(status=status, text=HTML.format(title), content_type="text/html")


def limited(seconds: float, *, everywhere: bool) -> Json:
    """The body of a 429."""
    return {"message": "You are being rate limited.", "retry_after": round(seconds, 3), "global": everywhere}


def failure(request: web.Request, fault: Fault, body: bytes, headers: Mapping[str, str]) -> web.Response:
    """The answer that a fault makes of `body`."""
    match fault:
        case Drop():
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        case Limited(seconds, everywhere):
            scope = {"X-RateLimit-Global": "true"} if everywhere else {}
            named = {**headers, **scope, "Retry-After": f"{seconds:.3f}"}
            return json_answer(429, limited(seconds, everywhere=everywhere), named)
        case Cloudflare():
            return html_answer(429, "Error 1015: You are being rate limited")
        case Fail(502):
            return html_answer(502, "502 Bad Gateway")
        case Fail(status):
            return json_answer(status, {"message": f"{status}: Internal Server Error", "code": 0}, headers)
        case Refuse(status, code, message):
            return json_answer(status, {"message": message, "code": code}, headers)
        case _:
            half = body[: len(body) // 2]
            return web.Response(body=half, headers={"Content-Type": "application/json", **VIA, **headers})
