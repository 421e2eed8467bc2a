"""Runs configured channels: puts each account's parts together, keeps it running, and lets it end in order.

The composition of one channel; `bot.app` opens what all of them share.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import BaseModel, ValidationError

from bot import plugins
from bot.access import Access, AccessSettings
from bot.alarm import LOOK_SECONDS, Alarm
from bot.answering import ExchangeSettings
from bot.app import App, language_of
from bot.attachments import Attachments
from bot.channel import Adapter, CommandInfo, Content
from bot.config import FILE_NAME, Configuration
from bot.config_errors import WrongValues, explain
from bot.delivery.formatting import Formatter
from bot.delivery.governor import Governor
from bot.delivery.outbox import Outbox, Surroundings
from bot.delivery.parcels import drafts_of
from bot.delivery.streaming import Channel
from bot.errors import ChannelError, ConfigurationError, NotPermitted, ParleyError, PluginError, Rejected
from bot.exchange import Exchange
from bot.heard import Heard
from bot.ledger import Parcel, ParcelDraft, ParcelState
from bot.patience import Sleep
from bot.protocols import Command
from bot.texts import LANGUAGES, Texts
from bot.types import Address

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
GRACE_SECONDS = 20.0
"""How long replies that are running may take to end when the program is stopped."""
DELIVERY_GRACE_SECONDS = 10.0
WATCH_SECONDS = 3.0
"""How often the outbox is looked at for what other processes put there."""
TIDY_SECONDS = 86_400.0
REMEMBERED = timedelta(days=60)
"""For how long what has arrived is known again, should it be told once more."""
GOVERNOR = "governor"
COMPLAINTS_APART = timedelta(days=1)


class AdapterClass(Protocol):
    """What an entry point of `parley.adapters` is."""

    Config: type[BaseModel]

    def __call__(self, config: Any, *, name: str, home: Path) -> AbstractAsyncContextManager[Adapter]: ...


Accounts = dict[tuple[type, str], str]
"""The channel that speaks as an account, by adapter and account."""


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """A channel that is configured, ready to be opened."""

    name: str
    """Its table in the configuration."""
    open: Callable[[], AbstractAsyncContextManager[Adapter]]


def plan_channels(configuration: Configuration, names: tuple[str, ...] = ()) -> list[ChannelPlan]:
    """The channels to run, checked.

    Args:
        configuration: with a table for each channel.
        names: which of them; none is all.

    Raises:
        ConfigurationError: none is configured, a name is not, or a table is wrong.
        PluginError: there is no such adapter.
    """
    tables = configuration.settings.channels
    for name in names:
        if name not in tables:
            raise ConfigurationError("channels.unknown", name=name, known=", ".join(tables) or "–")
    if not tables:
        raise ConfigurationError("channels.none")
    return [_plan(name, tables[name], configuration) for name in names or tables]


def _plan(name: str, table: Mapping[str, Any], configuration: Configuration) -> ChannelPlan:
    values = dict(table)
    adapter_class = _adapter_class(name, str(values.pop("adapter", "")))
    try:
        config = adapter_class.Config.model_validate(values)
    except ValidationError as error:
        raise _explained(error, name, adapter_class.Config, configuration) from None
    return ChannelPlan(name, lambda: adapter_class(config, name=name, home=configuration.home))


def _adapter_class(name: str, adapter: str) -> AdapterClass:
    try:
        return cast(AdapterClass, plugins.load("adapters", adapter or name))
    except PluginError as error:
        if adapter or error.key != "errors.plugin_unknown":
            raise
        raise ConfigurationError("channels.no_adapter", name=name, hint=error.values["hint"]) from None


def _explained(
    error: ValidationError, name: str, config: type[BaseModel], configuration: Configuration
) -> ConfigurationError:
    """What is wrong with the table, by its full keys; no value is shown, since any may be a secret."""
    prefix = f"channels.{name}."
    origins = {key.removeprefix(prefix): origin for key, origin in configuration.origins.items()}

    def nearest_key(key: str) -> str:
        return next(iter(difflib.get_close_matches(key, config.model_fields, 1, 0.5)), "")

    told = explain(error, origins, default_origin=str(configuration.file or FILE_NAME), nearest_key=nearest_key)
    return WrongValues([replace(problem, key=prefix + problem.key, given=None) for problem in told.problems])


async def run_channels(
    plans: list[ChannelPlan], app: App, configuration: Configuration, *, sleep: Sleep = asyncio.sleep
) -> bool:
    """Run them until cancelled; False if all of them have ended because none can be used."""
    tidying = asyncio.create_task(_keep_tidy(app, attachments_of(configuration, app), sleep))
    try:
        accounts: Accounts = {}
        runs = [keep_running(plan, app, configuration, accounts, sleep=sleep) for plan in plans]
        endings = await asyncio.gather(*runs)
    finally:
        tidying.cancel()
        await asyncio.wait([tidying])
    return any(endings)


async def _keep_tidy(app: App, attachments: Attachments, sleep: Sleep) -> None:
    """Once a day, forget what was dealt with long ago: that it was there, since what it said is forgotten already."""
    while True:
        try:
            await app.ledger.prune(app.clock.now() - REMEMBERED)
            await app.reminders.prune(app.clock.now() - REMEMBERED)
            await attachments.sweep()
        except (ParleyError, OSError) as error:
            logger.warning("what is long dealt with could not be forgotten: %s", error)
        await sleep(TIDY_SECONDS)


async def keep_running(
    plan: ChannelPlan, app: App, configuration: Configuration, accounts: Accounts, *, sleep: Sleep = asyncio.sleep
) -> bool:
    """Run one channel, again whenever it breaks; returns False where its owner must mend it first."""
    retry_seconds = FIRST_RETRY_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            async with plan.open() as adapter:
                claim(adapter, plan.name, accounts)
                async with serve(adapter, app, configuration, sleep=sleep) as exchange:
                    logger.info("%s: connected, as account %s", plan.name, adapter.account)
                    await adapter.run(exchange)
        except Rejected as error:
            logger.error("%s: stopped: %s", plan.name, error.told(app.texts))
            return False
        except ParleyError as error:
            logger.warning("%s: %s Tried again in %.0f s.", plan.name, error, retry_seconds)
        except Exception:
            logger.exception("%s: broke in a way that nobody foresaw. Tried again in %.0f s.", plan.name, retry_seconds)
        if loop.time() - started > LONGEST_RETRY_SECONDS:
            retry_seconds = FIRST_RETRY_SECONDS
        await sleep(retry_seconds)
        retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)


def claim(adapter: Adapter, name: str, accounts: Accounts) -> None:
    """Note that the channel of that name speaks as the adapter's account.

    Raises:
        Rejected: another one does already: each would get some of the messages.
    """
    other = accounts.setdefault((type(adapter), adapter.account), name)
    if other != name:
        raise Rejected(other, key="channels.same_account")


@asynccontextmanager
async def serve(
    adapter: Adapter, app: App, configuration: Configuration, *, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[Exchange]:
    """Everything between an adapter that is connected and the engine; what an earlier run left over goes on.

    `sleep` goes with the time of `app.clock`.
    """
    scope = f"{GOVERNOR}/{adapter.name}/{adapter.account}"
    kept = await app.store.setting(scope, "closed_until")
    now = app.clock.now
    governor = Governor(
        adapter.capabilities, now=lambda: now().timestamp(), closed_until=json.loads(kept) if kept else None
    )
    exchange: Exchange
    around = Surroundings(now, sleep, lambda address: exchange.texts_at(address))
    outbox = Outbox(adapter, app.ledger, governor, around)

    async def keep() -> None:
        await app.store.set_setting(scope, "closed_until", json.dumps(governor.closed_until))

    async def rate(turn_id: int, person: str, value: int | None) -> None:
        await app.store.rate(turn_id, f"{adapter.name}:{person}", value, at=now())

    outbox.on_refusal = keep

    async def end_reminders(address: Address) -> None:
        await app.reminders.end_all(address, at=now())

    outbox.on_missing_permission = Complaints(adapter, app, outbox).tell
    outbox.on_gone = end_reminders
    channel = Channel(adapter, app.ledger, governor, outbox, Formatter(adapter.capabilities), now, sleep)
    access = Access(app.roll, AccessSettings(**configuration.settings.access.model_dump()), now=now)
    attachments = attachments_of(configuration, app)
    exchange = Exchange(
        channel,
        app.engine,
        access,
        attachments,
        exchange_settings(configuration),
        places=app.places,
        trial=app.trial,
        heard=Heard(channel, app.store),
        rate=rate,
    )
    await outbox.resume(await _undelivered(adapter, app))
    await exchange.resume(
        [each for each in await app.ledger.arrivals() if _is_of(adapter, each.update.message.address)]
    )
    watching = asyncio.create_task(_watch(adapter, app, outbox))
    announcing = asyncio.create_task(_announce(adapter, app))
    reminding = asyncio.create_task(_remind(app.alarm(adapter.name, adapter.account), channel))
    try:
        yield exchange
    finally:
        for task in (watching, announcing, reminding):
            task.cancel()
        await exchange.close(grace_seconds=GRACE_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(outbox.wait_idle(), DELIVERY_GRACE_SECONDS)
        await outbox.close()


@dataclass(frozen=True, slots=True)
class Complaints:
    """Tells those who can mend it that a permission is missing: for each place and permission once a day."""

    adapter: Adapter
    app: App
    outbox: Outbox

    async def tell(self, address: Address, error: NotPermitted) -> None:
        """Something could not be sent to `address`."""
        try:
            await self._tell(address, error)
        except ParleyError as problem:
            logger.warning("nobody could be told that a permission is missing: %s", problem)

    async def _tell(self, address: Address, error: NotPermitted) -> None:
        scope, key, now = address.key, f"missing/{error.permission}", self.app.clock.now()
        told = await self.app.store.setting(scope, key)
        if told and now - datetime.fromisoformat(told) < COMPLAINTS_APART:
            return
        keeper = await self.adapter.keeper(address)
        if keeper is None or keeper == address:
            return
        await self.app.store.set_setting(scope, key, now.isoformat())
        text = self.app.texts.get("delivery.not_permitted", place=error.place, permission=error.permission)
        await self.outbox.post([ParcelDraft(keeper, Content(text))])


async def _undelivered(adapter: Adapter, app: App) -> list[Parcel]:
    return [parcel for parcel in await app.ledger.parcels() if _is_of(adapter, parcel.address)]


def _is_of(adapter: Adapter, address: Address) -> bool:
    return (address.channel, address.account) == (adapter.name, adapter.account)


async def _watch(adapter: Adapter, app: App, outbox: Outbox) -> None:
    """Deliver what other processes put into the outbox: `parley pair`, say."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        try:
            outbox.deliver(
                [parcel for parcel in await _undelivered(adapter, app) if parcel.state is ParcelState.WAITING]
            )
        except ParleyError as error:
            logger.warning("the outbox could not be looked at: %s", error)


