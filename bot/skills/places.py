"""`/settings`: what holds in a place and where that comes from; its administrators change it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.errors import ConfigurationError, ParleyError
from bot.places import ADMINS, EVERYONE, OFF, ON, Place, Places, Setting, roles_in
from bot.protocols import Reply
from bot.skills.choosing import chosen_model, short_name
from bot.skills.context import SkillContext
from bot.speakers import harmless
from bot.texts import LANGUAGES
from bot.types import Act, Finished, TextDelta

SERVER, DEFAULT = "server", "default"
ONLY_GROUPS = (Setting.LISTEN, Setting.WHO)
LONGEST_WHO = 500


async def respond(context: SkillContext) -> Reply:
    """Show what holds, or change it."""
    try:
        text, act = await _answer(context)
    except ParleyError as error:
        text, act = error.told(context.texts), Act("reject", {"reason": "bad_setting"})
    yield TextDelta(text)
    yield Finished(act=act)


async def _answer(context: SkillContext) -> tuple[str, Act]:
    first, _, rest = context.argument.partition(" ")
    for_server = first.lower() == SERVER
    name, _, value = (rest if for_server else context.argument).strip().partition(" ")
    if not name:
        return _shown(context), Act("place.show")
    setting, value = _named(context, name), value.strip()
    if not value:
        return _expected(context, setting), Act("place.show", {"name": setting.value})
    places = _allowed(context, for_server=for_server)
    checked = None if value.lower() == DEFAULT else CHECKS[setting](context, value)
    await places.settle(context.message, setting, checked, for_server=for_server)
    line = _line(context, await places.of(context.message), setting)
    slots = {"name": setting.value, "value": checked, "scope": SERVER if for_server else "chat"}
    return context.texts.get("settings.done", line=line), Act("place.set", slots)


def _named(context: SkillContext, name: str) -> Setting:
    """The setting of that name.

    Raises:
        ConfigurationError: there is none, or not in private.
    """
    wanted = name.lower()
    if wanted not in [*Setting]:
        names = ", ".join(f"`{each}`" for each in _settings(context))
        raise ConfigurationError("settings.unknown", name=harmless(name), names=names)
    if wanted not in _settings(context):
        raise ConfigurationError("settings.only_groups", name=wanted)
    return Setting(wanted)


def _settings(context: SkillContext) -> list[Setting]:
    return [each for each in Setting if not (context.message.is_private and each in ONLY_GROUPS)]


def _allowed(context: SkillContext, *, for_server: bool) -> Places:
    """Where the person may settle something.

    Raises:
        ConfigurationError: they may not.
    """
    message = context.message
    if not (message.is_private or message.is_from_admin or context.is_owner):
        raise ConfigurationError("settings.only_admins")
    if context.places is None or (for_server and not message.server):
        raise ConfigurationError("settings.no_server")
    return context.places


# -- what is shown ------------------------------------------------------------------------------------------


def _shown(context: SkillContext) -> str:
    lines = [_line(context, context.place, setting) for setting in _settings(context)]
    how = [context.texts.get("settings.how")]
    how += [context.texts.get("settings.how_server")] if context.message.server else []
    return "\n".join([context.texts.get("settings.intro"), "", *lines, "", " ".join(how)])


def _expected(context: SkillContext, setting: Setting) -> str:
    """What holds, and what may be chosen."""
    names = {
        Setting.PERSONA: context.personas.names(),
        Setting.MODEL: [short_name(name) for name in context.models.names()],
        Setting.LANGUAGE: [*LANGUAGES],
        Setting.LISTEN: [ON, OFF],
        Setting.WHO: [EVERYONE, ADMINS],
    }[setting]
    told = ", ".join(f"`{name}`" for name in names)
    return f"{_line(context, context.place, setting)}\n\n{context.texts.get(f'settings.values_{setting}', names=told)}"


def _line(context: SkillContext, place: Place, setting: Setting) -> str:
    value, source = _in_force(context, place, setting)
    told = _told(context, setting, value)
    by = context.texts.get(f"settings.by_{source}")
    return context.texts.get("settings.line", name=setting.value, value=told, source=by)


def _in_force(context: SkillContext, place: Place, setting: Setting) -> tuple[str, str]:
    """The value that holds, and where it comes from; empty where everybody has their own."""
    own: dict[str, str] = {Setting.PERSONA: context.conversation.persona, Setting.MODEL: context.conversation.model}
    configured: dict[str, str] = {
        Setting.PERSONA: context.settings.persona,
        Setting.MODEL: context.models.default,
        Setting.LISTEN: OFF,
        Setting.WHO: EVERYONE,
    }
    sources: dict[str, Mapping[str, str]] = {
        "conversation": own,
        "chat": place.chat,
        "server": place.server,
        "configuration": configured,
    }
    found = ((values[setting], source) for source, values in sources.items() if values.get(setting))
    return next(found, ("", "configuration"))


def _told(context: SkillContext, setting: Setting, value: str) -> str:
    if setting is Setting.MODEL:
        return f"`{short_name(value)}`"
    if setting is Setting.WHO and value not in (EVERYONE, ADMINS):
        return ", ".join(map(harmless, roles_in(value)))
    if setting is Setting.PERSONA or (setting is Setting.LANGUAGE and value):
        return f"`{value}`"
    return context.texts.get(f"settings.{setting}_{value or 'own'}")


# -- what may be chosen -------------------------------------------------------------------------------------


def _persona(context: SkillContext, value: str) -> str:
    context.personas.prompt(value, context.texts.language)
    return value


def _language(context: SkillContext, value: str) -> str:
    return _one_of(LANGUAGES, value, Setting.LANGUAGE)


def _listen(context: SkillContext, value: str) -> str:
    return _one_of((ON, OFF), value, Setting.LISTEN)


def _one_of(names: tuple[str, ...], value: str, setting: Setting) -> str:
    if value.lower() not in names:
        raise ConfigurationError(f"settings.values_{setting}", names=", ".join(f"`{name}`" for name in names))
    return value.lower()


def _who(context: SkillContext, value: str) -> str:
    if value.lower() in (EVERYONE, ADMINS):
        return value.lower()
    roles = dict.fromkeys(role.removeprefix("@") for role in roles_in(value))
    if not any(map(harmless, roles)) or len(value) > LONGEST_WHO:
        raise ConfigurationError("settings.values_who", names=f"`{EVERYONE}`, `{ADMINS}`")
    return ", ".join(roles)


CHECKS: Mapping[Setting, Callable[[SkillContext, str], str]] = {
    Setting.PERSONA: _persona,
    Setting.MODEL: chosen_model,
    Setting.LANGUAGE: _language,
    Setting.LISTEN: _listen,
    Setting.WHO: _who,
}
"""The value to keep; each raises a ParleyError where it cannot be chosen."""
