"""The check of who may talk to the assistant: the mode of each channel, and whether somebody can let others in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.access import AccessSettings
from bot.cli.checks import Finding, Patient, Status
from bot.errors import StorageError
from bot.people import Member, Standing


def check_access(patient: Patient) -> Finding:
    """Of each configured channel its mode; an open one, and one where nobody can let others in, are to be known of."""
    settings = AccessSettings(**patient.configuration.settings.access.model_dump())
    channels = sorted(patient.configuration.settings.channels)
    if not channels:
        return Finding(patient.tell("access.doctor_no_channels"))
    try:
        members = _members(patient)
    except StorageError as error:
        told = patient.tell("access.doctor_roll_unread", problem=error.told(patient.texts))
        return Finding(told, mend=patient.tell("doctor.mend_database"), status=Status.WARNING)
    owned = [name for name in channels if settings.names_owner(name) or _has_owner(members, name)]
    found = " ".join(_told(patient, settings, name, has_owner=name in owned) for name in channels)
    return _judged(patient, settings, channels, owned, found)


def _told(patient: Patient, settings: AccessSettings, channel: str, *, has_owner: bool) -> str:
    return patient.tell(
        "access.doctor_mode",
        channel=channel,
        mode=patient.tell(f"access.doctor_mode_{settings.mode_of(channel)}"),
        owners=patient.tell("access.doctor_with_owner" if has_owner else "access.doctor_without_owner"),
    )


def _judged(
    patient: Patient, settings: AccessSettings, channels: Sequence[str], owned: Sequence[str], found: str
) -> Finding:
    opened = [name for name in channels if settings.mode_of(name) == "open"]
    ownerless = [name for name in channels if settings.mode_of(name) == "pairing" and name not in owned]
    told, mend = [found], []
    for key, names in (("doctor_open", opened), ("doctor_no_owner", ownerless)):
        if names:
            told.append(patient.tell(f"access.{key}", channels=", ".join(names)))
            mend.append(patient.tell(f"access.{key}_mend"))
    return Finding(" ".join(told), mend=" ".join(mend), status=Status.WARNING if mend else Status.OK)


def _has_owner(members: Sequence[Member], channel: str) -> bool:
    return any(member.channel == channel and member.standing is Standing.OWNER for member in members)


def _members(patient: Patient) -> list[Member]:
    """Who is on the roll; nothing is made or migrated for that.

    Raises:
        StorageError: the database cannot be read.
    """
    return asyncio.run(_read(patient)) if is_current(patient) else []


def is_current(patient: Patient) -> bool:
    """Whether there is a database of this version of the program.

    Raises:
        StorageError: it cannot be read.
    """
    from storage.engine import make_engine
    from storage.failures import explained
    from storage.location import locate
    from storage.migrations import HEAD
    from storage.opening import find_revision

    location = locate(patient.configuration.database_url)
    if location.file is not None and not location.file.exists():
        return False
    engine = make_engine(location)
    try:
        with explained(location), engine.connect() as connection:
            return find_revision(connection, location, head=HEAD) == HEAD
    finally:
        engine.dispose()


async def _read(patient: Patient) -> list[Member]:
    from storage import open_books

    async with open_books(patient.configuration.database_url) as books:
        return await books.roll.people()
