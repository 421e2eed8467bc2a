"""Checks of the channels: their tables, whether each platform takes the account, and what could not be delivered."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.cli.checks import Finding, Patient, Status
from bot.errors import ChannelError, ParleyError
from bot.ledger import GivenUp, Parcel

if TYPE_CHECKING:
    from bot.channels import Accounts, ChannelPlan

TOLD_PARCELS = 3
TOLD_GIVEN_UP = 3
CONNECT_SECONDS = 20.0


def check_channels(patient: Patient) -> Finding:
    """Which channels are configured, and whether an adapter is there for each; their tables are never shown."""
    from bot import plugins
    from bot.channels import plan_channels

    tables = patient.configuration.settings.channels
    if not tables:
        return Finding(patient.tell("doctor.no_channels"))
    found = patient.tell("doctor.channels", names=", ".join(sorted(tables)))
    known = plugins.names("adapters")
    without = [name for name, table in sorted(tables.items()) if str(table.get("adapter", name)) not in known]
    if without:
        near = [name for wrong in without for name in difflib.get_close_matches(wrong, known, 1, 0.6)]
        hint = patient.tell("doctor.channels_nearest", names=", ".join(near)) if near else ""
        told = patient.tell("doctor.channels_without_adapter", names=", ".join(without)) + hint
        return Finding(f"{found} {told}", mend=patient.tell("doctor.mend_channels"), status=Status.WARNING)
    try:
        plan_channels(patient.configuration)
    except ParleyError as error:
        told = error.told(patient.texts)
        return Finding(f"{found} {told}", mend=patient.tell("doctor.mend_table"), status=Status.BROKEN)
    return Finding(found)


def check_connections(patient: Patient) -> Finding:
    """Whether each platform takes the account; what its owner should know of it."""
    if not patient.configuration.settings.channels:
        return Finding(patient.tell("doctor.no_channels"))
    told = asyncio.run(_connect_all(patient))
    is_broken = any(problem for _, problem in told)
    mend = patient.tell("doctor.mend_connections") if is_broken else ""
    return Finding("\n".join(line for line, _ in told), mend=mend, status=Status.BROKEN if is_broken else Status.OK)


async def _connect_all(patient: Patient) -> list[tuple[str, bool]]:
    """A line on each channel, and whether it tells of a problem."""
    from bot.channels import plan_channels

    told: list[tuple[str, bool]] = []
    accounts: Accounts = {}
    for plan in plan_channels(patient.configuration):
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                told.append((await _connect(plan, patient, accounts), False))
            continue
        except ChannelError as error:
            problem = error.told(patient.texts)
        except TimeoutError:
            problem = patient.tell("doctor.no_answer", seconds=round(CONNECT_SECONDS))
        told.append((patient.tell("doctor.not_connected", name=plan.name, problem=problem), True))
    return told


async def _connect(plan: ChannelPlan, patient: Patient, accounts: Accounts) -> str:
    """The line on one; `accounts` knows the channels before it by their account."""
    from bot.channels import claim

    async with plan.open() as adapter:
        claim(adapter, plan.name, accounts)
        line = patient.tell("doctor.connected", name=plan.name, account=adapter.account)
        remarks = [patient.texts.find(key) or key for key in await adapter.remarks()]
        return " ".join([line, *remarks])


def check_outbox(patient: Patient) -> Finding:
    """What could not be delivered, and was set aside."""
    from bot.cli.checks_access import is_current

    if not is_current(patient):
        return Finding(patient.tell("doctor.outbox_empty"))
    try:
        dead = asyncio.run(_dead(patient))
    except ParleyError as error:
        return Finding(error.told(patient.texts), mend=patient.tell("doctor.mend_database"), status=Status.WARNING)
    if not dead:
        return Finding(patient.tell("doctor.outbox_empty"))
    newest = "; ".join(
        f"{parcel.address.channel}/{parcel.address.chat}: {parcel.reason}" for parcel in dead[:TOLD_PARCELS]
    )
    found = patient.tell("doctor.outbox_dead", count=len(dead), newest=newest)
    return Finding(found, mend=patient.tell("doctor.mend_outbox"), status=Status.WARNING)


async def _dead(patient: Patient) -> Sequence[Parcel]:
    from storage import open_books

    async with open_books(patient.configuration.database_url) as books:
        return await books.ledger.dead()


def check_inbox(patient: Patient) -> Finding:
    """What was given up, since the program ended whenever it was answered, or set aside by a restore."""
    from bot.cli.checks_access import is_current

    if not is_current(patient):
        return Finding(patient.tell("doctor.inbox_well"))
    try:
        given_up, set_aside = asyncio.run(_given_up(patient))
    except ParleyError as error:
        return Finding(error.told(patient.texts), mend=patient.tell("doctor.mend_database"), status=Status.WARNING)
    found, mend = list[str](), list[str]()
    if given_up:
        newest = "; ".join(
            f"{each.address.channel}, {each.key or '–'}, {each.at:%F %T}" for each in given_up[:TOLD_GIVEN_UP]
        )
        found.append(patient.tell("doctor.inbox_given_up", count=len(given_up), newest=newest))
        mend.append(patient.tell("doctor.mend_inbox"))
    if set_aside:
        found.append(patient.tell("doctor.inbox_set_aside", count=set_aside))
        mend.append(patient.tell("doctor.mend_inbox_set_aside"))
    if not found:
        return Finding(patient.tell("doctor.inbox_well"))
    return Finding(" ".join(found), mend=" ".join(mend), status=Status.WARNING)


async def _given_up(patient: Patient) -> tuple[Sequence[GivenUp], int]:
    from storage import open_books

    async with open_books(patient.configuration.database_url) as books:
        return await books.ledger.given_up(), await books.ledger.count_set_aside()
