"""Letting people in: the codes that strangers show, putting their person on the roll, and how owners are told of it.

Decides nothing about who is answered, and knows no platform.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from bot.people import Member, PairingRequest, Roll, Standing
from bot.texts import Texts

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without the signs that are taken for one another: I, L, O, 0, 1."""
CODE_LENGTH = 8
LONGEST_NAME = 64
_MARKUP = re.compile(r"([\\`*_\[\]<>~|&!])")
ANY_ACCOUNT = ""
"""The account of people whose standing holds for every account of their channel, as `parley people` gives it."""


def draw_code() -> str:
    """A code that nobody can guess."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def normal_code(typed: str) -> str:
    """A code as it was drawn, however somebody types it."""
    return "".join(sign for sign in typed if sign.isalnum()).upper()[: 2 * CODE_LENGTH]


async def standing_of(roll: Roll, channel: str, account: str, person_id: str) -> Standing | None:
    """How the person stands on the account. Being blocked on every account wins over anything on this one."""
    everywhere = await roll.standing(channel, ANY_ACCOUNT, person_id)
    if everywhere is Standing.BLOCKED or account == ANY_ACCOUNT:
        return everywhere
    return await roll.standing(channel, account, person_id) or everywhere


async def has_owner(roll: Roll, channel: str, account: str) -> bool:
    """Whether somebody on the roll is an owner there."""
    return await roll.has_owner(channel, account) or await roll.has_owner(channel, ANY_ACCOUNT)


async def open_requests(roll: Roll, *, at: datetime, valid_seconds: float) -> list[PairingRequest]:
    """The requests whose codes are still good, oldest first."""
    oldest = at - timedelta(seconds=valid_seconds)
    return [request for request in await roll.codes() if request.created_at > oldest]


async def requests_of(
    roll: Roll, channel: str, person_id: str, *, at: datetime, valid_seconds: float
) -> list[PairingRequest]:
    """What the person still waits for, on any account of the channel."""
    found = await open_requests(roll, at=at, valid_seconds=valid_seconds)
    return [request for request in found if (request.channel, request.person_id) == (channel, person_id)]


async def admit(roll: Roll, request: PairingRequest, standing: Standing, *, at: datetime) -> Standing:
    """Put the person who asked on the roll; how they stand now.

    Whoever was blocked since they asked stays blocked, and an owner stays an owner.
    """
    found = await standing_of(roll, request.channel, request.account, request.person_id)
    if found in (Standing.BLOCKED, Standing.OWNER):
        return found
    await roll.set_standing(request.channel, request.account, request.person_id, request.name, standing, at=at)
    return standing


# -- telling of it ------------------------------------------------------------------------------------------


def person_of(known: Member | PairingRequest) -> str:
    """The person as the configuration and the program write them: `telegram:12345`."""
    return f"{known.channel}:{known.person_id}"


def shown_name(known: Member | PairingRequest, texts: Texts, *, markdown: bool) -> str:
    """What they call themselves, on one line and without signs that would steer a terminal or turn the text round.

    In Markdown, signs that would make a link or code of it are disarmed.
    """
    name = "".join(sign for sign in known.name if sign.isprintable()).strip()[:LONGEST_NAME]
    return (_MARKUP.sub(r"\\\1", name) if markdown else name) or texts.get("access.unnamed")


def told_admission(request: PairingRequest, standing: Standing, texts: Texts, *, markdown: bool = False) -> str:
    """What became of the request."""
    key = {
        Standing.OWNER: "access.admitted_owner",
        Standing.ALLOWED: "access.admitted",
        Standing.BLOCKED: "access.still_blocked",
    }[standing]
    return texts.get(key, name=shown_name(request, texts, markdown=markdown), person=person_of(request))


def told_person(request: PairingRequest, language: str) -> str:
    """What the person themselves is told once they are let in: in what they speak, else in `language`."""
    return Texts(request.language or language).get("access.paired")


def told_requests(requests: Sequence[PairingRequest], texts: Texts, zone: tzinfo, *, markdown: bool = False) -> str:
    """Who waits to be let in, one a line."""
    if not requests:
        return texts.get("access.no_requests")
    lines = [
        texts.get(
            "access.request",
            code=request.code,
            name=shown_name(request, texts, markdown=markdown),
            person=person_of(request),
            time=f"{request.created_at.astimezone(zone):%H:%M}",
        )
        for request in requests
    ]
    return "\n".join([texts.get("access.requests"), *(f"- {line}" for line in lines)])


def told_member(member: Member, texts: Texts, zone: tzinfo, *, markdown: bool = False) -> str:
    """One line of the list of people."""
    return texts.get(
        "access.member",
        standing=texts.get(f"access.standing_{member.standing}"),
        name=shown_name(member, texts, markdown=markdown),
        person=person_of(member),
        time=f"{member.at.astimezone(zone):%Y-%m-%d}",
    )