async def _remind(alarm: Alarm, channel: Channel) -> None:
    """Put what is due into the outbox, in the transaction that remembers that it came."""
    while True:
        try:
            for ring in await alarm.rings():
                drafts = drafts_of(channel.formatter.whole(ring.text), ring.address)
                parcels = await alarm.reminders.settle(ring.settled, drafts, at=alarm.clock.now())
                channel.outbox.deliver(parcels or [])
        except ParleyError as error:
            logger.warning("what is due could not be looked for: %s", error)
        except Exception:
            logger.exception("a reminder could not be told; it is tried again")
        await asyncio.sleep(LOOK_SECONDS)


async def _announce(adapter: Adapter, app: App) -> None:
    """Tell the platform which commands there are."""
    told = [_info(command, app.texts) for command in app.engine.commands.values() if not command.hidden]
    try:
        await adapter.announce(told)
    except ChannelError as error:
        logger.warning("commands could not be announced: %s", error)


def _info(command: Command, texts: Texts) -> CommandInfo:
    """The command as menus show it: in every language, and in that of the configuration for everybody else."""
    spoken = {"": texts} | {language: Texts(language) for language in LANGUAGES}
    summaries = {language: each.find(command.summary) or command.name for language, each in spoken.items()}
    return CommandInfo(command.name, summaries, command.argument, command.discreet)


def attachments_of(configuration: Configuration, app: App) -> Attachments:
    """The files that come along, of all channels."""
    longest = configuration.settings.chat.longest_attachment_bytes
    return Attachments(configuration.home, longest_bytes=longest, in_use=app.store.attachments)


def exchange_settings(configuration: Configuration) -> ExchangeSettings:
    """How what arrives is answered."""
    chat = configuration.settings.chat
    return ExchangeSettings(
        max_pending=chat.max_pending,
        burst_seconds=chat.burst_seconds,
        restarts=chat.while_answering == "restart",
        stale_seconds=chat.stale_minutes * 60,
        file_characters=chat.file_characters,
        language=language_of(configuration),
    )
