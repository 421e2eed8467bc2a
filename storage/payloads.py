"""Between values of `bot.channel` and the JSON that inbox and outbox hold; knows no SQL.

What was written by an earlier or later version is read, too: fields that are not known are passed over, and those that
are missing get their default, or else what is empty of their type.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from bot.channel import Content, Update
from bot.types import Address

HALF_OF_A_PAIR = re.compile("[\ud800-\udfff]")
EMPTY: Mapping[type, object] = {str: "", bool: False, int: 0, float: 0.0}


def payload_of_update(update: Update) -> dict[str, Any]:
    """The update as JSON, without its address, which stands in columns of its own."""
    payload: dict[str, Any] = _jsonable(update)
    del payload["message"]["address"]
    return payload


def update_of(payload: Mapping[str, Any], address: Address) -> Update:
    """The update that `payload_of_update` made the payload of.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        message = {**payload["message"], "address": asdict(address)}
        update: Update = _read(Update, {**payload, "message": message})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return update


def payload_of_content(content: Content) -> dict[str, Any]:
    """The content as JSON."""
    payload: dict[str, Any] = _jsonable(content)
    return payload


def content_of(payload: Mapping[str, Any] | None) -> Content:
    """The content that `payload_of_content` made the payload of; nothing where it was forgotten.

    Raises:
        ValueError: it cannot be read.
    """
    content: Content = _read(Content, payload or {})
    return content


def _jsonable(value: Any) -> Any:
    # every message comes by here: `dataclasses.asdict` and a second walk would take three times as long
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        # half of a surrogate pair is no text to every database; one sign stays one sign, so that spans fit
        return value if value.isascii() else HALF_OF_A_PAIR.sub("\ufffd", value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple):
        return [_jsonable(part) for part in value]
    if names := _field_names(value.__class__):
        return {name: _jsonable(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: _jsonable(part) for key, part in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


_hints = cache(get_type_hints)


def _read(kind: Any, raw: Any) -> Any:
    """The value of type `kind` that was written as `raw`."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is types.UnionType:
        (wanted,) = (part for part in inner if part is not type(None))
        return None if raw is None else _read(wanted, raw)
    if origin is tuple:
        return _read_tuple(inner, raw)
    if is_dataclass(kind):
        return _read_fields(kind, raw)
    if not isinstance(kind, type):
        return raw
    if kind is datetime:
        return datetime.fromisoformat(raw)
    if issubclass(kind, Enum):
        return kind(raw)
    if not isinstance(raw, kind):
        raise ValueError(f"{type(raw).__name__} where {kind.__name__} is wanted")
    return raw


def _read_tuple(inner: tuple[Any, ...], raw: Any) -> tuple[Any, ...]:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_read(inner[0], part) for part in raw)
    return tuple(_read(kind, part) for kind, part in zip(inner, raw, strict=True))


def _read_fields(kind: Any, raw: Any) -> Any:
    if not isinstance(raw, dict):
        raise ValueError(f"{type(raw).__name__} where {kind.__name__} is wanted")
    hints = _hints(kind)
    values = {name: _read(hint, raw[name]) for name, hint in hints.items() if name in raw}
    missing = {field.name: _nothing(hints[field.name]) for field in fields(kind) if _is_missing(field, values)}
    return kind(**values, **missing)


def _is_missing(field: Field[Any], values: Mapping[str, object]) -> bool:
    return field.name not in values and field.default is MISSING and field.default_factory is MISSING


def _nothing(kind: Any) -> Any:
    """What is empty of a type."""
    if is_dataclass(kind):
        return _read_fields(kind, {})
    if get_origin(kind) is tuple:
        return ()
    if kind not in EMPTY:
        raise ValueError(f"{kind} is missing")
    return EMPTY[kind]
