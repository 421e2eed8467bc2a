"""The composition root: puts store, models, skills and engine together; the one importer of `storage`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from zoneinfo import ZoneInfo

from bot import plugins
from bot.alarm import Alarm
from bot.channel import Capabilities
from bot.clock import Clock
from bot.config import Configuration, parse_size
from bot.engine import Engine
from bot.errors import ModelError, ParleyError
from bot.generation.catalog import ModelKind, load_catalogue
from bot.generation.line import Line
from bot.generation.model import GeneratorSettings, ResolvedModel
from bot.generation.pool import GeneratorPool
from bot.generation.resolve import choose_generator, resolve
from bot.ledger import Ledger
from bot.people import Roll
from bot.places import Places
from bot.protocols import Command, Generator, Recognizer, Store
from bot.reminding import Reminders
from bot.skills.context import ChatSettings, Models, Skill
from bot.skills.personas import Personas
from bot.texts import Texts, system_language
from bot.types import Address, Sampling

if TYPE_CHECKING:
    from storage import Books

logger = logging.getLogger(__name__)

UNASKED = Capabilities(longest=1900)
"""What every channel can show."""
ONE_BY_ONE = "llamacpp"
"""The generator whose requests beyond its slots would wait where nobody sees them; the others take any number."""


class GeneratorClass(Protocol):
    """What an entry point of `parley.generators` is."""

    def __call__(self, model: ResolvedModel, settings: GeneratorSettings) -> AbstractAsyncContextManager[Generator]: ...


@dataclass(frozen=True, slots=True)
class App:
    """Everything that runs, ready to be talked to."""

    engine: Engine
    store: Store
    ledger: Ledger
    roll: Roll
    reminders: Reminders
    models: Models
    places: Places
    clock: Clock
    texts: Texts
    trial: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while what may have ended the program is tried; see `bot.leftovers`."""
    quiet_hours: str = ""
    """For people who have settled none."""

    def alarm(self, channel: str, account: str) -> Alarm:
        """What comes by itself on an account."""
        texts = self.texts
        return Alarm(self.reminders, self.store, self.clock, channel, account, texts.language, self.quiet_hours)

    async def tell(self, address: Address, text: str) -> None:
        """Say something in a chat unasked, in Markdown. It is kept when this returns, and delivered by whatever process
        runs the channel, at its next look into the outbox."""
        await post(self.ledger, address, text, at=self.clock.now())


async def post(ledger: Ledger, address: Address, text: str, *, at: datetime) -> None:
    """Put a message into the outbox that answers nothing; plain, since any channel must be able to take it."""
    from bot.delivery.formatting import Formatter
    from bot.delivery.parcels import drafts_of

    await ledger.post(drafts_of(Formatter(UNASKED).whole(text), address), at=at)


def language_of(configuration: Configuration) -> str:
    """The configured language, else the system's."""
    return configuration.settings.language or system_language()


@asynccontextmanager
async def open_app(
    configuration: Configuration,
    *,
    # the parts of a run that are not configuration
    clock: Clock | None = None,
    channel_commands: Iterable[Command] = (),
    # the model
    warm: bool = True,
    context_limit: int | None = None,
) -> AsyncIterator[App]:
    """Open everything, and close it in reverse order.

    Args:
        configuration: as loaded.
        clock: the time to go by; by default the system's, in the configured zone.
        channel_commands: commands that the channel answers itself; `/help` lists them.
        warm: whether to load the configured model at once, beside everything else.
        context_limit: tokens of the model's context that this run needs at most.

    Raises:
        StorageError: the database cannot be used.
        PluginError: something that the configuration names is not there.
    """
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(GeneratorPool(generator_opener(configuration, context_limit)))
        if warm:
            stack.push_async_callback(_start_loading(pool, configuration.settings.model.name))
        await asyncio.sleep(0)  # the model begins to load before the slow imports below
        from storage import open_books

        books = await stack.enter_async_context(open_books(configuration.database_url))
        clock = clock or clock_of(configuration)
        models = _models(configuration, pool)
        places = Places(books.store)
        engine = _engine(configuration, books, models, clock, places, tuple(channel_commands))
        yield App(
            engine=engine,
            store=books.store,
            ledger=books.ledger,
            roll=books.roll,
            reminders=books.reminders,
            models=models,
            places=places,
            clock=clock,
            texts=Texts(language_of(configuration)),
            quiet_hours=configuration.settings.chat.quiet_hours,
        )


def _engine(
    configuration: Configuration,
    books: Books,
    models: Models,
    clock: Clock,
    places: Places,
    channel_commands: tuple[Command, ...],
) -> Engine:
    """The engine over what was opened."""
    return Engine(
        store=books.store,
        models=models,
        personas=Personas(configuration.home / "prompts" / "personas"),
        skills={name: cast(Skill, _make("skills", name)) for name in configuration.settings.plugins.skills},
        recognizers=[
            cast(Recognizer, _make("recognizers", name)) for name in configuration.settings.plugins.recognizers
        ],
        settings=_chat_settings(configuration),
        clock=clock,
        language=language_of(configuration),
        roll=books.roll,
        code_valid_seconds=configuration.settings.access.pairing_minutes * 60,
        tell=lambda address, text: post(books.ledger, address, text, at=clock.now()),
        reminders=books.reminders,
        shown=books.ledger.turn_shown,
        places=places,
        max_pending=configuration.settings.chat.max_pending,
        channel_commands=channel_commands,
    )


