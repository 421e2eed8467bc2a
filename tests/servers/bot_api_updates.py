"""The updates that wait for one bot: numbered, confirmed by offset, polled or pushed to a webhook.

As Telegram does it: an offset confirms everything below it, a negative one forgets all but the last n, the older of two
waiting polls gets 409, and a webhook is asked again with the same update until it answers with success.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.servers.bot_api_checks import ApiError, bad
from tests.servers.bot_api_faults import Faults, UpdateFault

Json = dict[str, Any]
LONGEST_POLL_SECONDS = 50
LARGEST_BATCH = 100
ONLY_ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


@dataclass(slots=True)
class Pending:
    """An update that waits. One that is `owed` is not dropped by an offset before it was handed out once."""

    update_id: int
    update: Json
    owed: bool = False


@dataclass(slots=True)
class Webhook:
    """Where updates are pushed to, and what came of it."""

    url: str
    secret: str = ""
    max_connections: int = 40
    last_error: str = ""
    last_error_at: int = 0


@dataclass(slots=True)
class UpdateQueue:
    """One bot's updates. `counted` has how many were queued, handed out and refused by the bot's webhook."""

    faults: Faults
    next_id: int
    pending: deque[Pending] = field(default_factory=deque)
    allowed: frozenset[str] | None = None
    webhook: Webhook | None = None
    counted: Counter[str] = field(default_factory=Counter)
    closed: bool = False
    _spare_id: int | None = None
    _poll: int = 0
    _disordered: bool = False
    """Whether ids ever came other than in ascending order: only then is the whole queue searched."""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def push(self, kind: str, body: Json) -> None:
        """Queue one update, unless the bot did not ask for its kind."""
        if kind in ONLY_ON_REQUEST if self.allowed is None else kind not in self.allowed:
            return
        fault = self.faults.pick_update()
        item = self._add({kind: body}, swap=fault is UpdateFault.OUT_OF_ORDER)
        if fault is UpdateFault.DUPLICATE:
            self.push_again(item.update)
        elif fault is UpdateFault.RENUMBERED:
            self._add({kind: body})

    def push_raw(self, update: Json) -> int:
        """Queue an update of any shape, whatever the bot asked for; its id."""
        return self._add(update).update_id

    def push_again(self, update: Json) -> None:
        """Queue an update with the id that it already has, also if that was confirmed."""
        self._disordered = True
        self.pending.append(Pending(update["update_id"], update, owed=True))
        self._wake()

    def _add(self, update: Json, *, swap: bool = False) -> Pending:
        late = self._spare_id is not None
        number = self._number(swap=swap)
        item = Pending(number, {"update_id": number, **update}, owed=late)
        self.pending.append(item)
        self.counted["queued"] += 1
        self._wake()
        return item

    def _number(self, *, swap: bool) -> int:
        """The next id; with `swap` the one after it, and the next update gets the lower one."""
        if self._spare_id is not None:
            number, self._spare_id = self._spare_id, None
            return number
        if swap:
            self._disordered = True
            self._spare_id = self.next_id
            self.next_id += 1
        self.next_id += 1
        return self.next_id - 1

    async def poll(self, *, offset: int, limit: int, seconds: float) -> list[Json]:
        """The answer to getUpdates: at once if something waits, else when it comes, and empty at the end of time."""
        if self.webhook:
            raise ApiError(409, WEBHOOK_ACTIVE)
        self._poll += 1
        mine = self._poll
        self._wake()
        self._confirm(offset)
        deadline = asyncio.get_running_loop().time() + min(seconds, LONGEST_POLL_SECONDS)
        while not self.pending and not self.closed:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self._wait(left)
            if mine != self._poll:
                raise ApiError(409, CONFLICT)
            if self.webhook:
                raise ApiError(409, "Conflict: terminated by setWebhook request")
        return self._hand_out(limit)

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self.pending) > -offset:
                self.pending.popleft()
        elif self._disordered:
            self.pending = deque(item for item in self.pending if item.update_id >= offset or item.owed)
        else:
            while self.pending and self.pending[0].update_id < offset:
                self.pending.popleft()

    def _hand_out(self, limit: int) -> list[Json]:
        size = limit if 1 <= limit <= LARGEST_BATCH else LARGEST_BATCH
        batch = [self.pending[place] for place in range(min(size, len(self.pending)))]
        for item in batch:
            item.owed = False
        self.counted["handed out"] += len(batch)
        return [item.update for item in batch]

    async def _wait(self, seconds: float) -> None:
        self._arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()

    def _wake(self) -> None:
        self._arrived.set()

    def close(self) -> None:
        """End the polls that wait."""
        self.closed = True
        self._wake()

    def allow(self, kinds: Sequence[Any] | None) -> None:
        """Take `allowed_updates`: None leaves it, an empty list is the default."""
        if kinds is not None:
            self.allowed = frozenset(map(str, kinds)) or None

    def set_webhook(self, url: str, *, secret: str, max_connections: int) -> None:
        """Push to `url` from now on; ApiError where Telegram would not."""
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
            raise bad("secret token contains unallowed characters")
        self.webhook = Webhook(url, secret, max_connections or 40)
        self._wake()

    def webhook_info(self) -> Json:
        """The answer to getWebhookInfo."""
        info: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": len(self.pending)}
        if self.webhook:
            info |= {"url": self.webhook.url, "max_connections": self.webhook.max_connections}
            if self.webhook.last_error:
                info |= {"last_error_date": self.webhook.last_error_at, "last_error_message": self.webhook.last_error}
        if self.allowed is not None:
            info["allowed_updates"] = sorted(self.allowed)
        return info

    async def deliver(
        self,
        session: aiohttp.ClientSession,
        *,
        retry_seconds: float,
        now: Callable[[], float],
        answered: Answered,
        changed: Callable[[], None],
    ) -> None:
        """Push to the webhook for ever, in order, each update until it is answered with success.

        Args:
            session: makes the requests.
            retry_seconds: the pause after a refusal.
            now: tells the time of errors.
            answered: takes the method call that a webhook may answer with.
            changed: called after each attempt.
        """
        while not self.closed:
            if not self.pending or self.webhook is None:
                await self._wait(60)
                continue
            item, hook = self.pending[0], self.webhook
            error, answer = await post_update(session, hook, item.update)
            if error:
                hook.last_error, hook.last_error_at = error, int(now())
                self.counted["refused"] += 1
                changed()
                await asyncio.sleep(retry_seconds)
                continue
            self.counted["handed out"] += 1
            with suppress(ValueError):
                self.pending.remove(item)
            await answered(answer)
            changed()


Answered = Callable[[Json], Awaitable[None]]


async def post_update(session: aiohttp.ClientSession, hook: Webhook, update: Json) -> tuple[str, Json]:
    """Push one update: what went wrong, or nothing, and the JSON object that came back, if any."""
    headers = {"Content-Type": "application/json"}
    if hook.secret:
        headers["X-Telegram-Bot-Api-Secret-Token"] = hook.secret
    try:
        async with session.post(hook.url, data=json.dumps(update), headers=headers) as response:
            body = await response.text()
            if response.status // 100 != 2:
                return f"Wrong response from the webhook: {response.status} {response.reason}", {}
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return f"Connection failed: {type(error).__name__}", {}
    return "", _object(body)


def _object(body: str) -> Json:
    with suppress(ValueError):
        value = json.loads(body)
        if isinstance(value, dict):
            return value
    return {}
