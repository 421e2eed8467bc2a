"""Generators by the model's name: made when first needed, one local model in memory at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Self

from bot.protocols import Generator

Opener = Callable[[str], AbstractAsyncContextManager[Generator]]


class GeneratorPool:
    """Opens generators and closes them again, all of them when it is left.

    Where another model is wanted, the oldest of those in memory gives way once its running replies have ended.
    """

    def __init__(self, open_generator: Opener, *, keep: int = 1) -> None:
        self._open = open_generator
        self._keep = keep
        self._stacks: dict[str, AsyncExitStack] = {}
        self._generators: dict[str, Generator] = {}
        self._loading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        for name in list(self._stacks):
            await self._close(name)

    def is_loaded(self, name: str) -> bool:
        """Whether the model answers without being loaded first."""
        return name in self._generators

    async def load(self, name: str) -> Generator:
        """The generator of that model; loads it if need be, once however many ask.

        Raises:
            ModelError: it cannot be loaded.
        """
        if name in self._generators:
            return self._generators[name]
        async with self._loading:
            if name not in self._generators:
                await self._make_room()
                await self._enter(name)
        return self._generators[name]

    async def _make_room(self) -> None:
        while len(self._generators) >= self._keep:
            await self._close(next(iter(self._generators)))

    async def _enter(self, name: str) -> None:
        async with AsyncExitStack() as stack:
            generator = await stack.enter_async_context(self._open(name))
            self._stacks[name] = stack.pop_all()
        self._generators[name] = generator

    async def _close(self, name: str) -> None:
        self._generators.pop(name, None)
        await self._stacks.pop(name).aclose()
