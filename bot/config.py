"""Configuration: `parley.toml`, overlaid by `.env`, overlaid by the environment; checked before anything uses it.

A key `KEY` of table `[SECTION]` is the variable `PARLEY_SECTION__KEY`; `PARLEY_SECTION__KEY_FILE` names a file that
holds the value (container secrets). Unknown keys and variables are errors that name the nearest right one.
Knows nothing of what the values are used for.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from bot.config_errors import explain
from bot.config_variables import values_of
from bot.errors import ConfigurationError
from bot.hours import quiet_said

FILE_NAME = "parley.toml"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ModelSection(_Section):
    """Which model answers, and how it runs."""

    name: str = "smollm2-135m-instruct"
    """A name of the catalogue, a folder, a GGUF file, a hub id, or the name a server knows."""
    generator: str = "auto"
    """`auto`, `llamacpp`, `transformers`, `openai`, `echo`, or a plugin's."""
    base_url: str = ""
    api_key: SecretStr = SecretStr("")
    context_length: int | None = Field(None, ge=256)
    slots: int | None = Field(None, ge=1, le=256)
    threads: int | None = Field(None, ge=1, le=1024)
    device: str = "auto"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    gpu_layers: int | None = Field(None, ge=0)
    memory_limit: str = ""
    """Such as `8GB` or `512MiB`; empty is what the machine has free."""
    prompt_cache_mib: int = Field(512, ge=0)
    timeout_seconds: float = Field(120.0, gt=0)
    show_reasoning: bool = False
    echo_delay_seconds: float = Field(0.0, ge=0)
    options: dict[str, Any] = {}
    """For generators that are plugins."""

    @field_validator("memory_limit")
    @classmethod
    def _is_size(cls, value: str) -> str:
        try:
            parse_size(value)
        except ValueError as error:
            raise PydanticCustomError("size", "not a size") from error
        return value


class SamplingSection(_Section):
    """How tokens are chosen; what is absent is left to the model."""

    temperature: float = Field(0.2, ge=0, le=5)
    """Low, since small models wander."""
    top_p: float | None = Field(0.9, gt=0, le=1)
    top_k: int | None = Field(None, ge=1)
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(1.05, gt=0)
    seed: int | None = None
    max_tokens: int | None = Field(None, ge=1)
    """None is a quarter of the context."""
    stop: tuple[str, ...] = ()


class ChatSection(_Section):
    """How it talks."""

    persona: str = "parley"
    max_pending: int = Field(8, ge=1)
    """Messages of one conversation that may wait; on channels, turns."""
    burst_seconds: float = Field(2.0, ge=0)
    """What a person adds on a channel so soon after a question is answered together with it."""
    while_answering: Literal["queue", "restart"] = "queue"
    """What becomes of a message that arrives on a channel while another of the same person is answered: it is answered
    next, or the answer begins anew with both."""
    stale_minutes: float = Field(10.0, gt=0)
    """A message on a channel that waited so long is answered with a word on that."""
    file_characters: int | None = Field(20_000, ge=1000)
    """A longer reply on a channel is sent as a file."""
    quiet_hours: str = ""
    """When no reminder comes, such as `22:00-7:00`, for people who settled none themselves."""
    longest_attachment_bytes: int = Field(20_000_000, ge=0)
    """Larger files that come with messages are not kept."""

    @field_validator("quiet_hours")
    @classmethod
    def _is_quiet(cls, value: str) -> str:
        try:
            is_good = not value or quiet_said(value) is not None
        except ValueError:
            is_good = False
        if not is_good:
            raise PydanticCustomError("hours", "not hours")
        return value


def _matching(pattern: str, kind: str) -> AfterValidator:
    """Lets texts of that pattern pass; `kind` names what must stand there."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError(kind, "not a name of that form")
        return text

    return AfterValidator(check)


_Person = Annotated[str, _matching(r"[^:/\s]+:\S+", "person")]
_PersonOrChat = Annotated[str, _matching(r"[^:/\s]+[:/]\S+", "person_or_chat")]
_Channel = Annotated[str, _matching(r"[^:/\s]+", "channel")]
_Place = Annotated[str, _matching(r"[^:/\s]+(/\S+)?", "place")]
AccessMode = Literal["pairing", "open", "allow"]


class AccessSection(_Section):
    """Who is answered on channels. `telegram:12345` is a person, `telegram/-100123` is a chat."""

    mode: AccessMode = "pairing"
    owners: tuple[_Person, ...] = ()
    allowed: tuple[_PersonOrChat, ...] = ()
    blocked: tuple[_PersonOrChat, ...] = ()
    modes: dict[_Place, AccessMode] = {}
    """Other modes of single channels (`telegram`) and chats (`telegram/-100123`)."""
    messages_per_minute: int = Field(20, ge=0)
    """Of one person; 0 is no limit."""
    longest_message: int = Field(16_000, ge=0)
    """In characters; 0 is no limit."""
    pairing_minutes: int = Field(60, ge=1)


class StorageSection(_Section):
    """Where conversations are kept."""

    url: str = ""
    """A SQLAlchemy URL; empty is `parley.db` in the data folder."""


class LogSection(_Section):
    """What is logged, on standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"


class PluginsSection(_Section):
    """What is loaded; the order of recognizers is the order in which they are asked."""

    skills: tuple[str, ...] = (
        "help",
        "conversations",
        "settings",
        "why",
        "people",
        "calculate",
        "chance",
        "summarize",
        "reminders",
        "hours",
        "chat",
    )
    recognizers: tuple[str, ...] = ("commands",)


