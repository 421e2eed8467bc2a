"""`/timezone` and `/quiet`: by whose clock a person goes, and when nobody is to remind them of anything."""

from __future__ import annotations

from collections.abc import Sequence

from bot.hours import OFF, QUIET, TIMEZONE, near_zones, quiet_of, quiet_said, scope_of, zone_name, zone_named, zone_of
from bot.protocols import Command, Immediate, Reply
from bot.skills.context import SkillContext
from bot.types import Act, Finished, TextDelta

DEFAULT = ("default", "默认")
NONE = ("off", "none", "no", "关", "关闭")


class HoursSkill:
    """Shows or changes what holds for the person, in every chat of the channel."""

    commands: Sequence[Command] = (
        Command("timezone", "[NAME]", immediate=Immediate.ALWAYS),
        Command("quiet", "[22:00-7:00|off]", immediate=Immediate.ALWAYS),
    )

    async def respond(self, context: SkillContext) -> Reply:
        """The reply of the command that was given."""
        is_zone = context.understanding.name.rpartition(".")[2] == "timezone"
        text, act = await (_timezone(context) if is_zone else _quiet(context))
        yield TextDelta(text)
        yield Finished(act=act)


async def _timezone(context: SkillContext) -> tuple[str, Act]:
    texts, wanted = context.texts, context.argument.strip()
    if wanted:
        zone = zone_named(wanted)
        is_default = wanted.casefold() in DEFAULT
        if zone is None and not is_default:
            near = ", ".join(f"`{name}`" for name in near_zones(wanted))
            key = "reminders.zone_near" if near else "reminders.zone_unknown"
            return texts.get(key, name=wanted, near=near), Act("reject", {"reason": "unknown_timezone"})
        await _settle(context, TIMEZONE, zone_name(zone) if zone else None)
    zone = await zone_of(context.store, context.message.address, context.message.person.id, context.clock.zone)
    clock = f"{context.clock.now().astimezone(zone):%H:%M}"
    text = texts.get("reminders.zone_set" if wanted else "reminders.zone", name=zone_name(zone), clock=clock)
    return text, Act("timezone.set" if wanted else "timezone.show", {"name": zone_name(zone)})


async def _quiet(context: SkillContext) -> tuple[str, Act]:
    texts, wanted = context.texts, context.argument.strip()
    if wanted:
        try:
            quiet = None if wanted.casefold() in NONE else quiet_said(wanted)
        except ValueError:
            quiet = None
        if quiet is None and wanted.casefold() not in NONE:
            return texts.get("reminders.quiet_unknown"), Act("reject", {"reason": "no_quiet_hours"})
        await _settle(context, QUIET, str(quiet) if quiet else OFF)
    person = context.message.person.id
    quiet = await quiet_of(context.store, context.message.address, person, context.settings.quiet_hours)
    key = "reminders.quiet" if quiet else "reminders.no_quiet"
    return texts.get(key, hours=quiet), Act(
        "quiet.set" if wanted else "quiet.show", {"hours": str(quiet) if quiet else None}
    )


async def _settle(context: SkillContext, key: str, value: str | None) -> None:
    scope = scope_of(context.message.address, context.message.person.id)
    await context.store.set_setting(scope, key, value)
