"""What the Bot API refuses about texts, entities and buttons, in its words; knows nothing of chats or sockets.

Offsets and lengths count UTF-16 units, as on the wire. `strict` refuses what Telegram itself would silently mend
(overlapping entities, more than 100 of them, unknown types): a bot that relies on mending shows its person something
else than it meant. With `strict=False` such entities are dropped, as Telegram does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
TEXT_UNITS = 4096
CAPTION_UNITS = 1024
ENTITIES = 100
BUTTONS = 100
CALLBACK_BYTES = 64

STYLES = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
QUOTES = frozenset({"blockquote", "expandable_blockquote"})
CODES = frozenset({"code", "pre"})
FOUND = frozenset({"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"})
KNOWN = STYLES | QUOTES | CODES | FOUND | {"text_link", "text_mention", "custom_emoji", "date_time"}
BUTTON_ACTIONS = frozenset(
    {"callback_data", "url", "web_app", "login_url", "copy_text", "callback_game", "pay"}
    | {"switch_inline_query", "switch_inline_query_current_chat", "switch_inline_query_chosen_chat"}
)


class ApiError(Exception):
    """An answer with `ok: false`: `code` is also the HTTP status, `parameters` what stands beside the description."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad(reason: str) -> ApiError:
    """A 400 in the server's form."""
    return ApiError(400, f"Bad Request: {reason}")


def forbidden(reason: str) -> ApiError:
    """A 403 in the server's form."""
    return ApiError(403, f"Forbidden: {reason}")


def units(text: str) -> int:
    """How many UTF-16 units `text` has."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def unit_slice(text: str, offset: int, length: int) -> str:
    """The part of `text` that an entity covers; half a surrogate pair is shown as U+FFFD."""
    raw = text.encode("utf-16-le")[offset * 2 : (offset + length) * 2]
    return raw.decode("utf-16-le", "replace")


# -- texts --------------------------------------------------------------------------------------------------


def accept_text(
    text: str, entities: Sequence[Json], *, caption: bool = False, strict: bool = True
) -> tuple[str, list[Json]]:
    """The text and entities as they are shown, or ApiError: checked, then trimmed as Telegram trims.

    An empty text is refused, an empty caption is none. Lengths are counted after trimming.
    """
    _check_encoding(text)
    kept = check_entities(text, entities, strict=strict)
    text, kept = _trim(_without_controls(text), kept)
    if not text and not caption:
        raise bad("message text is empty")
    if units(text) > (CAPTION_UNITS if caption else TEXT_UNITS):
        raise bad("message caption is too long" if caption else "message is too long")
    return text, kept


def accept_draft(text: str, entities: Sequence[Json], *, strict: bool = True) -> tuple[str, list[Json]]:
    """A draft's text and entities, or ApiError; it may be empty, which shows a placeholder."""
    return accept_text(text, entities, strict=strict) if text.strip() else ("", [])


