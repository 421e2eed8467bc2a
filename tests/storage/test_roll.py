"""The roll: how people stand on a channel, and the codes by which they ask to be let in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.people import CODE_VALID_SECONDS, Member, PairingRequest, Roll, Standing
from tests.storage.values import NOON

VALID = timedelta(seconds=CODE_VALID_SECONDS)
ANN = PairingRequest("abc", "telegram", "bot", "42", "Ann", "-100", NOON)


async def ask(roll: Roll, request: PairingRequest = ANN, **changes: Any) -> str:
    """Open a code for somebody, by default for Ann."""
    asked = replace(request, **changes)
    who = (asked.channel, asked.account, asked.person_id, asked.name, asked.chat)
    return await roll.open_code(asked.code, *who, at=asked.created_at)


async def test_nobody_is_on_a_fresh_roll(roll: Roll) -> None:
    assert await roll.standing("telegram", "bot", "42") is None
    assert await roll.people() == []
    assert not await roll.has_owner("telegram", "bot")
    assert await roll.codes() == []


async def test_a_person_is_put_on_the_roll_changed_and_taken_off_it(roll: Roll) -> None:
    for standing in (*Standing, None):
        await roll.set_standing("telegram", "bot", "42", "Ann", standing, at=NOON)
        assert await roll.standing("telegram", "bot", "42") is standing
    assert await roll.people() == []


async def test_what_is_no_standing_is_not_kept(roll: Roll) -> None:
    with pytest.raises(ValueError, match="king"):
        await roll.set_standing("telegram", "bot", "42", "Ann", "king", at=NOON)  # type: ignore[arg-type] # on purpose
    assert await roll.people() == []


async def test_people_stand_on_each_account_for_themselves(roll: Roll) -> None:
    await roll.set_standing("telegram", "bot", "42", "Ann", Standing.OWNER, at=NOON)
    for place in (("telegram", "other"), ("discord", "bot")):
        assert await roll.standing(*place, "42") is None
        assert not await roll.has_owner(*place)
    assert await roll.has_owner("telegram", "bot")


async def test_owners_are_listed_first_then_by_name(roll: Roll) -> None:
    wanted = [
        Member("telegram", "bot", "4", "Zoe", Standing.OWNER, NOON),
        Member("telegram", "bot", "1", "ann", Standing.BLOCKED, NOON),
        Member("discord", "bot", "2", "Bob", Standing.ALLOWED, NOON),
    ]
    for member in reversed(wanted):
        await roll.set_standing(
            member.channel, member.account, member.person_id, member.name, member.standing, at=member.at
        )
    assert await roll.people() == wanted
    assert await roll.people("telegram") == wanted[:2]


async def test_a_code_is_good_once(roll: Roll) -> None:
    assert await ask(roll) == "abc"
    assert await roll.codes() == [ANN]
    assert await roll.take_code("abd", at=NOON) is None
    assert await roll.take_code("abc", at=NOON) == ANN
    assert await roll.take_code("abc", at=NOON) is None
    assert await roll.codes() == []


async def test_of_many_who_take_a_code_at_once_one_gets_it(roll: Roll) -> None:
    await ask(roll)
    taken = await asyncio.gather(*(roll.take_code("abc", at=NOON) for _ in range(10)))
    assert [request for request in taken if request] == [ANN]


async def test_a_person_keeps_a_code_as_long_as_it_is_good(roll: Roll) -> None:
    await ask(roll)
    assert await ask(roll, code="new") == "abc"
    assert await ask(roll, code="other", account="other") == "other"
    late = PairingRequest("new", "telegram", "bot", "42", "Ann", "-100", NOON + VALID)
    assert await ask(roll, late) == "new"
    assert await roll.codes() == [late]


async def test_a_code_that_is_too_old_lets_nobody_in(roll: Roll) -> None:
    await ask(roll)
    assert await roll.take_code("abc", at=NOON + VALID) is None
    assert await roll.codes() == []


async def test_a_code_that_is_somebody_elses_is_refused(roll: Roll) -> None:
    await ask(roll)
    with pytest.raises(ValueError, match="somebody else"):
        await ask(roll, person_id="43")
    assert await roll.codes() == [ANN]
