"""Which of the things that are to be sent are written down as being sent at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from bot.channel import Adapter, Budget, Capabilities, Content
from bot.delivery.governor import Governor
from bot.delivery.outbox import Outbox, Surroundings
from bot.ledger import Ledger, ParcelDraft, ParcelState
from bot.types import Address

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ONE, TWO = (ParcelDraft(Address("telegram", chat), Content("hi")) for chat in ("1", "2"))
CAPABILITIES = Capabilities(account_budget=Budget(1, 2), private_budget=Budget(1, 1))


class PrivateChats:
    """As much of an adapter as is asked for before anything is sent."""

    capabilities = CAPABILITIES

    def is_private(self, address: Address) -> bool:
        return True


@pytest.fixture
def outbox() -> Outbox:
    governor = Governor(CAPABILITIES, now=NOON.timestamp)
    adapter, ledger = cast(Adapter, PrivateChats()), cast(Ledger, None)
    return Outbox(adapter, ledger, governor, Surroundings(lambda: NOON))


def states(drafts: list[ParcelDraft]) -> list[ParcelState]:
    return [draft.state for draft in drafts]


def test_only_the_first_part_of_an_answer_is_being_sent_at_once(outbox: Outbox) -> None:
    assert states(outbox.begun([ONE, ONE])) == [ParcelState.SENDING, ParcelState.WAITING]
    assert outbox.begun([]) == []


def test_what_the_budget_has_no_room_for_waits(outbox: Outbox) -> None:
    begun = [outbox.begun([draft]) for draft in (ONE, ONE, TWO, replace(TWO, address=Address("telegram", "3")))]
    waiting = ParcelState.WAITING
    assert [states(drafts)[0] for drafts in begun] == [ParcelState.SENDING, waiting, ParcelState.SENDING, waiting]


def test_a_repeat_waits_since_it_begins_otherwise(outbox: Outbox) -> None:
    assert states(outbox.begun([replace(ONE, is_repeat=True)])) == [ParcelState.WAITING]