class Settings(_Section):
    """Everything that can be configured."""

    language: Literal["", "en", "zh"] = ""
    """`en` or `zh`; empty follows the system. On channels a person's own wins, where it is known."""
    timezone: str = ""
    """A name such as `Europe/Berlin`; empty is the system's."""
    model: ModelSection = ModelSection()
    sampling: SamplingSection = SamplingSection()
    chat: ChatSection = ChatSection()
    access: AccessSection = AccessSection()
    storage: StorageSection = StorageSection()
    log: LogSection = LogSection()
    plugins: PluginsSection = PluginsSection()
    channels: dict[_Channel, dict[str, Any]] = {}
    """One table a channel; each adapter checks its own."""

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value:
            try:
                ZoneInfo(value)
            except (KeyError, ValueError, OSError) as error:
                raise PydanticCustomError("zone", "not a time zone") from error
        return value


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, where each came from, and where data lives."""

    settings: Settings
    home: Path
    file: Path | None
    """The `parley.toml` that was read."""
    origins: Mapping[str, str]
    """Dotted key to the file or variable that set it; absent where the default holds."""

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the store; in the folder's name, signs that mean something in URLs are quoted."""
        return self.settings.storage.url or f"sqlite:///{quote((self.home / 'parley.db').as_posix(), safe=' +/:')}"

    @property
    def models_folder(self) -> Path:
        """Where installed models lie."""
        return self.home / "models"


def home_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The data folder: `PARLEY_HOME`, or the user's data folder of the system."""
    if folder := environment.get("PARLEY_HOME"):
        return Path(folder).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("parley", appauthor=False)


def load(file: Path | None = None, *, environment: Mapping[str, str] = os.environ) -> Configuration:
    """Read the configuration.

    Args:
        file: the file to read; None looks at `PARLEY_CONFIG`, then `./parley.toml`, then the data folder's.
        environment: the variables, of which `.env` beside the working directory's files gives further ones.

    Raises:
        ConfigurationError: a file is missing or unreadable, a key or variable is unknown, or a value is wrong.
    """
    variables = {**_read_dotenv(Path(".env")), **environment}
    home = home_folder(variables)
    path = _find_file(file, variables, home)
    raw = _read_toml(path) if path else {}
    origins = {key: str(path) for key in _leaves(raw)}
    for keys, value, origin in values_of(variables, known_keys()):
        _put(raw, keys, value)
        origins[".".join(keys)] = origin
    return Configuration(_check(raw, origins), home, path, origins)


def defaults(environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration where nothing is configured, for programs that must run with a broken one."""
    return Configuration(Settings(), home_folder(environment), None, {})


SIZE_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def parse_size(text: str) -> int | None:
    """Bytes of a size such as `8GB`; None for an empty text.

    Raises:
        ValueError: the text is no size.
    """
    if not text.strip():
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    if not match or match[2].lower() not in SIZE_UNITS:
        raise ValueError(f"{text} is not a size; write it like 8GB or 512MiB")
    return int(float(match[1]) * SIZE_UNITS[match[2].lower()])


# -- reading ------------------------------------------------------------------------------------------------


def _find_file(file: Path | None, variables: Mapping[str, str], home: Path) -> Path | None:
    if file is None and (named := variables.get("PARLEY_CONFIG")):
        file = Path(named)
    if file is not None:
        if not file.is_file():
            raise ConfigurationError("errors.config_file_missing", path=file)
        return file
    return next((path for path in (Path(FILE_NAME), home / FILE_NAME) if path.is_file()), None)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError("errors.config_syntax", path=path, problem=error) from None
    except UnicodeDecodeError:
        raise ConfigurationError("errors.config_encoding", path=path) from None
    except OSError as error:
        raise ConfigurationError("errors.config_unreadable", path=path, problem=error.strerror) from None


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {key: value for key, value in dotenv_values(path, encoding="utf-8").items() if value is not None}
    except UnicodeDecodeError:
        raise ConfigurationError("errors.config_encoding", path=path) from None
    except OSError as error:
        raise ConfigurationError("errors.config_unreadable", path=path, problem=error.strerror) from None


def _put(table: dict[str, Any], keys: tuple[str, ...], value: str) -> None:
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigurationError("errors.config_not_a_table", key=key)
    table[keys[-1]] = _list_or_text(value)


def _list_or_text(value: str) -> Any:
    if value.strip().startswith(("[", "{")):
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            return value
    return value


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


# -- checking -----------------------------------------------------------------------------------------------


def known_keys() -> dict[str, type[BaseModel]]:
    """Every dotted key that may be set, and the section it belongs to."""
    keys: dict[str, type[BaseModel]] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys.update({f"{name}.{key}": field.annotation for key in field.annotation.model_fields})
        else:
            keys[name] = Settings
    return keys


def _check(raw: dict[str, Any], origins: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise explain(error, origins, default_origin=FILE_NAME, nearest_key=_nearest_key) from None


def _nearest_key(key: str) -> str:
    candidates = [*known_keys(), *Settings.model_fields]
    last = key.rsplit(".", 1)[-1]
    near = difflib.get_close_matches(key, candidates, 1, 0.6) or [
        name for name in candidates if name.rsplit(".", 1)[-1] == last
    ]
    return near[0] if near else ""
