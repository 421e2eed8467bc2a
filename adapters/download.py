"""Fetches a file over HTTP for adapters, piece by piece and within a limit. Knows no platform."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import httpx

from bot.errors import Rejected, Unreachable

TIMEOUT_SECONDS = 10.0


async def download(
    url: str, size_bytes: int, *, longest_bytes: int, proxy: str | None, too_big: str
) -> AsyncIterator[bytes]:
    """The content in chunks.

    Args:
        url: where it is.
        size_bytes: its size, as the platform told it; 0 where it did not.
        longest_bytes: more than this is refused, at the latest as soon as it has come.
        proxy: a URL, if any.
        too_big: the text that tells a person that it is.

    Raises:
        Rejected: it is too big.
        Unreachable: it cannot be fetched, or not to the end.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses, which may hold a secret
    size = 0
    if size_bytes > longest_bytes:
        raise _too_big(longest_bytes, too_big)
    try:
        async with httpx.AsyncClient(proxy=proxy, timeout=TIMEOUT_SECONDS) as web, web.stream("GET", url) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                size += len(chunk)
                if size > longest_bytes:
                    raise _too_big(longest_bytes, too_big)
                yield chunk
    except httpx.HTTPError as error:
        raise Unreachable(f"{type(error).__name__} while downloading") from None


def _too_big(longest_bytes: int, key: str) -> Rejected:
    return Rejected(f"> {longest_bytes / 1e6:.0f} MB", key=key)
