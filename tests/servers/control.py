"""The control API of a test server in a process of its own: a POST of a JSON object to /control/NAME answers one.

The methods of a control object without an underscore are the names, their arguments the fields; a slash in a name is an
underscore in the method's. `Remote` is the client that a test drives such a server with.
"""

from __future__ import annotations

import inspect
from typing import Any

import httpx

Json = dict[str, Any]


class ControlError(Exception):
    """A control call that cannot be: `status` is the HTTP status, the text says why."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status


class Remote:
    """Calls a server's control API; RuntimeError with its words where it refuses."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, name: str, /, **fields: Any) -> Json:
        answer = httpx.post(f"{self._url}/control/{name}", json=fields, timeout=fields.get("seconds", 10) + 10)
        value: Json = answer.json()
        if answer.status_code != 200:
            raise RuntimeError(str(value.get("description")))
        return value


async def call_control(control: object, name: str, fields: Json) -> Json:
    """Run one call of a control object; ControlError where it cannot be."""
    method = getattr(control, name.replace("/", "_"), None)
    if name.startswith("_") or method is None:
        raise ControlError(404, f"no control named {name}")
    try:
        result = method(**fields)
        if inspect.isawaitable(result):
            result = await result
    except (TypeError, ValueError, LookupError) as error:
        raise ControlError(400, f"{name}: {type(error).__name__}: {error}") from error
    return {} if result is None else dict(result)
