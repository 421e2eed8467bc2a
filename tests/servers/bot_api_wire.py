"""Requests and answers as bytes: what a bot sent, and how the server says yes, no or nothing at all."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.servers.bot_api_checks import ApiError, Arguments, bad
from tests.servers.bot_api_faults import Drop, Fail, Fault, Flood, Refuse

HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"


async def read_arguments(request: web.Request) -> Arguments:
    """The fields of a query, a form, a multipart form or a JSON object."""
    fields: dict[str, Any] = dict(request.query)
    files: dict[str, tuple[str, bytes]] = {}
    if request.content_type.startswith("multipart/"):
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[name] = (value.filename, value.file.read())
                value.file.close()
            else:
                fields[name] = value
    elif request.content_type == "application/json":
        fields |= _object(await request.read())
    else:
        fields |= parse_qsl((await request.read()).decode(), keep_blank_values=True)
    return Arguments(fields, files)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise bad("can't parse request JSON object")
    return value


def json_response(status: int, value: dict[str, Any]) -> web.Response:
    """An answer that is JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return web.Response(status=status, body=body, content_type="application/json")


def refusal(error: ApiError) -> web.Response:
    """An answer with `ok: false`."""
    answer: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        answer["parameters"] = error.parameters
    return json_response(error.code, answer)


def flood(seconds: int) -> ApiError:
    """A 429."""
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def failure(request: web.Request, fault: Fault, body: bytes) -> web.Response:
    """The answer that a fault makes of `body`."""
    match fault:
        case Drop():
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        case Flood(seconds):
            return refusal(flood(seconds))
        case Fail(502):
            return web.Response(status=502, text=HTML.format("502 Bad Gateway"), content_type="text/html")
        case Fail(status):
            return refusal(ApiError(status, "Internal Server Error"))
        case Refuse(code, description):
            return refusal(ApiError(code, description))
        case _:
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