def _check_encoding(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise bad("strings must be encoded in UTF-8") from None


def _without_controls(text: str) -> str:
    """Control characters become spaces, so that offsets stay."""
    return re.sub(r"[\x00-\x09\x0b-\x1f]", " ", text)


def _trim(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Without white space at the end, and at the start up to the first entity."""
    text = text.rstrip()
    end = units(text)
    kept = [entity | {"length": min(entity["length"], end - entity["offset"])} for entity in entities]
    kept = [entity for entity in kept if entity["length"] > 0]
    first = min((entity["offset"] for entity in kept), default=end)
    start = min(len(text) - len(text.lstrip(" \n")), first)
    return text[start:], [entity | {"offset": entity["offset"] - start} for entity in kept]


# -- entities -----------------------------------------------------------------------------------------------


def check_entities(text: str, entities: Sequence[Json], *, strict: bool = True) -> list[Json]:
    """The entities that are shown, in the order of the text; ApiError where Telegram or `strict` refuses them."""
    if not entities:
        return []
    raw = text.encode("utf-16-le")
    for entity in entities:
        _check_form(entity)
        _check_bounds(raw, entity["offset"], entity["offset"] + entity["length"])
    faults = [_fault(entity) for entity in entities]
    kept = [entity for entity, fault in zip(entities, faults, strict=True) if not fault]
    kept.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    kept, clashes = _nested(kept)
    complaints = [fault for fault in faults if fault] + clashes
    if len(entities) > ENTITIES:
        complaints.append(f"{len(entities)} entities, of which {ENTITIES} would be kept")
    if strict and complaints:
        raise bad(f"can't parse entities: {complaints[0]}")
    return kept[:ENTITIES]


def _check_form(entity: object) -> None:
    if not isinstance(entity, Mapping) or not isinstance(entity.get("type"), str):
        raise bad('can\'t parse MessageEntity: expected an Object with a field "type"')
    for field in ("offset", "length"):
        if type(entity.get(field)) is not int:
            raise bad(f'can\'t parse MessageEntity: field "{field}" must be of type Number')


def _check_bounds(raw: bytes, start: int, end: int) -> None:
    total = len(raw) // 2
    if start < 0 or end < start or end > total:
        raise bad(f"entity beginning at UTF-16 offset {start} ends after the end of the text at UTF-16 offset {end}")
    for what, place in (("begins", start), ("ends", end)):
        if 0 < place < total and 0xDC <= raw[place * 2 + 1] <= 0xDF:
            raise bad(f"entity {what} in a middle of a UTF-16 symbol at byte offset {place}")


def _fault(entity: Json) -> str:
    """What is wrong with one entity by itself, or nothing."""
    kind = entity["type"]
    if kind not in KNOWN:
        return f"unsupported entity type {kind!r}"
    if entity["length"] == 0:
        return f"{kind} at offset {entity['offset']} is empty"
    if kind == "text_link" and not entity.get("url"):
        return "text_link without url"
    if kind == "text_mention" and not entity.get("user"):
        return "text_mention without user"
    if kind == "custom_emoji" and not entity.get("custom_emoji_id"):
        return "custom_emoji without custom_emoji_id"
    if entity.get("language") and kind != "pre":
        return f"{kind} with a language"
    return ""


def _nested(entities: list[Json]) -> tuple[list[Json], list[str]]:
    """The entities that nest properly, and a complaint for each of the others."""
    kept: list[Json] = []
    complaints: list[str] = []
    around: list[Json] = []
    for entity in entities:
        while around and _end(around[-1]) <= entity["offset"]:
            around.pop()
        if clash := _clash(around, entity):
            complaints.append(clash)
            continue
        around.append(entity)
        kept.append(entity)
    return kept, complaints


def _clash(around: Iterable[Json], entity: Json) -> str:
    for outer in around:
        where = f"{entity['type']} at offset {entity['offset']}"
        if _end(entity) > _end(outer):
            return f"{where} overlaps {outer['type']} that ends at {_end(outer)}"
        if not _may_contain(outer, entity):
            return f"{where} stands inside {outer['type']}"
    return ""


def _may_contain(outer: Json, inner: Json) -> bool:
    """Styles nest with everything but code; quotes hold everything but quotes; the rest holds styles only."""
    kinds = outer["type"], inner["type"]
    if kinds[0] == kinds[1]:
        return False
    if kinds[0] in QUOTES:
        return kinds[1] not in QUOTES
    if any(kind in CODES for kind in kinds):
        return False
    return any(kind in STYLES for kind in kinds)


def _end(entity: Json) -> int:
    end: int = entity["offset"] + entity["length"]
    return end


_PATTERNS = (
    ("bot_command", re.compile(r"(?<![\w/@])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?")),
    ("url", re.compile(r"https?://[^\s<>]+[^\s<>.,!?)]")),
    ("email", re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w")),
    ("mention", re.compile(r"(?<![\w/])@\w{3,32}")),
    ("hashtag", re.compile(r"(?<!\w)#\w+")),
)


def find_entities(text: str) -> list[Json]:
    """The entities that Telegram finds by itself in what a person writes: commands, mentions, links, hashtags."""
    found: list[tuple[int, int, str]] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if not any(match.start() < end and start < match.end() for start, end, _ in found):
                found.append((match.start(), match.end(), kind))
    return [
        {"type": kind, "offset": units(text[:start]), "length": units(text[start:end])}
        for start, end, kind in sorted(found)
    ]


# -- buttons ------------------------------------------------------------------------------------------------


def accept_markup(markup: Any) -> Json | None:
    """A reply markup, or ApiError; nothing and an empty inline keyboard are None."""
    if not markup:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" not in markup:
        return markup
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad("can't parse inline keyboard: expected an Array of Arrays")
    buttons = [button for row in rows for button in row]
    for button in buttons:
        _check_button(button)
    if len(buttons) > BUTTONS:
        raise bad("reply markup is too long")
    return {"inline_keyboard": [row for row in rows if row]} if buttons else None


def _check_button(button: Any) -> None:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad("can't parse inline keyboard button: can't find field \"text\"")
    if not button["text"].strip():
        raise bad("can't parse inline keyboard button: text must be non-empty")
    if len(BUTTON_ACTIONS & set(button)) != 1:
        raise bad("can't parse inline keyboard button: text buttons are unallowed in the inline keyboard")
    if "callback_data" in button and not 1 <= len(str(button["callback_data"]).encode()) <= CALLBACK_BYTES:
        raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")


# -- arguments ----------------------------------------------------------------------------------------------


class Arguments:
    """What a method was called with: form fields are strings, nested values JSON in strings; `files` are uploads."""

    def __init__(self, fields: Mapping[str, Any], files: Mapping[str, tuple[str, bytes]] | None = None) -> None:
        self.fields = fields
        self.files = files or {}

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self.fields.get(name)
        return default if value is None else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """A number; ApiError if it is none."""
        value = self.fields.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            raise bad(f"invalid parameter {name} specified") from None

    def flag(self, name: str) -> bool:
        """A truth value, in any of the customary spellings."""
        return str(self.fields.get(name, "")).lower() in {"true", "1", "yes", "t", "y"}

    def nested(self, name: str, default: Any = None) -> Any:
        """A JSON value; ApiError if it is none."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            return default if value is None else value
        if not value:
            return default
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise bad(f"can't parse {name} JSON object") from None

    def nested_list(self, name: str) -> list[Any]:
        """A JSON array, empty where it is missing; ApiError if it is something else."""
        value = self.nested(name, [])
        if not isinstance(value, list):
            raise bad(f"can't parse {name}: expected an Array")
        return value
