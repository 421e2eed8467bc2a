"""`/model` and `/persona`: who answers in this conversation, and how; `/settings` does the same for places."""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import ParleyError
from bot.places import Setting
from bot.protocols import Command, Immediate, Reply
from bot.skills import places
from bot.skills.choosing import chosen_model, short_name
from bot.skills.context import SkillContext
from bot.types import Act, Finished, TextDelta


class SettingsSkill:
    """Shows a setting of the conversation, or changes it; the history stays as it is."""

    commands: Sequence[Command] = (
        Command("model", "[NAME]", immediate=Immediate.ALONE),
        Command("persona", "[NAME]", immediate=Immediate.ALONE),
        Command("settings", "[NAME VALUE]", immediate=Immediate.ALWAYS, discreet=True),
    )

    def respond(self, context: SkillContext) -> Reply:
        """The reply of the command that was given."""
        kind = context.understanding.name.rpartition(".")[2]
        if kind == "settings":
            return places.respond(context)
        if not context.argument:
            return _show(context, kind)
        return _set_model(context) if kind == "model" else _set_persona(context)


async def _show(context: SkillContext, kind: str) -> Reply:
    if kind == "model":
        current, names = context.model or context.models.default, context.models.names()
    else:
        current, names = context.persona, context.personas.names()
    others = ", ".join(f"`{short_name(name)}`" for name in names if name != current)
    key = f"commands.{kind}_shown" if others else f"commands.{kind}_shown_alone"
    yield TextDelta(context.texts.get(key, name=short_name(current), others=others))
    yield Finished(act=Act(f"{kind}.show", {"name": current}))


async def _set_model(context: SkillContext) -> Reply:
    try:
        name = "" if context.argument.lower() == places.DEFAULT else chosen_model(context, context.argument)
    except ParleyError as error:
        yield TextDelta(error.told(context.texts))
        yield Finished(act=Act("reject", {"reason": "unknown_model"}))
        return
    await context.store.set_model(context.conversation.id, name)
    used = name or context.place.get(Setting.MODEL) or context.models.default
    yield TextDelta(context.texts.get("commands.model_set", name=short_name(used)))
    yield Finished(act=Act("model.set", {"name": used}))


async def _set_persona(context: SkillContext) -> Reply:
    name = "" if context.argument.lower() == places.DEFAULT else context.argument
    used = name or context.place.get(Setting.PERSONA) or context.settings.persona
    try:
        context.personas.prompt(used, context.texts.language)
    except ParleyError as error:
        yield TextDelta(error.told(context.texts))
        yield Finished(act=Act("reject", {"reason": "unknown_persona"}))
        return
    await context.store.set_persona(context.conversation.id, name)
    yield TextDelta(context.texts.get("commands.persona_set", name=used))
    yield Finished(act=Act("persona.set", {"name": used}))
