"""Application commands: the form in which a bot registers them, and what a person finds of them in a channel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.servers.discord_checks import Form, Path, refused
from tests.servers.discord_things import BotAccount, Guild
from tests.servers.discord_world import World

Json = dict[str, Any]
CHAT_INPUT, USER, MESSAGE = 1, 2, 3
SUBCOMMAND, GROUP = 1, 2
STRING, INTEGER, BOOLEAN, USER_OPTION, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
IN_GUILD, IN_DM = 0, 1
MOST = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15}
_LOCALES = (
    "id da de en-GB en-US es-ES es-419 fr hr it lt hu nl no pl pt-BR ro fi sv-SE vi tr cs el bg ru uk hi th zh-CN ja "
    "zh-TW ko"
)
LOCALES = frozenset(_LOCALES.split())
_FIELDS = (
    "id type name name_localizations description description_localizations options default_member_permissions "
    "dm_permission default_permission nsfw contexts integration_types handler"
)
_KNOWN = frozenset(_FIELDS.split())
_OPTION_FIELDS = (
    "type name name_localizations description description_localizations required choices options channel_types "
    "min_value max_value min_length max_length autocomplete"
)
_OPTION = frozenset(_OPTION_FIELDS.split())
_SLASH_NAME = re.compile(r"[-_'\w]{1,32}")


def register_all(world: World, bot: BotAccount, guild_id: int, body: Any) -> list[Json]:
    """Replace all commands of a bot, global ones or a guild's; ids stay where names do."""
    form = Form(body, strict=world.strict)
    listed = [_check(form, (place,), each) for place, each in enumerate(form.items((), body, most=130))]
    seen: set[tuple[str, str]] = set()
    for place, each in enumerate(listed):
        key = (str(each.get("type", CHAT_INPUT)), str(each.get("name")))
        if key in seen:
            words = "Application command names must be unique"
            form.wrong((place, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", words)
        seen.add(key)
    form.finish()
    _check_count(listed)
    bot.commands[guild_id] = [_registered(world, bot, guild_id, each) for each in listed]
    return bot.commands[guild_id]


def register(world: World, bot: BotAccount, guild_id: int, body: Any) -> Json:
    """Add a command, or replace the one of its name."""
    form = Form(body, strict=world.strict)
    command = _check(form, (), body)
    form.finish()
    made = _registered(world, bot, guild_id, command)
    kept = [each for each in bot.commands.get(guild_id, []) if each["id"] != made["id"]]
    _check_count([*kept, made])
    bot.commands[guild_id] = [*kept, made]
    return made


def _registered(world: World, bot: BotAccount, guild_id: int, body: Json) -> Json:
    kind = body.get("type", CHAT_INPUT)
    before = next(
        (each for each in bot.commands.get(guild_id, []) if (each["type"], each["name"]) == (kind, body["name"])), None
    )
    command: Json = {
        "id": before["id"] if before else str(world.snowflake()),
        "application_id": str(bot.id),
        "version": str(world.snowflake()),
        "type": kind,
        "description": "",
        "default_member_permissions": None,
        "nsfw": False,
        "contexts": None,
        "integration_types": [0],
        "name_localizations": None,
        "description_localizations": None,
    }
    if guild_id:
        command["guild_id"] = str(guild_id)
    return command | {name: value for name, value in body.items() if name != "id"}


def _check_count(commands: Sequence[Json]) -> None:
    for kind, most in MOST.items():
        if sum(each.get("type", CHAT_INPUT) == kind for each in commands) > most:
            raise refused(30032)


def _check(form: Form, path: Path, value: Any) -> Json:
    command = form.fields(path, value, _KNOWN, required=("name",))
    kind = command.get("type", CHAT_INPUT)
    form.choice((*path, "type"), kind, (CHAT_INPUT, USER, MESSAGE))
    slash = kind == CHAT_INPUT
    _check_name(form, (*path, "name"), command.get("name", ""), slash=slash)
    _check_localizations(form, path, command, "name", slash=slash)
    if slash:
        form.text((*path, "description"), command.get("description", ""), least=1, most=100)
        _check_localizations(form, path, command, "description")
        _check_options(form, (*path, "options"), command.get("options") or [], depth=0)
    elif command.get("description") or command.get("options"):
        words = "Context menu commands cannot have a description or options"
        form.wrong((*path, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION", words)
    permissions = command.get("default_member_permissions")
    if permissions is not None:
        form.snowflake(
            (*path, "default_member_permissions"), int(permissions) + 1 if _digits(permissions) else permissions
        )
    if command.get("contexts") is not None:
        for place, each in enumerate(form.items((*path, "contexts"), command["contexts"])):
            form.choice((*path, "contexts", place), each, (0, 1, 2))
    return command


def _digits(value: Any) -> bool:
    return isinstance(value, int | str) and str(value).isdecimal()


def _check_name(form: Form, path: Path, value: Any, *, slash: bool) -> None:
    name = form.text(path, value, least=1, most=32)
    if slash and name and (not _SLASH_NAME.fullmatch(name) or name != name.lower()):
        form.wrong(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_localizations(form: Form, path: Path, fields: Json, what: str, *, slash: bool = False) -> None:
    name = f"{what}_localizations"
    if fields.get(name) is None:
        return
    for locale, text in form.fields((*path, name), fields[name], LOCALES).items():
        if locale not in LOCALES:
            continue
        if what == "name":
            _check_name(form, (*path, name, locale), text, slash=slash)
        else:
            form.text((*path, name, locale), text, least=1, most=100)


def _check_options(form: Form, path: Path, value: Any, *, depth: int) -> None:
    optional_seen = False
    for place, each in enumerate(form.items(path, value, most=25)):
        where: Path = (*path, place)
        option = form.fields(where, each, _OPTION, required=("type", "name", "description"))
        form.choice((*where, "type"), option.get("type"), tuple(range(1 if depth < 2 else 3, 12)))
        _check_name(form, (*where, "name"), option.get("name", ""), slash=True)
        form.text((*where, "description"), option.get("description", ""), least=1, most=100)
        for what in ("name", "description"):
            _check_localizations(form, where, option, what, slash=what == "name")
        if option.get("type") in (SUBCOMMAND, GROUP):
            _check_options(form, (*where, "options"), option.get("options") or [], depth=depth + 1)
            continue
        if option.get("required") and optional_seen:
            words = "Required options must be placed before non-required options"
            form.wrong(where, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", words)
        optional_seen = optional_seen or not option.get("required")
        _check_choices(form, (*where, "choices"), option.get("choices") or [])


def _check_choices(form: Form, path: Path, value: Any) -> None:
    for place, each in enumerate(form.items(path, value, most=25)):
        where: Path = (*path, place)
        known = {"name", "name_localizations", "value"}
        choice = form.fields(where, each, known, required=("name", "value"))
        form.text((*where, "name"), choice.get("name", ""), least=1, most=100)


# -- what a person finds ------------------------------------------------------------------------------------


def find_command(bot: BotAccount, guild: Guild | None, name: str, *, kind: int = CHAT_INPUT) -> Json:
    """The command that a person sees under this name; LookupError where there is none in such a place."""
    place = IN_DM if guild is None else IN_GUILD
    listed = [*bot.commands.get(guild.id if guild else -1, []), *bot.commands.get(0, [])]
    for command in listed:
        if (command["type"], command["name"]) == (kind, name) and _shown_in(command, place):
            return command
    raise LookupError(f"no command {name!r} here; there are {[each['name'] for each in listed]}")


def _shown_in(command: Json, place: int) -> bool:
    if command.get("contexts") is not None:
        return place in command["contexts"]
    return place == IN_GUILD or command.get("dm_permission") is not False


def filled_in(options: Sequence[Json], path: Sequence[str], values: Json) -> list[Json]:
    """The options of an interaction: a way through subcommands, then values; ValueError where a person could not."""
    if path:
        found = next(
            (each for each in options if each["name"] == path[0] and each["type"] in (SUBCOMMAND, GROUP)), None
        )
        if found is None:
            raise LookupError(f"no subcommand {path[0]!r}")
        inner = filled_in(found.get("options") or [], path[1:], values)
        return [{"type": found["type"], "name": found["name"], "options": inner}]
    missing = [each["name"] for each in options if each.get("required") and each["name"] not in values]
    unknown = set(values) - {each["name"] for each in options}
    if missing or unknown:
        raise ValueError(f"missing options {missing}, unknown options {sorted(unknown)}")
    return [_value(each, values[each["name"]]) for each in options if each["name"] in values]


def _value(option: Json, value: Any) -> Json:
    kinds: dict[int, tuple[type, ...]] = {STRING: (str,), INTEGER: (int,), BOOLEAN: (bool,), NUMBER: (int, float)}
    if not isinstance(value, kinds.get(option["type"], (str, int))):
        raise ValueError(f"{value!r} cannot be typed into the option {option['name']}")
    allowed = [each["value"] for each in option.get("choices") or ()]
    if allowed and value not in allowed:
        raise ValueError(f"{value!r} is none of the choices {allowed}")
    least, most = option.get("min_length") or 0, option.get("max_length") or 6000
    if option["type"] == STRING and not least <= len(str(value)) <= most:
        raise ValueError(f"{value!r} is too short or too long for the option {option['name']}")
    typed = str(value) if option["type"] in (USER_OPTION, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT) else value
    return {"type": option["type"], "name": option["name"], "value": typed}
