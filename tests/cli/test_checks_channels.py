"""What `parley doctor` says of what arrived and of what was to be delivered."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.cli.checks import Finding, Patient, Status
from bot.cli.checks_channels import check_inbox
from bot.config import load
from bot.texts import Texts
from storage import open_books
from tests.storage.values import NOON, arrived


def look() -> Finding:
    return check_inbox(Patient(load(), Texts("en"), {}))


async def give_up_two() -> None:
    async with open_books(load().database_url) as books:
        for number in (1, 2):
            [arrival] = await books.ledger.accept([arrived("Who takes arsenic?", number)], at=NOON)
            await books.ledger.finish([arrival.id], at=NOON + timedelta(hours=number), are_given_up=True)


def test_where_nothing_was_given_up_all_is_well() -> None:
    assert look().status is Status.OK


def test_what_was_given_up_is_told_with_its_time_and_without_its_words() -> None:
    asyncio.run(give_up_two())
    finding = look()
    assert finding.status is Status.WARNING
    assert "2 messages were given up, since the program ended each time" in finding.found
    assert "2026-03-04 14:00:00" in finding.found
    assert "arsenic" not in finding.found
    assert "log" in finding.mend
