"""The contract kit finds what is wrong with an adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters import contract_platform
from adapters.contract import AdapterContract, Failure
from bot.channel import Content, Intake, PreviewStyle, Receipt, Update
from bot.errors import OutcomeUnknown, StorageError, Unreachable
from bot.types import Address
from docs.examples.line_channel import LineChannel
from tests.adapters.line_hub import TOKEN, LineHub

RULES = AdapterContract()
Rule = Callable[[LineHub, LineChannel], Awaitable[None]]


class Hasty(LineChannel):
    """Tells the platform first."""

    async def run(self, intake: Intake) -> None:
        while True:
            if told := await self._ask("next"):
                await self._ask("forget", update=told["update"])
                await intake.accept(self._read(told))


class Frail(LineChannel):
    """Ends where the store fails."""

    async def run(self, intake: Intake) -> None:
        with suppress(StorageError):
            while told := await self._ask("next"):
                await intake.accept(self._read(told))


class Stubborn(LineChannel):
    """Goes on when it is cancelled."""

    async def run(self, intake: Intake) -> None:
        with suppress(asyncio.CancelledError):
            await super().run(intake)


class Forgetful(LineChannel):
    """Takes each telling for news."""

    def _read(self, told: dict[str, Any]) -> list[Update]:
        self.count = getattr(self, "count", 0) + 1
        return [replace(update, id=str(self.count), detail="") for update in super()._read(told)]


class Careless(LineChannel):
    """Tells edits of the same second not apart."""

    def _read(self, told: dict[str, Any]) -> list[Update]:
        return [replace(update, id="", detail="") for update in super()._read(told)]


class Strict(LineChannel):
    """Stumbles over what it cannot read."""

    def _read(self, told: dict[str, Any]) -> list[Update]:
        updates = super()._read(told)
        if not updates:
            raise Unreachable("nonsense")
        return updates


class Cutting(LineChannel):
    """Cuts what is long."""

    async def send(self, address: Address, content: Content) -> Receipt:
        return await super().send(address, Content(content.text[:100]))


class Guessing(LineChannel):
    """Does not know what happened."""

    async def _ask(self, do: str, **question: str) -> dict[str, Any]:
        try:
            return await super()._ask(do, **question)
        except Unreachable as error:
            raise OutcomeUnknown(error.reason) from None


class Hopeful(LineChannel):
    """Takes what may have arrived for what did not."""

    async def _ask(self, do: str, **question: str) -> dict[str, Any]:
        try:
            return await super()._ask(do, **question)
        except OutcomeUnknown as error:
            raise Unreachable(error.reason) from None


class Boastful(LineChannel):
    """Declares previews that it cannot show."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.capabilities = replace(self.capabilities, can_edit=False, private_preview=PreviewStyle.EDIT)


async def _fails(failure: Failure, hub: LineHub, adapter: LineChannel) -> None:
    address = await RULES.met(hub, adapter, contract_platform.Place.ANN)
    await RULES.test_a_failure_is_told_as_what_it_is(hub, adapter, address, failure, _sending)


async def _sending(adapter: Any, address: Address) -> Callable[[Content], Awaitable[object]]:
    return partial(adapter.send, address)


async def _long(hub: LineHub, adapter: LineChannel) -> None:
    await RULES.test_the_longest_text_is_sent(hub, adapter, await RULES.met(hub, adapter, contract_platform.Place.ANN))


async def _cut_off(hub: LineHub, adapter: LineChannel) -> None:
    address = await RULES.met(hub, adapter, contract_platform.Place.ANN)
    await RULES.test_where_no_connection_comes_about_nothing_was_sent(hub, adapter, address, _sending)


async def _early(hub: LineHub, adapter: LineChannel) -> None:
    await RULES.test_the_platform_is_not_told_before_it_is_kept(hub, "the store takes long")


async def _declared(hub: LineHub, adapter: LineChannel) -> None:
    await RULES.test_what_it_declares_is_consistent(hub)


FAULTS: dict[type[LineChannel], Rule] = {
    Hasty: _early,
    Frail: RULES.test_what_cannot_be_kept_is_tried_again,
    Stubborn: RULES.test_messages_arrive_in_order_and_are_told_apart,
    Forgetful: RULES.test_an_update_that_comes_again_is_known,
    Careless: RULES.test_edits_arrive_and_are_told_apart,
    Strict: RULES.test_what_cannot_be_read_does_not_hold_up_the_rest,
    Cutting: _long,
    Guessing: _cut_off,
    Hopeful: partial(_fails, Failure.OUTCOME_UNKNOWN),
    Boastful: _declared,
}


class HubOf(LineHub):
    """A hub whose adapters are of one class."""

    def __init__(self, adapter_class: type[LineChannel]) -> None:
        super().__init__()
        self._class = adapter_class

    def adapter(self) -> LineChannel:
        config = LineChannel.Config.model_validate({"port": self.port, "token": TOKEN})
        return self._class(config, name="lines", home=Path(), sleep=_soon)


async def _soon(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def impatience(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """What never comes is not waited for so long."""
    monkeypatch.setattr(contract_platform, "DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(contract_platform, "PROMPT_SECONDS", 0.5)
    yield


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("adapter_class", FAULTS, ids=lambda adapter_class: adapter_class.__name__)
async def test_a_faulty_adapter_does_not_pass(adapter_class: type[LineChannel]) -> None:
    async with HubOf(adapter_class) as hub, hub.adapter() as adapter:
        with pytest.raises((AssertionError, TimeoutError)):
            await FAULTS[adapter_class](hub, adapter)


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("rule", FAULTS.values(), ids=[each.__name__ for each in FAULTS])
async def test_a_sound_adapter_passes(rule: Rule) -> None:
    async with HubOf(LineChannel) as hub, hub.adapter() as adapter:
        await rule(hub, adapter)
