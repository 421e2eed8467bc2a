"""The forms of messages and their components: what a client may send, field by field; knows nothing of the world.

Lengths count code points, as Discord's API does. Components of version 2 (layouts) are not known here: 501.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from tests.servers.discord_checks import ApiError, Form, Path, refused

Json = dict[str, Any]
CONTENT_CHARACTERS = 2000
EMBED_CHARACTERS = 6000
FILES = 10
EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 15
SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS = 1 << 2, 1 << 12
SENDABLE_FLAGS = SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2

_EVERYWHERE = frozenset({"content", "tts", "embeds", "components", "flags", "allowed_mentions", "attachments", "poll"})
CREATE = _EVERYWHERE | {"nonce", "enforce_nonce", "message_reference", "sticker_ids"}
EDIT = _EVERYWHERE - {"poll"}
WEBHOOK = _EVERYWHERE | {"username", "avatar_url", "thread_name", "applied_tags"}
RESPONSE = _EVERYWHERE


def check_message(
    body: Any, known: Collection[str], *, files: int = 0, ephemeral: bool = False, strict: bool = True
) -> Json:
    """The body of a message with nothing wrong in it, or ApiError 50035.

    Args:
        body: as it came.
        known: the fields of this endpoint: CREATE, EDIT, WEBHOOK or RESPONSE.
        files: how many files came along.
        ephemeral: whether the flag for one person's eyes may be set.
        strict: refuse fields and flags that Discord would ignore.
    """
    form = Form(body, strict=strict)
    message = form.fields((), body, known)
    if message.get("content") is not None:
        form.text(("content",), message["content"], most=CONTENT_CHARACTERS)
    for name in ("tts", "enforce_nonce"):
        if name in message:
            form.flag((name,), message[name])
    _check_nonce(form, message)
    _check_flags(form, message, ephemeral=ephemeral)
    if message.get("message_reference") is not None:
        _check_reference(form, message["message_reference"])
    if message.get("allowed_mentions") is not None:
        _check_allowed(form, message["allowed_mentions"])
    if message.get("embeds") is not None:
        _check_embeds(form, message["embeds"])
    if message.get("attachments") is not None:
        _check_attachments(form, message["attachments"])
    if message.get("components") is not None:
        check_rows(form, ("components",), message["components"])
    if files > FILES:
        form.wrong(("files",), "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {FILES} in length.")
    form.finish()
    if message.get("sticker_ids") or message.get("poll"):
        raise ApiError(501, 0, "this server knows no stickers and polls")
    return message


def is_empty(message: Mapping[str, Any], *, files: int = 0) -> bool:
    """Whether nothing would be seen of such a message."""
    seen = ("embeds", "attachments", "components")
    return not (message.get("content") or "").strip() and not files and not any(message.get(each) for each in seen)


# -- fields -------------------------------------------------------------------------------------------------


def _check_nonce(form: Form, message: Json) -> None:
    nonce = message.get("nonce")
    if nonce is None or type(nonce) is int:
        return
    form.text(("nonce",), nonce, most=25)


def _check_flags(form: Form, message: Json, *, ephemeral: bool) -> None:
    if message.get("flags") is None:
        return
    flags = form.integer(("flags",), message["flags"])
    if flags & COMPONENTS_V2:
        raise ApiError(501, 0, "this server knows no components of version 2")
    if form.strict and flags & ~(SENDABLE_FLAGS | (EPHEMERAL if ephemeral else 0)):
        form.wrong(("flags",), "UNKNOWN_FLAG", f"Discord ignores some of the flags {flags} here")


def _check_reference(form: Form, value: Any) -> None:
    path: Path = ("message_reference",)
    known = {"type", "message_id", "channel_id", "guild_id", "fail_if_not_exists"}
    reference = form.fields(path, value, known, required=("message_id",))
    for name in ("message_id", "channel_id", "guild_id"):
        if reference.get(name) is not None:
            form.snowflake((*path, name), reference[name])
    if "type" in reference:
        form.choice((*path, "type"), reference["type"], (0,))
    if "fail_if_not_exists" in reference:
        form.flag((*path, "fail_if_not_exists"), reference["fail_if_not_exists"])


def _check_allowed(form: Form, value: Any) -> None:
    path: Path = ("allowed_mentions",)
    allowed = form.fields(path, value, {"parse", "users", "roles", "replied_user"})
    parse = form.items((*path, "parse"), allowed.get("parse", []))
    for place, each in enumerate(parse):
        form.choice((*path, "parse", place), each, ("roles", "users", "everyone"))
    for name in ("users", "roles"):
        for place, each in enumerate(form.items((*path, name), allowed.get(name, []), most=100)):
            form.snowflake((*path, name, place), each)
        if allowed.get(name) and name in parse:
            words = f'parse:["{name}"] and {name}: [ids...] are mutually exclusive.'
            form.wrong(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", words)
    if "replied_user" in allowed:
        form.flag((*path, "replied_user"), allowed["replied_user"])


def _check_attachments(form: Form, value: Any) -> None:
    for place, each in enumerate(form.items(("attachments",), value, most=FILES)):
        path: Path = ("attachments", place)
        # An attachment that stays goes back as it came; only what can be changed is looked at.
        entry = form.fields(path, each, each if isinstance(each, dict) else (), required=("id",))
        if type(entry.get("id")) is not int and "id" in entry:
            form.snowflake((*path, "id"), entry["id"])
        for name, most in (("filename", 1024), ("description", 1024)):
            if entry.get(name) is not None:
                form.text((*path, name), entry[name], most=most)


# -- embeds -------------------------------------------------------------------------------------------------

_EMBED_TEXTS = (("title", 256), ("description", 4096))
_EMBED = {"title", "type", "description", "url", "timestamp", "color", "footer", "image", "thumbnail", "video"}
_EMBED |= {"provider", "author", "fields", "flags"}


def _check_embeds(form: Form, value: Any) -> None:
    total = 0
    for place, each in enumerate(form.items(("embeds",), value, most=10)):
        total += _check_embed(form, ("embeds", place), each)
    if total > EMBED_CHARACTERS:
        words = f"Embed size exceeds maximum size of {EMBED_CHARACTERS}"
        form.wrong(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", words)


def _check_embed(form: Form, path: Path, value: Any) -> int:
    """How many characters the embed has."""
    embed = form.fields(path, value, _EMBED)
    total = 0
    for name, most in _EMBED_TEXTS:
        if embed.get(name) is not None:
            total += len(form.text((*path, name), embed[name], most=most))
    for name, part, most in (("footer", "text", 2048), ("author", "name", 256)):
        if embed.get(name) is not None:
            inner = form.fields(
                (*path, name), embed[name], {part, "url", "icon_url", "proxy_icon_url"}, required=(part,)
            )
            total += len(form.text((*path, name, part), inner.get(part, ""), most=most))
    for place, each in enumerate(form.items((*path, "fields"), embed.get("fields", []), most=25)):
        where: Path = (*path, "fields", place)
        field = form.fields(where, each, {"name", "value", "inline"}, required=("name", "value"))
        total += len(form.text((*where, "name"), field.get("name", ""), least=1, most=256))
        total += len(form.text((*where, "value"), field.get("value", ""), least=1, most=1024))
    if embed.get("url") is not None:
        check_url(form, (*path, "url"), embed["url"])
    if embed.get("color") is not None:
        form.integer((*path, "color"), embed["color"], most=0xFFFFFF)
    return total


def check_url(form: Form, path: Path, value: Any) -> None:
    """A web address."""
    address = form.text(path, value, most=2048)
    if address and not re.match(r"(https?|attachment)://\S+$", address):
        form.wrong(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")


# -- components ---------------------------------------------------------------------------------------------

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SELECTS = (STRING_SELECT, 5, 6, 7, 8)
LINK, PREMIUM = 5, 6
_BUTTON = {"type", "id", "style", "label", "emoji", "custom_id", "url", "disabled", "sku_id"}
_SELECT = {"type", "id", "custom_id", "options", "placeholder", "min_values", "max_values", "disabled", "required"}
_SELECT |= {"default_values", "channel_types"}


def check_rows(form: Form, path: Path, value: Any) -> None:
    """Rows of buttons and menus."""
    seen: set[str] = set()
    for place, row in enumerate(form.items(path, value, most=5)):
        where: Path = (*path, place)
        fields = form.fields(where, row, {"type", "id", "components"}, required=("type", "components"))
        form.choice((*where, "type"), fields.get("type"), (ROW,))
        inner: Path = (*where, "components")
        parts = form.items(inner, fields.get("components", []), least=1, most=5)
        for number, part in enumerate(parts):
            _check_part(form, (*inner, number), part, seen)
        if len(parts) > 1 and any(isinstance(part, dict) and part.get("type") in SELECTS for part in parts):
            form.wrong(inner, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")


def _check_part(form: Form, path: Path, part: Any, seen: set[str]) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == BUTTON:
        _check_button(form, path, part)
    elif kind in SELECTS:
        _check_select(form, path, part)
    else:
        choices = ", ".join(str(each) for each in (BUTTON, *SELECTS))
        form.wrong((*path, "type"), "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of ({choices}).")
        return
    custom = str(part.get("custom_id"))
    if part.get("custom_id") is not None and custom in seen:
        form.wrong((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
    seen.add(custom)


def _check_button(form: Form, path: Path, value: Json) -> None:
    button = form.fields(path, value, _BUTTON, required=("style",))
    form.choice((*path, "style"), button.get("style"), (1, 2, 3, 4, LINK, PREMIUM))
    if button.get("label") is not None:
        form.text((*path, "label"), button["label"], most=80)
    if button.get("emoji") is not None:
        _check_emoji(form, (*path, "emoji"), button["emoji"])
    if not button.get("label") and not button.get("emoji"):
        form.wrong(path, "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A label or an emoji is required")
    _check_target(form, path, button)
    if "disabled" in button:
        form.flag((*path, "disabled"), button["disabled"])


def _check_target(form: Form, path: Path, button: Json) -> None:
    """A link has an address, any other button an id."""
    link = button.get("style") == LINK
    wanted, other = ("url", "custom_id") if link else ("custom_id", "url")
    if button.get(wanted) is None:
        form.wrong((*path, wanted), "BASE_TYPE_REQUIRED", "This field is required")
    elif link:
        check_url(form, (*path, "url"), button["url"])
    else:
        form.text((*path, "custom_id"), button["custom_id"], least=1, most=100)
    if button.get(other) is not None:
        words = "A custom id and url cannot both be specified"
        form.wrong((*path, other), "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", words)


def _check_select(form: Form, path: Path, value: Json) -> None:
    select = form.fields(path, value, _SELECT, required=("custom_id",))
    if "custom_id" in select:
        form.text((*path, "custom_id"), select["custom_id"], least=1, most=100)
    if select.get("placeholder") is not None:
        form.text((*path, "placeholder"), select["placeholder"], most=150)
    for name, least in (("min_values", 0), ("max_values", 1)):
        if select.get(name) is not None:
            form.integer((*path, name), select[name], least=least, most=25)
    for name in ("disabled", "required"):
        if name in select:
            form.flag((*path, name), select[name])
    if select["type"] == STRING_SELECT:
        _check_options(form, (*path, "options"), select.get("options", []))


def _check_options(form: Form, path: Path, value: Any) -> None:
    values: set[str] = set()
    for place, each in enumerate(form.items(path, value, least=1, most=25)):
        where: Path = (*path, place)
        known = {"label", "value", "description", "emoji", "default"}
        option = form.fields(where, each, known, required=("label", "value"))
        for name in ("label", "value"):
            form.text((*where, name), option.get(name, ""), least=1, most=100)
        if option.get("description") is not None:
            form.text((*where, "description"), option["description"], most=100)
        if option.get("emoji") is not None:
            _check_emoji(form, (*where, "emoji"), option["emoji"])
        if str(option.get("value")) in values:
            words = "The specified option value is already used"
            form.wrong((*where, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", words)
        values.add(str(option.get("value")))


def _check_emoji(form: Form, path: Path, value: Any) -> None:
    emoji = form.fields(path, value, {"id", "name", "animated"})
    if emoji.get("id") is None and not is_emoji(str(emoji.get("name") or "")):
        form.wrong((*path, "name"), "COMPONENT_INVALID_EMOJI", "Invalid emoji")


def is_emoji(text: str) -> bool:
    """Whether `text` could be one emoji: no letters (but ℹ), no spaces, or a digit that is dressed as a key."""
    return 0 < len(text) <= 12 and not text.isascii() and not any(char.isalpha() for char in text.lstrip("ℹ"))


# -- threads ------------------------------------------------------------------------------------------------

ARCHIVE_MINUTES = (60, 1440, 4320, 10080)


def check_thread(body: Any, *, from_message: bool, strict: bool = True) -> Json:
    """The body that starts a thread."""
    form = Form(body, strict=strict)
    known = {"name", "auto_archive_duration", "rate_limit_per_user"}
    fields = form.fields((), body, known if from_message else known | {"type", "invitable"}, required=("name",))
    if "name" in fields:
        form.text(("name",), fields["name"], least=1, most=100)
    if fields.get("auto_archive_duration") is not None:
        form.choice(("auto_archive_duration",), fields["auto_archive_duration"], ARCHIVE_MINUTES)
    if fields.get("rate_limit_per_user") is not None:
        form.integer(("rate_limit_per_user",), fields["rate_limit_per_user"], most=21600)
    if fields.get("type") is not None:
        form.choice(("type",), fields["type"], (10, 11, 12))
    form.finish()
    return fields


def check_channel(body: Any, *, thread: bool, strict: bool = True) -> Json:
    """The body that changes a thread's name and state, or a channel's name."""
    form = Form(body, strict=strict)
    flags = ("archived", "locked") if thread else ()
    fields = form.fields((), body, {"name", *flags, *(("auto_archive_duration",) if thread else ())})
    if "name" in fields:
        form.text(("name",), fields["name"], least=1, most=100)
    for name in flags:
        if name in fields:
            form.flag((name,), fields[name])
    if "auto_archive_duration" in fields:
        form.choice(("auto_archive_duration",), fields["auto_archive_duration"], ARCHIVE_MINUTES)
    form.finish()
    return fields


def check_bulk(body: Any, *, strict: bool = True) -> list[int]:
    """The ids of messages to delete."""
    form = Form(body, strict=strict)
    fields = form.fields((), body, {"messages"}, required=("messages",))
    listed = form.items(("messages",), fields.get("messages", []))
    ids = [form.snowflake(("messages", place), each) for place, each in enumerate(listed)]
    form.finish()
    if not 2 <= len(ids) <= 100:
        raise refused(50016)
    return ids
