"""`parley people`: list who is known, let in, block, make an owner, take off the roll."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from datetime import datetime

from bot.access import AccessSettings
from bot.config import AccessSection
from bot.errors import ParleyError
from bot.ledger import Ledger
from bot.pairing import ANY_ACCOUNT, requests_of, told_member, told_person
from bot.people import Member, PairingRequest, Roll, Standing
from bot.texts import Texts, system_language
from bot.types import Address

ACTIONS = {"allow": Standing.ALLOWED, "block": Standing.BLOCKED, "owner": Standing.OWNER, "remove": None}
CONFIGURED = {"owners": Standing.OWNER, "allowed": Standing.ALLOWED, "blocked": Standing.BLOCKED}
"""Keys of `[access]`, and how those stand whom they name."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = Texts(system_language()).get
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help=told("access.help_action"))
    for name in ACTIONS:
        text = told(f"access.help_action_{name}")
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("person", metavar="CHANNEL:ID", help=told("access.help_person"))


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; the exit status.

    Raises:
        ParleyError: it is not a person, or not one who is on the roll.
        StorageError: the roll cannot be used.
    """
    asyncio.run(_run(arguments))
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    from storage import open_books

    async with open_books(arguments.configuration.database_url) as books:
        await (_change(books.roll, books.ledger, arguments) if arguments.action else _list(books.roll, arguments))


async def _list(roll: Roll, arguments: argparse.Namespace) -> None:
    from bot.app import clock_of

    texts, zone = arguments.texts, clock_of(arguments.configuration).zone
    lines = [told_member(member, texts, zone) for member in await roll.people()]
    lines += _told_configured(arguments.configuration.settings.access, texts)
    print("\n".join([texts.get("access.people"), *lines]) if lines else texts.get("access.nobody"))


def _told_configured(section: AccessSection, texts: Texts) -> Iterator[str]:
    for key, standing in CONFIGURED.items():
        for person in getattr(section, key):
            yield texts.get("access.configured", standing=texts.get(f"access.standing_{standing}"), person=person)


async def _change(roll: Roll, ledger: Ledger, arguments: argparse.Namespace) -> None:
    from bot.app import clock_of

    person, standing, texts = arguments.person, ACTIONS[arguments.action], arguments.texts
    channel, colon, person_id = person.partition(":")
    if not (channel and colon and person_id) or "/" in channel:
        raise ParleyError("access.not_a_person", person=person)
    known = [member for member in await roll.people(channel) if member.person_id == person_id]
    if not known and standing is None:
        raise ParleyError("access.not_on_roll", person=person)
    now = clock_of(arguments.configuration).now()
    valid_seconds = AccessSettings(**arguments.configuration.settings.access.model_dump()).pairing_minutes * 60
    requests = await requests_of(roll, channel, person_id, at=now, valid_seconds=valid_seconds)
    for account, name in _entries(known, requests):
        await roll.set_standing(channel, account, person_id, name, standing, at=now)
    print(texts.get(f"access.set_{standing.value if standing else 'none'}", person=person))
    _tell_configured(arguments.configuration.settings.access, person, standing, texts)
    if standing in (Standing.ALLOWED, Standing.OWNER):
        for request in requests:
            await roll.take_code(request.code, at=now, valid_seconds=valid_seconds)
            await _tell_person(request, ledger, texts.language, at=now)


async def _tell_person(request: PairingRequest, ledger: Ledger, language: str, *, at: datetime) -> None:
    from bot.app import post

    place = Address(request.channel, request.chat, request.account)
    await post(ledger, place, told_person(request, language), at=at)


def _entries(known: list[Member], requests: list[PairingRequest]) -> list[tuple[str, str]]:
    """Account and name of every entry of the person; of somebody new, one for all accounts."""
    asked = next((request.name for request in requests), "")
    return [(member.account, member.name or asked) for member in known] or [(ANY_ACCOUNT, asked)]


def _tell_configured(section: AccessSection, person: str, standing: Standing | None, texts: Texts) -> None:
    """What the configuration says otherwise of the person."""
    keys = [key for key, held in CONFIGURED.items() if person in getattr(section, key) and held is not standing]
    if keys:
        print(texts.get("access.also_configured", keys=", ".join(f"access.{key}" for key in keys), person=person))
