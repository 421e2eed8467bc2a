"""Keeps the files that come with messages, under the data folder, within limits; knows no platform.

A file is named by what is in it (SHA-256), so that one that is sent twice is kept once. Turns name the files they came
with in their evidence, as `attachments`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path, PurePath

from bot.errors import ChannelError, Rejected
from bot.folders import make_private_folder
from bot.types import Attachment

logger = logging.getLogger(__name__)

Fetch = Callable[[Attachment], AsyncIterator[bytes]]
"""Gives the content of a file, in chunks."""

FOLDER = "attachments"
LONGEST_SUFFIX = 12


class Attachments:
    """The folder of files."""

    def __init__(self, home: Path, *, longest_bytes: int) -> None:
        """
        Args:
            home: the data folder.
            longest_bytes: a larger file is not kept.
        """
        self._folder = home / FOLDER
        self._longest_bytes = longest_bytes

    async def keep(self, attachment: Attachment, content: AsyncIterator[bytes]) -> Attachment:
        """Store the content; the attachment as it is known from now on, its `reference` the file's name in the folder.

        Raises:
            ChannelError: it cannot be fetched, or is too large.
            OSError: it cannot be written.
        """
        await asyncio.to_thread(make_private_folder, self._folder)
        digest, size = hashlib.sha256(), 0
        descriptor, temporary = tempfile.mkstemp(dir=self._folder)  # for its owner alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in content:
                    size += len(chunk)
                    if size > self._longest_bytes:
                        raise Rejected(f"> {self._longest_bytes} bytes")
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
            name = digest.hexdigest() + PurePath(attachment.name).suffix[:LONGEST_SUFFIX]
            await asyncio.to_thread(os.replace, temporary, self._folder / name)
        except BaseException:
            await asyncio.to_thread(os.unlink, temporary)
            raise
        return replace(attachment, reference=name, size_bytes=size)

    async def keep_all(self, attachments: tuple[Attachment, ...], fetch: Fetch) -> tuple[Attachment, ...]:
        """Store what can be stored; what cannot stays known, without `reference`."""
        return tuple([await self._kept(each, fetch) for each in attachments])

    async def _kept(self, attachment: Attachment, fetch: Fetch) -> Attachment:
        if not attachment.reference or attachment.size_bytes > self._longest_bytes:
            return replace(attachment, reference="")
        try:
            return await self.keep(attachment, fetch(attachment))
        except (ChannelError, OSError) as error:
            logger.warning("a file that came with a message was not kept: %s", error)
            return replace(attachment, reference="")