def clock_of(configuration: Configuration) -> Clock:
    """The system's clock in the configured zone."""
    name = configuration.settings.timezone
    return Clock(ZoneInfo(name)) if name else Clock()


def generator_opener(
    configuration: Configuration, context_limit: int | None = None
) -> Callable[[str], AbstractAsyncContextManager[Generator]]:
    """Makes the generator of a model that is named as in the configuration."""

    @asynccontextmanager
    async def open_generator(name: str) -> AsyncIterator[Generator]:
        model = resolve_model(configuration, name)
        kind = choose_generator(model, _wanted_generator(configuration, name)).kind
        generator_class = cast(GeneratorClass, plugins.load("generators", kind))
        settings = generator_settings(configuration, context_limit)
        async with generator_class(model, settings) as generator:
            yield Line(generator, settings.slots) if kind == ONE_BY_ONE else generator

    return open_generator


def resolve_model(configuration: Configuration, name: str) -> ResolvedModel:
    """The model of that name.

    Raises:
        ModelError: there is none, or it is not installed.
    """
    section = configuration.settings.model
    base_url = section.base_url if name == section.name and _uses_server(configuration) else ""
    unnamed = bool(base_url) and "model.name" not in configuration.origins  # the server says which it has
    return resolve(
        base_url if unnamed else name,
        models_folder=configuration.models_folder,
        generator=_wanted_generator(configuration, name),
        base_url="" if unnamed else base_url,
    )


def _wanted_generator(configuration: Configuration, name: str) -> str:
    """The configured generator belongs to the configured model; another model chooses for itself."""
    section = configuration.settings.model
    return section.generator if name == section.name else "auto"


def _uses_server(configuration: Configuration) -> bool:
    """A base URL that only another program's variable names sends nobody's words anywhere unasked."""
    section = configuration.settings.model
    return section.generator == "openai" or (
        section.generator == "auto" and configuration.origins.get("model.base_url") != "OPENAI_BASE_URL"
    )


def generator_settings(configuration: Configuration, context_limit: int | None = None) -> GeneratorSettings:
    """How the configured machine runs a model."""
    section = configuration.settings.model
    return GeneratorSettings(
        context_length=section.context_length or context_limit,
        slots=section.slots or 1,
        prompt_cache_mib=section.prompt_cache_mib,
        memory_limit_bytes=parse_size(section.memory_limit),
        threads=section.threads,
        device=section.device,
        dtype=section.dtype,
        gpu_layers=section.gpu_layers,
        api_key=section.api_key.get_secret_value(),
        timeout_seconds=section.timeout_seconds,
        echo_delay_seconds=section.echo_delay_seconds,
        options=section.options,
    )


def _chat_settings(configuration: Configuration) -> ChatSettings:
    settings = configuration.settings
    return ChatSettings(
        sampling=Sampling(**settings.sampling.model_dump()),
        persona=settings.chat.persona,
        show_reasoning=settings.model.show_reasoning,
        quiet_hours=settings.chat.quiet_hours,
    )


def _models(configuration: Configuration, pool: GeneratorPool) -> Models:
    default = configuration.settings.model.name

    async def load(name: str) -> Generator:
        return await pool.load(name or default)

    return Models(
        load=load,
        is_loaded=lambda name: pool.is_loaded(name or default),
        names=lambda: sorted({default, *_installed(configuration)}),
        check=lambda name: _lasting_name(configuration, name),
        default=default,
    )


def _lasting_name(configuration: Configuration, name: str) -> str:
    """A name for the model which means the same in any working directory.

    Raises:
        ModelError: there is no such model, or it is not to be chosen in a conversation.
    """
    if name == configuration.settings.model.name:
        resolve_model(configuration, name)
        return name
    if name.lower().startswith(("http://", "https://")):
        raise ModelError("models.server_not_here", url=name)
    try:
        model = resolve_model(configuration, name)
        path = Path(name).expanduser()
        if load_catalogue(configuration.models_folder).find(name) or not path.exists():
            return model.name
    except (OSError, RuntimeError) as error:  # nobody's home folder, a name too long for the system
        raise ModelError("models.unreadable", path=name, problem=getattr(error, "strerror", None) or error) from error
    return str(path.absolute())


def _installed(configuration: Configuration) -> list[str]:
    folder = configuration.models_folder
    entries = load_catalogue(folder).entries.values()
    return [entry.name for entry in entries if entry.kind is ModelKind.CHAT and (folder / entry.file).exists()]


def _make(group: str, name: str) -> object:
    return cast(Callable[[], object], plugins.load(group, name))()


def _start_loading(pool: GeneratorPool, name: str) -> Callable[[], Awaitable[None]]:
    """Load the model beside everything else; whoever needs it waits for the same loading, and is told what failed."""

    async def load() -> None:
        try:
            await pool.load(name)
        except ParleyError as error:
            logger.info("the model is not loaded ahead: %s", error)

    task = asyncio.create_task(load())

    async def end() -> None:
        await asyncio.wait([task])

    return end
