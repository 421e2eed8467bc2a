"""`parley pair`: let somebody in who was told a code, or list who waits."""

from __future__ import annotations

import argparse
import asyncio

from bot.access import AccessSettings
from bot.errors import ParleyError
from bot.ledger import Ledger
from bot.pairing import admit, has_owner, normal_code, open_requests, told_admission, told_person, told_requests
from bot.people import PairingRequest, Roll, Standing
from bot.texts import Texts, system_language
from bot.types import Address


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    told = Texts(system_language()).get
    parser.add_argument("code", nargs="?", metavar="CODE", help=told("access.help_code"))
    parser.add_argument("--owner", action="store_true", help=told("access.help_owner"))


def run(arguments: argparse.Namespace) -> int:
    """Let in or list; 1 where nobody was let in.

    Raises:
        ParleyError: the code is not open.
        StorageError: the roll cannot be used.
    """
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    from storage import open_books

    async with open_books(arguments.configuration.database_url) as books:
        if not arguments.code:
            return await _list(books.roll, arguments)
        return await _let_in(books.roll, books.ledger, arguments)


async def _list(roll: Roll, arguments: argparse.Namespace) -> int:
    from bot.app import clock_of

    clock, settings = clock_of(arguments.configuration), _settings(arguments)
    requests = await open_requests(roll, at=clock.now(), valid_seconds=settings.pairing_minutes * 60)
    print(told_requests(requests, arguments.texts, clock.zone))
    return 0


async def _let_in(roll: Roll, ledger: Ledger, arguments: argparse.Namespace) -> int:
    from bot.app import clock_of, post

    now, settings, code = clock_of(arguments.configuration).now(), _settings(arguments), normal_code(arguments.code)
    request = await roll.take_code(code, at=now, valid_seconds=settings.pairing_minutes * 60)
    if request is None:
        raise ParleyError("access.code_wrong", code=code, minutes=settings.pairing_minutes)
    is_first = not await _has_owner(roll, settings, request)
    wanted = Standing.OWNER if arguments.owner or is_first else Standing.ALLOWED
    standing = await admit(roll, request, wanted, at=now)
    print(told_admission(request, standing, arguments.texts))
    if is_first and standing is Standing.OWNER and not arguments.owner:
        print(arguments.texts.get("access.admitted_first", channel=request.channel))
    if standing is Standing.BLOCKED:
        return 1
    place = Address(request.channel, request.chat, request.account)
    await post(ledger, place, told_person(request, arguments.texts.language), at=now)
    return 0


async def _has_owner(roll: Roll, settings: AccessSettings, request: PairingRequest) -> bool:
    return settings.names_owner(request.channel) or await has_owner(roll, request.channel, request.account)


def _settings(arguments: argparse.Namespace) -> AccessSettings:
    return AccessSettings(**arguments.configuration.settings.access.model_dump())
