"""`parley pair` and `parley people`, as somebody types them, over the real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from bot.access import Access, AccessSettings, Allowed, Pairing, Silent, Verdict
from bot.cli import main
from bot.config import load
from bot.people import Roll, Standing
from bot.texts import Texts
from bot.types import Address, Message, Person
from storage import open_books

T = TypeVar("T")


def on_roll(work: Callable[[Roll], Awaitable[T]]) -> T:
    """What `work` returns, given the roll that the program uses."""

    async def open_and_work() -> T:
        async with open_books(load().database_url) as books:
            return await work(books.roll)

    return asyncio.run(open_and_work())


def ask(
    person: str = "7", name: str = "Ann", *, minutes_ago: int = 0, channel: str = "telegram", language: str = ""
) -> str:
    """The code that a stranger gets who wrote then."""
    verdict = write(person, name, minutes_ago=minutes_ago, channel=channel, language=language)
    assert isinstance(verdict, Pairing)
    return verdict.code


def write(
    person: str = "7", name: str = "Ann", *, minutes_ago: int = 0, channel: str = "telegram", language: str = ""
) -> Verdict:
    """What is decided about a private message."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    message = Message(Address(channel, person, "mybot"), Person(person, name, language), "hi", at)
    settings = AccessSettings(**load().settings.access.model_dump())
    return on_roll(lambda roll: Access(roll, settings, now=lambda: at).decide(message))


def posted() -> list[str]:
    """What is on its way to people."""

    async def read() -> list[str]:
        async with open_books(load().database_url) as books:
            return [parcel.content.text for parcel in await books.ledger.parcels()]

    return asyncio.run(read())


def configure(text: str) -> None:
    Path("parley.toml").write_text(text, encoding="utf-8")


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What the program says, wherever it says it."""
    capsys.readouterr()
    assert main(arguments) == status
    output = capsys.readouterr()
    assert bool(output.err) == (status != 0 and not output.out)
    return output.out + output.err


# -- pair ---------------------------------------------------------------------------------------------------


def test_the_first_one_confirmed_in_the_terminal_is_the_owner_and_the_next_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = told(capsys, "pair", ask("7", "Ann"))
    assert "Ann (telegram:7) is let in as an owner" in first
    assert "There was no owner on telegram yet" in first
    assert write("7") == Allowed(is_owner=True)
    second = told(capsys, "pair", ask("8", "Bob").lower())
    assert second == "Bob (telegram:8) is let in, and is answered from now on.\n"
    assert write("8") == Allowed()


def test_every_channel_has_its_own_first_owner(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "pair", ask("7"))
    assert "no owner on discord" in told(capsys, "pair", ask("8", channel="discord"))


def test_where_an_owner_is_configured_the_first_one_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    configure('[access]\nowners = ["telegram:1"]\n')
    assert "owner" not in told(capsys, "pair", ask("7"))
    assert write("7") == Allowed()


def test_an_owner_made_by_hand_is_an_owner_of_every_account(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "people", "owner", "telegram:1")
    assert "owner" not in told(capsys, "pair", ask("7"))


def test_one_more_owner_is_made_when_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "pair", ask("7"))
    assert "as an owner" in told(capsys, "pair", "--owner", ask("8"))
    assert write("8") == Allowed(is_owner=True)


@pytest.mark.parametrize("code", ["WRONG234", "–", "x" * 500])
def test_a_wrong_code_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str], code: str) -> None:
    said = told(capsys, "pair", code, status=1)
    assert "can write to the assistant again" in said
    assert len(said) < 400


def test_a_code_is_good_once_and_not_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    used, old = ask("7"), ask("8", minutes_ago=61)
    told(capsys, "pair", used)
    assert "older than 60 minutes" in told(capsys, "pair", used, status=1)
    assert "older than 60 minutes" in told(capsys, "pair", old, status=1)
    assert not isinstance(write("8"), Allowed)


def test_how_long_a_code_is_good_can_be_configured(capsys: pytest.CaptureFixture[str]) -> None:
    configure("[access]\npairing_minutes = 120\n")
    assert "is let in" in told(capsys, "pair", ask("8", minutes_ago=61))


def test_without_a_code_those_who_wait_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "pair") == "Nobody is waiting to be let in.\n"
    old, new = ask("7", "Old", minutes_ago=61), ask("8", "Ann\x1b[2J")
    listed = told(capsys, "pair")
    assert f"{new} · Ann[2J (telegram:8), since" in listed
    assert old not in listed


def test_somebody_who_was_blocked_since_is_not_let_in(capsys: pytest.CaptureFixture[str]) -> None:
    code = ask("7")
    told(capsys, "people", "block", "telegram:7")
    assert "parley people allow telegram:7" in told(capsys, "pair", code, status=1)
    assert isinstance(write("7"), Silent)


@pytest.mark.parametrize(("language", "news"), [("zh-hans", "zh"), ("en", "en"), ("", "en")])
def test_whoever_is_let_in_is_told_so_in_their_own_language(
    language: str, news: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, "pair", ask("7", language=language))
    assert posted() == [Texts(news).get("access.paired")]


# -- people -------------------------------------------------------------------------------------------------


def test_people_are_let_in_and_out_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    for action, verdict in (
        ("allow", Allowed()),
        ("owner", Allowed(is_owner=True)),
        ("block", Silent),
    ):
        assert "telegram:7" in told(capsys, "people", action, "telegram:7")
        found = write("7")
        assert isinstance(found, Silent) if verdict is Silent else found == verdict
    told(capsys, "people", "remove", "telegram:7")
    assert isinstance(write("7"), Pairing)


@pytest.mark.parametrize("action", ["allow", "owner"])
def test_somebody_who_waits_can_be_let_in_by_their_id_and_is_told_so(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ask("7", "Ann", language="zh")
    told(capsys, "people", action, "telegram:7")
    assert posted() == [Texts("zh").get("access.paired")]
    assert "Ann (telegram:7)" in told(capsys, "people")
    assert told(capsys, "pair") == "Nobody is waiting to be let in.\n"


def test_somebody_who_was_paired_can_be_blocked_and_keeps_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "pair", ask("7", "Ann"))
    told(capsys, "people", "block", "telegram:7")
    assert isinstance(write("7"), Silent)
    [member] = on_roll(lambda roll: roll.people())
    assert (member.account, member.name, member.standing) == ("mybot", "Ann", Standing.BLOCKED)


def test_everybody_is_listed_also_who_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "people") == "Nobody is on the roll yet.\n"
    told(capsys, "pair", ask("7", "Ann"))
    configure('[access]\nallowed = ["telegram/-100"]\n')
    listed = told(capsys, "people")
    assert "owner: Ann (telegram:7), since 20" in listed
    assert "allowed: telegram/-100, by the configuration" in listed


@pytest.mark.parametrize("person", ["ann", "telegram:", ":7", "telegram/-100", "telegram/a:7"])
def test_what_is_no_person_is_refused_with_an_example(capsys: pytest.CaptureFixture[str], person: str) -> None:
    assert "telegram:12345" in told(capsys, "people", "allow", person, status=1)


def test_whoever_is_not_on_the_roll_cannot_be_taken_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert "telegram:7 is not on the roll" in told(capsys, "people", "remove", "telegram:7", status=1)


def test_what_the_configuration_says_otherwise_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure('[access]\nowners = ["telegram:7"]\n')
    assert "access.owners in the configuration names telegram:7" in told(capsys, "people", "block", "telegram:7")
    assert "configuration" not in told(capsys, "people", "owner", "telegram:7")
