"""Access: who is answered, who gets a code, who has to slow down."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest

from bot.access import (
    MOST_OPEN_CODES,
    REPEAT_AFTER,
    Access,
    AccessSettings,
    Allowed,
    Pairing,
    Reason,
    Refused,
    Silent,
    Verdict,
)
from bot.config import AccessSection
from bot.errors import StorageError
from bot.pairing import ALPHABET, admit, draw_code, normal_code
from bot.people import Standing
from bot.places import Place
from bot.texts import Texts
from bot.types import Address, Message, Person
from tests.fake_roll import FakeRoll

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNKNOWN = Silent(Reason.UNKNOWN)


@dataclass
class Door:
    """Access over a roll in memory, at a time that the test sets."""

    settings: AccessSettings = field(default_factory=AccessSettings)
    options: dict[str, Any] = field(default_factory=dict)
    roll: FakeRoll = field(default_factory=FakeRoll)
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.access = Access(self.roll, self.settings, now=lambda: self.now, **self.options)

    async def private(self, person: str = "7", text: str = "hi", *, is_bot: bool = False) -> Verdict:
        """What is decided about a private message."""
        address = Address("telegram", person, "mybot")
        return await self.access.decide(Message(address, Person(person, "Ann", is_bot=is_bot), text, self.now))

    async def group(self, person: str = "7", *, chat: str = "-100", addressed: bool = True) -> Verdict:
        """What is decided about a message in a group."""
        address = Address("telegram", chat, "mybot")
        message = Message(address, Person(person), "hi", self.now, is_private=False, is_addressed=addressed)
        return await self.access.decide(message)

    async def put(self, person: str, standing: Standing, *, account: str = "mybot") -> None:
        await self.roll.set_standing("telegram", account, person, "", standing, at=self.now)

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


def door(**settings: Any) -> Door:
    return Door(AccessSettings(**settings))


# -- who is answered in private -----------------------------------------------------------------------------


async def test_a_bot_is_never_answered_not_even_where_all_are() -> None:
    assert await door(mode="open").private(is_bot=True) == Silent(Reason.BOT)


async def test_everybody_is_answered_where_the_mode_is_open() -> None:
    assert await door(mode="open").private() == Allowed()


async def test_a_stranger_is_passed_over_where_only_the_allowed_are_answered() -> None:
    there = door(mode="allow")
    assert await there.private() == UNKNOWN
    assert there.roll.requests == []


@pytest.mark.parametrize("mode", ["pairing", "allow", "open"])
@pytest.mark.parametrize(
    ("standing", "verdict"),
    [
        (Standing.OWNER, Allowed(is_owner=True)),
        (Standing.ALLOWED, Allowed()),
        (Standing.BLOCKED, Silent(Reason.BLOCKED)),
    ],
)
@pytest.mark.parametrize("account", ["mybot", ""])
async def test_the_roll_says_who_is_answered(mode: str, standing: Standing, verdict: Verdict, account: str) -> None:
    there = door(mode=mode)
    await there.put("7", standing, account=account)
    assert await there.private("7") == verdict


async def test_the_roll_of_another_account_does_not_count() -> None:
    there = door(mode="allow")
    await there.put("7", Standing.OWNER, account="otherbot")
    assert await there.private("7") == UNKNOWN


@pytest.mark.parametrize(
    ("key", "verdict"),
    [("owners", Allowed(is_owner=True)), ("allowed", Allowed()), ("blocked", Silent(Reason.BLOCKED))],
)
async def test_the_configuration_says_who_is_answered(key: str, verdict: Verdict) -> None:
    there = Door(AccessSettings(mode="allow", **{key: ("telegram:7", "discord:8")}))  # type: ignore[arg-type]
    assert await there.private("7") == verdict
    assert await there.private("8") == UNKNOWN


async def test_blocked_on_the_roll_wins_over_allowed_in_the_configuration() -> None:
    there = door(allowed=("telegram:7",))
    await there.put("7", Standing.BLOCKED)
    assert await there.private("7") == Silent(Reason.BLOCKED)


async def test_blocked_everywhere_wins_over_allowed_on_one_account() -> None:
    there = door()
    await there.put("7", Standing.OWNER)
    await there.put("7", Standing.BLOCKED, account="")
    assert await there.private("7") == Silent(Reason.BLOCKED)


async def test_a_configured_owner_cannot_be_locked_out() -> None:
    there = door(owners=("telegram:7",), blocked=("telegram:7",))
    await there.put("7", Standing.BLOCKED)
    assert await there.private("7") == Allowed(is_owner=True)


async def test_the_mode_of_a_channel_or_chat_wins_over_the_general_one() -> None:
    there = door(mode="open", modes={"telegram": "allow", "telegram/8": "open"})
    assert await there.private("7") == UNKNOWN
    assert await there.private("8") == Allowed()


# -- groups -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["pairing", "allow"])
async def test_a_stranger_in_a_group_gets_neither_an_answer_nor_a_code(mode: str) -> None:
    there = door(mode=mode)
    assert await there.group() == UNKNOWN
    assert there.roll.requests == []


async def test_an_allowed_person_is_answered_in_any_group_when_they_address_the_assistant() -> None:
    there = door(allowed=("telegram:7",))
    assert await there.group("7") == Allowed()
    assert await there.group("7", addressed=False) == Silent(Reason.NOT_ADDRESSED)


@pytest.mark.parametrize("settings", [{"allowed": ("telegram/-100",)}, {"modes": {"telegram/-100": "open"}}])
async def test_everybody_is_answered_in_a_group_that_is_allowed_or_open(settings: dict[str, Any]) -> None:
    there = door(**settings)
    assert await there.group("7") == Allowed()
    assert await there.group("7", chat="-200") == UNKNOWN


async def test_nobody_is_answered_in_a_blocked_chat() -> None:
    there = door(mode="open", owners=("telegram:7",), blocked=("telegram/-100",))
    assert await there.group("7") == Silent(Reason.BLOCKED)


async def test_a_blocked_person_is_passed_over_in_an_allowed_group() -> None:
    there = door(allowed=("telegram/-100",), blocked=("telegram:7",))
    assert await there.group("7") == Silent(Reason.BLOCKED)


async def test_an_owner_is_known_as_one_in_a_group() -> None:
    assert await door(owners=("telegram:7",)).group("7") == Allowed(is_owner=True)


async def test_what_is_said_past_the_assistant_costs_nobody_their_messages() -> None:
    there = door(allowed=("telegram/-100",), messages_per_minute=1)
    assert [await there.group(addressed=False) for _ in range(5)] == [Allowed()] * 5
    assert await there.group() == Allowed()


# -- pairing ------------------------------------------------------------------------------------------------


async def test_a_stranger_is_told_a_code_once_and_who_confirms_it() -> None:
    there = door(owners=("telegram:1",))
    verdict = await there.private()
    assert isinstance(verdict, Pairing)
    assert verdict.first
    told = verdict.told(Texts("en"))
    assert f"/pair {verdict.code}" in told
    assert f"parley pair {verdict.code}" in told
    assert "60 minutes" in told
    assert await there.private() == Silent(Reason.TOLD_ALREADY)


async def test_where_there_is_no_owner_yet_a_stranger_is_told_how_to_become_it() -> None:
    there = door(owners=("discord:1",))
    verdict = await there.private()
    assert isinstance(verdict, Pairing)
    told = verdict.told(Texts("en"))
    assert "I have no owner yet" in told and f"\nparley pair {verdict.code}\n" in told and "/pair" not in told
    there.later(minutes=10)
    again = await there.private()
    assert isinstance(again, Pairing) and "I still have no owner" in again.told(Texts("en"))
    await there.put("1", Standing.OWNER)
    other = await there.private("8")
    assert isinstance(other, Pairing) and "tell my owner this code" in other.told(Texts("en"))


async def test_the_same_code_is_told_again_after_a_while_with_the_time_that_is_left() -> None:
    there = door()
    first = await there.private()
    assert isinstance(first, Pairing)
    there.later(seconds=REPEAT_AFTER.total_seconds())
    assert await there.private() == Pairing(first.code, first=False, minutes=55, is_owned=False)
    assert await there.private() == Silent(Reason.TOLD_ALREADY)


async def test_a_code_that_ran_out_is_followed_by_a_new_one() -> None:
    there = door(pairing_minutes=10)
    first = await there.private()
    there.later(minutes=10)
    second = await there.private()
    assert isinstance(first, Pairing)
    assert isinstance(second, Pairing)
    assert second.first
    assert second.code != first.code


async def test_whoever_was_let_in_is_answered_at_once() -> None:
    there = door()
    verdict = await there.private()
    assert isinstance(verdict, Pairing)
    request = await there.roll.take_code(verdict.code, at=there.now)
    assert request is not None
    assert await admit(there.roll, request, Standing.ALLOWED, at=there.now) is Standing.ALLOWED
    assert await there.private() == Allowed()


async def test_being_let_in_neither_unblocks_nor_demotes() -> None:
    there = door()
    for person, standing in (("7", Standing.BLOCKED), ("8", Standing.OWNER)):
        await there.private(person)
        await there.put(person, standing)
        assert await admit(there.roll, there.roll.requests[-1], Standing.ALLOWED, at=there.now) is standing
        assert await there.roll.standing("telegram", "mybot", person) is standing


async def test_strangers_cannot_fill_the_roll() -> None:
    there = door()
    for number in range(MOST_OPEN_CODES):
        assert isinstance(await there.private(f"s{number}"), Pairing)
    assert await there.private("one too many") == Silent(Reason.TOO_MANY_REQUESTS)
    assert len(there.roll.requests) == MOST_OPEN_CODES


async def test_strangers_cannot_fill_the_roll_all_at_once_either() -> None:
    there = door()
    await asyncio.gather(*(there.private(f"s{number}") for number in range(3 * MOST_OPEN_CODES)))
    assert len(there.roll.requests) == MOST_OPEN_CODES


async def test_codes_that_ran_out_make_room() -> None:
    there = door()
    for number in range(MOST_OPEN_CODES):
        await there.private(f"s{number}")
    there.later(hours=1)
    assert isinstance(await there.private("new"), Pairing)


async def test_a_code_that_somebody_else_has_is_drawn_again() -> None:
    there = Door(options={"draw": cycle(["AAAAAAAA", "AAAAAAAA", "BBBBBBBB"]).__next__})
    assert await there.private("7") == Pairing("AAAAAAAA", first=True, minutes=60, is_owned=False)
    assert await there.private("8") == Pairing("BBBBBBBB", first=True, minutes=60, is_owned=False)


async def test_a_stranger_is_told_their_code_once_the_roll_can_be_written_again() -> None:
    class Broken(FakeRoll):
        async def codes(self) -> Any:
            raise StorageError("storage.locked", place="here")

    there = door()
    there.access = Access(Broken(), there.settings, now=lambda: there.now)
    for _ in range(2):
        with pytest.raises(StorageError):
            await there.private()


async def test_somebody_whom_the_channel_does_not_name_gets_no_code() -> None:
    assert await door().private("") == UNKNOWN


def test_codes_are_long_and_leave_out_what_looks_alike() -> None:
    codes = {draw_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch(f"[{ALPHABET}]{{8}}", code) for code in codes)
    assert not set("ILO01") & set(ALPHABET)


@pytest.mark.parametrize("typed", ["ABCD2345", "abcd2345", " abcd-2345 ", "ABCD 2345"])
def test_a_code_may_be_typed_in_any_way(typed: str) -> None:
    assert normal_code(typed) == "ABCD2345"


# -- limits -------------------------------------------------------------------------------------------------


async def test_who_writes_too_much_is_told_once_when_to_go_on() -> None:
    there = door(mode="open", messages_per_minute=3)
    assert [await there.private() for _ in range(2)] == [Allowed()] * 2
    there.later(seconds=20)
    assert await there.private() == Allowed()
    refused = await there.private()
    assert isinstance(refused, Refused)
    assert "40 seconds" in refused.told(Texts("en"))
    assert await there.private() == Silent(Reason.TOLD_ALREADY)
    there.later(seconds=40)
    assert [await there.private() for _ in range(2)] == [Allowed()] * 2


async def test_who_goes_on_too_fast_after_the_promised_time_is_told_again() -> None:
    there = door(mode="open", messages_per_minute=3)
    for _ in range(3):
        await there.private()
        there.later(seconds=18)
    refused = await there.private()
    assert isinstance(refused, Refused) and "6 seconds" in refused.told(Texts("en"))
    there.later(seconds=5)
    assert await there.private() == Silent(Reason.TOLD_ALREADY)
    there.later(seconds=1)
    assert await there.private() == Allowed()
    again = await there.private()
    assert isinstance(again, Refused) and "18 seconds" in again.told(Texts("en"))


async def test_an_owners_commands_are_answered_however_much_they_wrote() -> None:
    there = door(owners=("telegram:1",), messages_per_minute=1)
    await there.put("7", Standing.ALLOWED)
    assert [await there.private("1", "/people") for _ in range(3)] == [Allowed(is_owner=True)] * 3
    assert await there.private("1") == Allowed(is_owner=True)
    assert isinstance(await there.private("1"), Refused)
    assert await there.private("1", "/people") == Allowed(is_owner=True)
    assert await there.private("7", "/calc 1") == Allowed()
    assert isinstance(await there.private("7", "/calc 1"), Refused)


async def test_the_limit_slides_and_is_told_once_a_minute_however_long_it_lasts() -> None:
    there = door(mode="open", messages_per_minute=5)
    told, answered = 0, 0
    for _ in range(300):
        verdict = await there.private()
        told += isinstance(verdict, Refused)
        answered += verdict == Allowed()
        there.later(seconds=1)
    assert (told, answered) == (5, 25)


async def test_what_was_written_while_the_program_was_away_counts_for_when_it_was_written() -> None:
    there = door(mode="open", messages_per_minute=1)
    address = Address("telegram", "7", "mybot")
    written = [Message(address, Person("7"), "hi", NOON - timedelta(minutes=age)) for age in (30, 20, 10)]
    assert [await there.access.decide(message) for message in written] == [Allowed()] * 3


async def test_one_person_does_not_use_up_the_messages_of_another() -> None:
    there = door(mode="open", messages_per_minute=1)
    assert await there.private("7") == Allowed()
    assert await there.private("8") == Allowed()


async def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    there = door(mode="open", messages_per_minute=1)
    await there.private()
    await there.private()
    there.later(days=-1)
    assert await there.private() == Allowed()


async def test_a_message_that_is_too_long_is_refused_with_figures() -> None:
    there = door(mode="open", longest_message=10)
    assert await there.private(text="x" * 10) == Allowed()
    refused = await there.private(text="x" * 11)
    assert isinstance(refused, Refused)
    assert "11 characters" in refused.told(Texts("en"))
    assert "10 at most" in refused.told(Texts("en"))


async def test_zero_is_no_limit() -> None:
    there = door(mode="open", messages_per_minute=0, longest_message=0)
    assert [await there.private(text="x" * 100_000) for _ in range(100)] == [Allowed()] * 100


async def test_what_is_remembered_of_people_is_bounded() -> None:
    there = Door(AccessSettings(modes={"telegram/open": "open"}), {"remembered_people": 10})
    for number in range(50):
        await there.private(f"s{number}")
        await there.group(f"s{number}", chat="open")
    assert (len(there.access._told), len(there.access._windows)) == (10, 10)


async def test_of_people_those_who_wrote_last_are_remembered() -> None:
    there = Door(AccessSettings(mode="open", messages_per_minute=1), {"remembered_people": 2})
    for person in ("7", "8", "7", "9"):
        await there.private(person)
    assert await there.private("7") == Silent(Reason.TOLD_ALREADY)
    assert await there.private("8") == Allowed()


def test_the_keys_of_the_configuration_are_the_settings() -> None:
    assert AccessSettings(**AccessSection().model_dump()) == AccessSettings()


# -- who is answered in a place -----------------------------------------------------------------------------


async def test_who_is_not_meant_in_a_place_is_told_so_once_an_hour() -> None:
    there, place = door(mode="open"), Place(chat={"who": "admins"})
    message = Message(Address("telegram", "-100", "mybot"), Person("7"), "hi", NOON, is_private=False)
    assert await there.access.decide(message, place) == Refused("access.only_admins", {})
    assert await there.access.decide(message, place) == Silent(Reason.NOT_AMONG)
    there.later(minutes=61)
    assert isinstance(await there.access.decide(message, place), Refused)
    assert await there.access.decide(replace(message, is_from_admin=True), place) == Allowed()
    assert await there.access.decide(replace(message, is_private=True), place) == Allowed()


async def test_an_owner_is_answered_whoever_is_meant() -> None:
    there, place = door(mode="open", owners=("telegram:7",)), Place(server={"who": "Cooks"})
    message = Message(Address("telegram", "-100", "mybot"), Person("7"), "hi", NOON, is_private=False)
    assert await there.access.decide(message, place) == Allowed(is_owner=True)


async def test_a_role_whose_name_is_markup_is_told_without_it() -> None:
    there, place = door(mode="open"), Place(chat={"who": "@everyone, **Cooks**, *"})
    message = Message(Address("telegram", "-100", "mybot"), Person("7"), "hi", NOON, is_private=False)
    assert await there.access.decide(message, place) == Refused("access.not_among", {"roles": "everyone, Cooks"})
