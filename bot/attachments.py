"""Keeps the files that come with messages, under the data folder, within limits; knows no platform.

A file is named by what is in it (SHA-256), so that one that is sent twice is kept once. Turns name the files they came
with in their evidence, as `attachments`; a file that no turn names any more is removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePath

from bot.errors import ChannelError, Rejected
from bot.folders import make_private_folder
from bot.types import Attachment, Evidence

logger = logging.getLogger(__name__)

Fetch = Callable[[Attachment], AsyncIterator[bytes]]
"""Gives the content of a file, in chunks."""

FOLDER = "attachments"
LONGEST_SUFFIX = 12
UNCLAIMED_SECONDS = 86_400.0
"""How old a file must be to be swept away: the turn of a younger one may not be stored yet."""


def kept_names(evidence: Evidence) -> set[str]:
    """The files that a turn with this evidence came with, by their names in the folder."""
    attachments = evidence.get("attachments")
    found = attachments if isinstance(attachments, list) else []
    return {str(each["reference"]) for each in found if isinstance(each, dict) and each.get("reference")}


class Attachments:
    """The folder of files."""

    def __init__(self, home: Path, *, longest_bytes: int, in_use: Callable[[], Awaitable[set[str]]]) -> None:
        """
        Args:
            home: the data folder.
            longest_bytes: a larger file is not kept.
            in_use: gives the names of the files that turns came with.
        """
        self._in_use = in_use
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

    async def discard(self, names: Iterable[str]) -> None:
        """Remove these files, except those that other turns came with, too.

        Raises:
            StorageError: which those are cannot be read.
        """
        if wanted := set(names):
            await asyncio.to_thread(self._remove, wanted - await self._in_use())

    async def sweep(self) -> None:
        """Remove every file that no turn came with: its message was deleted while it was answered, say.

        Raises:
            StorageError: which are in use cannot be read.
        """
        if found := await asyncio.to_thread(self._aged):
            await asyncio.to_thread(self._remove, found - await self._in_use())

    def _aged(self) -> set[str]:
        oldest = time.time() - UNCLAIMED_SECONDS
        files = self._folder.iterdir() if self._folder.is_dir() else ()
        return {path.name for path in files if path.stat().st_mtime < oldest}

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                (self._folder / name).unlink(missing_ok=True)
            except OSError as error:
                logger.warning("a file that is no longer wanted could not be removed: %s", error)

    async def _kept(self, attachment: Attachment, fetch: Fetch) -> Attachment:
        if not attachment.reference or attachment.size_bytes > self._longest_bytes:
            return replace(attachment, reference="")
        try:
            return await self.keep(attachment, fetch(attachment))
        except (ChannelError, OSError) as error:
            logger.warning("a file that came with a message was not kept: %s", error)
            return replace(attachment, reference="")
