"""Decides when something may be sent, from what a channel declares and from what its platform has said.

Budgets are token buckets, one for the account and one for each chat (https://en.wikipedia.org/wiki/Token_bucket). A
platform's "wait so long" closes the chat, or the whole account where it means that; if it does not tell, saying so of
several chats at once means the account. The chat's rate is halved and recovers as messages go through (additive
increase, multiplicative decrease: Chiu and Jain, 1989).
Pure: time is handed in, in seconds of the wall clock, so that what was learned holds over a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.channel import Budget, Capabilities

RESERVED_SHARE = 0.34
"""Share of each burst that previews leave to finished replies."""
TOGETHER_SECONDS = 2.0
"""Two chats that are refused within so many seconds mean that the account is."""
SLOWEST_SHARE = 0.125
RECOVERY_SHARE = 0.05
"""How much of the declared rate a chat gets back with each message that goes through."""
KNOWN_CHATS = 10_000
ACCOUNT = ""
"""The key of the account itself among those of chats."""


@dataclass(slots=True)
class _Bucket:
    """Tokens that fill up by themselves."""

    budget: Budget
    tokens: float
    at: float
    share: float = 1.0
    """Of the declared rate, as learned."""

    def refill(self, now: float) -> None:
        """Add what has come in since."""
        if self.budget.per_second is not None and now > self.at:
            gained = (now - self.at) * self.budget.per_second * self.share
            self.tokens = min(max(1.0, self.budget.burst), self.tokens + gained)
        self.at = now

    def wait_seconds(self, tokens: float) -> float:
        """Seconds until there are so many tokens."""
        if self.budget.per_second is None or self.tokens >= tokens:
            return 0.0
        return (tokens - self.tokens) / (self.budget.per_second * self.share)

    def reserve(self) -> float:
        """Tokens that must be there before a preview may take one."""
        burst = max(1.0, self.budget.burst)
        return min(burst, 1.0 + burst * RESERVED_SHARE)


class Governor:
    """The budgets of one account."""

    def __init__(
        self,
        capabilities: Capabilities,
        *,
        now: Callable[[], float],
        closed_until: Mapping[str, float] | None = None,
    ) -> None:
        """
        Args:
            capabilities: with the declared budgets.
            now: seconds of the wall clock.
            closed_until: what an earlier run learned, as `closed_until` gave it.
        """
        self._capabilities = capabilities
        self._now = now
        self._closed = {key: until for key, until in (closed_until or {}).items() if until > now()}
        self._refused_at: dict[str, float] = {}
        self._account = _Bucket(capabilities.account_budget, max(1.0, capabilities.account_budget.burst), now())
        self._chats: OrderedDict[str, _Bucket] = OrderedDict()

    @property
    def closed_until(self) -> dict[str, float]:
        """What is closed, and until when, in seconds of the wall clock; to be kept over a restart."""
        now = self._now()
        self._closed = {key: until for key, until in self._closed.items() if until > now}
        return dict(self._closed)

    def wait_seconds(self, chat: str, *, is_private: bool, is_final: bool = True) -> float:
        """Seconds until something may be sent there; 0 is now.

        Args:
            chat: names the chat.
            is_private: whether it is a chat with one person.
            is_final: whether it must arrive; what need not leaves a reserve.
        """
        now = self._now()
        waits = [self._closed.get(key, now) - now for key in (ACCOUNT, chat)]
        for bucket in (self._account, self._bucket(chat, is_private)):
            bucket.refill(now)
            waits.append(bucket.wait_seconds(1.0 if is_final else bucket.reserve()))
        return max(0.0, *waits)

    def take(self, chat: str, *, is_private: bool) -> None:
        """Count something that is being sent."""
        now = self._now()
        for bucket in (self._account, self._bucket(chat, is_private)):
            bucket.refill(now)
            bucket.tokens -= 1.0

    def take_besides(self) -> None:
        """Count something that is no message, such as the sign that somebody types: it is the account's alone."""
        self._account.refill(self._now())
        self._account.tokens -= 1.0

    def arrived(self, chat: str) -> None:
        """Count something that went through."""
        bucket = self._chats.get(chat)
        if bucket and bucket.share < 1.0:
            bucket.share = min(1.0, bucket.share + RECOVERY_SHARE)

    def refused(self, chat: str, *, is_private: bool, retry_after: float, everywhere: bool | None = None) -> None:
        """Learn that the platform wants to be left alone for `retry_after` seconds, in this chat or `everywhere`; None
        where it did not tell."""
        now = self._now()
        bucket = self._bucket(chat, is_private)
        bucket.tokens = min(bucket.tokens, 0.0)
        bucket.share = max(SLOWEST_SHARE, bucket.share / 2)
        self._close(chat, now + retry_after)
        recent = [key for key, at in self._refused_at.items() if now - at <= TOGETHER_SECONDS]
        self._refused_at = {key: self._refused_at[key] for key in recent} | {chat: now}
        if everywhere or (everywhere is None and any(key != chat for key in recent)):
            self._close(ACCOUNT, now + retry_after)

    def _close(self, key: str, until: float) -> None:
        self._closed[key] = max(until, self._closed.get(key, 0.0))

    def _bucket(self, chat: str, is_private: bool) -> _Bucket:
        found = self._chats.get(chat)
        if found is None:
            budget = self._capabilities.private_budget if is_private else self._capabilities.group_budget
            found = self._chats[chat] = _Bucket(budget, max(1.0, budget.burst), self._now())
            if len(self._chats) > KNOWN_CHATS:
                self._chats.popitem(last=False)
        self._chats.move_to_end(chat)
        return found
