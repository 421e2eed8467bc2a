"""Reminders and timers: `/remind`, `/reminders` and `/snooze`. What is kept here comes by `bot.alarm`.

Every act can be asked for again with the same message, after a crash say, and is done once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from bot.hours import quiet_of, zone_name, zone_of
from bot.protocols import Command, Immediate, Reply
from bot.reminding import Reminder, ReminderDraft, Reminders
from bot.skills.context import SkillContext
from bot.texts import Texts
from bot.types import Act, Finished, TextDelta
from bot.understanding.slots.values import Doubt, Duration, Found, Recurrence, SlotKind

MOST_REMINDERS = 1000
"""Of one person in one chat."""
SHOWN = 20
"""Reminders that a list shows."""
LONGEST_TEXT = 1000
LONGEST_SHOWN = 120
SNOOZE = Duration(seconds=600)
SNOOZED_WITHIN = timedelta(days=1)
"""What came before cannot be put off any more."""
WANTED = (SlotKind.RECURRENCE, SlotKind.DATETIME, SlotKind.DURATION, SlotKind.TEXT)
_ALL = frozenset(("all", "everything", "全部", "所有"))
_NUMBER = re.compile(r"(?<!\w)\d{1,6}(?!\w)|(?<=第)\d{1,6}")
_WORD = re.compile(r"\w+")
_CANCEL = re.compile(r"(?:cancel|delete|remove|取消|删除)\s*(.*)", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"([\\`*_\[\]<>~|&!#])")
Answer = tuple[str, Act]


class RemindersSkill:
    """Keeps, lists, cancels and puts off what somebody is to be reminded of."""

    commands: Sequence[Command] = (
        Command("remind", "TEXT, TIME", immediate=Immediate.ALWAYS),
        Command("reminders", "[cancel N|all]", immediate=Immediate.ALWAYS),
        Command("snooze", "[DURATION]", immediate=Immediate.ALWAYS),
    )

    async def respond(self, context: SkillContext) -> Reply:
        """The reply of the command that was given."""
        if context.reminders is None:
            text, act = context.texts.get("reminders.not_here"), Act("reject", {"reason": "no_reminders"})
        else:
            zone = await zone_of(context.store, context.message.address, context.message.person.id, context.clock.zone)
            text, act = await _answer(context, context.reminders, zone)
        yield TextDelta(text)
        yield Finished(act=act)


async def _answer(context: SkillContext, reminders: Reminders, zone: tzinfo) -> Answer:
    match context.understanding.name:
        case "command.reminders":
            cancelling = _CANCEL.fullmatch(context.argument)
            return await (_cancel(context, reminders, cancelling[1]) if cancelling else _list(context, reminders, zone))
        case "reminder.list":
            return await _list(context, reminders, zone)
        case "reminder.cancel":
            return await _cancel(context, reminders, _said(context))
        case "command.snooze" | "reminder.snooze":
            return await _snooze(context, reminders, zone)
    return await _remind(context, reminders, zone)


def _said(context: SkillContext) -> str:
    """What followed the command; without one, all that was said."""
    is_command = context.understanding.name.startswith("command.")
    return context.argument or ("" if is_command else context.message.text)


# -- keeping ------------------------------------------------------------------------------------------------


async def _remind(context: SkillContext, reminders: Reminders, zone: tzinfo) -> Answer:
    from bot.understanding.slots.extract import extract  # with its words, which only reminders need

    texts, message = context.texts, context.message
    said = _said(context)
    found = extract(
        said, WANTED, now=message.at, zone=zone, language=message.person.language or texts.language, future=True
    )
    refusal = _refusal(found, said, texts)
    if refusal:
        return refusal
    if await reminders.count(message.address, message.person.id) >= MOST_REMINDERS:
        return texts.get("reminders.too_many", most=MOST_REMINDERS), Act("reject", {"reason": "too_many"})
    kept = await reminders.add(_draft(context, found, zone))
    return await _told(context, kept, zone, _doubts(found)), Act("reminder.create", _slots(kept, zone))


def _refusal(found: Found, said: str, texts: Texts) -> Answer | None:
    """What is missing or cannot be, if anything."""
    value = next((value for value in found.values if value.kind is not SlotKind.TEXT), None)
    if value is None:
        key = "reminders.when" if said.strip() else "reminders.what_and_when"
        return texts.get(key), Act("ask_missing", {"slot": "at"})
    if value.problem:
        return texts.get(f"reminders.{value.problem.value}", said=value.text), Act(
            "reject", {"reason": value.problem.value}
        )
    is_timer = value.kind is SlotKind.DURATION or Doubt.ASSUMED_TIME not in value.doubts
    if not found.rest and not is_timer:
        return texts.get("reminders.what"), Act("ask_missing", {"slot": "text"})
    return None


def _draft(context: SkillContext, found: Found, zone: tzinfo) -> ReminderDraft:
    message = context.message
    due, recurrence = _when(found, message.at, zone)
    return ReminderDraft(
        address=message.address,
        person_id=message.person.id,
        text=found.rest[:LONGEST_TEXT],
        due_at=due,
        created_at=context.clock.now(),
        zone=zone_name(zone),
        rule=recurrence.rule if recurrence else "",
        starts_at=recurrence.start if recurrence else None,
        name="" if message.is_private else message.person.name,
        language=context.texts.language,
        source=_source(context),
    )


def _when(found: Found, at: datetime, zone: tzinfo) -> tuple[datetime, Recurrence | None]:
    """When it comes first, and how it comes again."""
    from bot.understanding.slots.calendar import shifted

    value = next(value.value for value in found.values if value.kind is not SlotKind.TEXT)
    if isinstance(value, Recurrence):
        return value.start, value
    if isinstance(value, Duration):
        return shifted(at, value, zone)[0], None
    assert isinstance(value, datetime)
    return value, None


def _source(context: SkillContext) -> str | None:
    """Names the message, so that what it asks for is done once; the terminal's messages have no names."""
    message = context.message
    return f"{message.address.key}/{message.id}" if message.id else None


def _doubts(found: Found) -> tuple[Doubt, ...]:
    return next((value.doubts for value in found.values if value.kind is not SlotKind.TEXT), ())


async def _told(context: SkillContext, kept: Reminder, zone: tzinfo, doubts: Sequence[Doubt]) -> str:
    texts = context.texts
    when = when_told(kept.due_at, zone, context.clock.now(), texts)
    key = "reminders.kept_again" if kept.rule else "reminders.kept"
    lines = [texts.get(key if kept.text else "reminders.timer", text=escaped(kept.text), when=when)]
    lines += [texts.get(f"reminders.doubt_{doubt.value}", when=when) for doubt in doubts if doubt in _TOLD_DOUBTS]
    quiet = await quiet_of(context.store, kept.address, kept.person_id, context.settings.quiet_hours)
    ends = quiet.ends(kept.due_at, zone) if quiet else None
    if ends:
        lines.append(texts.get("reminders.in_quiet", when=when_told(ends, zone, context.clock.now(), texts)))
    return "\n".join(lines)


_TOLD_DOUBTS = (Doubt.SKIPPED, Doubt.DOUBLED, Doubt.HALF_OF_DAY, Doubt.WHICH_WEEK, Doubt.DAY_OR_MONTH)


def _slots(reminder: Reminder, zone: tzinfo) -> dict[str, object]:
    """A reminder as programs read it."""
    at = reminder.due_at.astimezone(zone).isoformat(timespec="seconds")
    return {"text": reminder.text, "at": at, "every": reminder.rule or None}


# -- listing and cancelling ---------------------------------------------------------------------------------


async def _list(context: SkillContext, reminders: Reminders, zone: tzinfo) -> Answer:
    texts, message = context.texts, context.message
    count = await reminders.count(message.address, message.person.id)
    if not count:
        return texts.get("reminders.none"), Act("reminder.list", {"count": 0})
    shown = await reminders.waiting(message.address, message.person.id, limit=SHOWN)
    lines = [f"{number}. {_line(each, zone, context)}" for number, each in enumerate(shown, 1)]
    text = texts.get("reminders.list") + "\n\n" + "\n".join(lines)
    if count > len(shown):
        text += "\n\n" + texts.get("reminders.more", count=count - len(shown))
    return text, Act("reminder.list", {"count": count, "reminders": [_slots(each, zone) for each in shown]})


def _line(reminder: Reminder, zone: tzinfo, context: SkillContext) -> str:
    when = when_told(reminder.due_at, zone, context.clock.now(), context.texts)
    text = escaped(_short(reminder.text)) or context.texts.get("reminders.unnamed")
    return context.texts.get("reminders.line_again" if reminder.rule else "reminders.line", when=when, text=text)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SHOWN else line[:LONGEST_SHOWN] + "…"


async def _cancel(context: SkillContext, reminders: Reminders, which: str) -> Answer:
    texts, message = context.texts, context.message
    source = _source(context)
    cancelled = await reminders.cancelled_by(source) if source else []
    if not cancelled:
        waiting = await reminders.waiting(message.address, message.person.id)
        cancelled = chosen(which, waiting)
        if not cancelled:
            key = "reminders.no_such_number" if waiting else "reminders.none"
            return texts.get(key, count=len(waiting)), Act("reject", {"reason": "no_such_reminder"})
        await reminders.cancel([each.id for each in cancelled], source=source, at=context.clock.now())
    named = ", ".join(f"“{escaped(_short(each.text))}”" for each in cancelled[:SHOWN] if each.text)
    text = texts.get("reminders.cancelled", count=len(cancelled), text=named or texts.get("reminders.unnamed"))
    return text, Act("reminder.cancel", {"count": len(cancelled), "texts": [each.text for each in cancelled[:SHOWN]]})


def chosen(which: str, waiting: Sequence[Reminder]) -> list[Reminder]:
    """The reminders that a text names: all, by number, or the one whose words it has; none where that is not sure."""
    if set(_WORD.findall(which.casefold())) & _ALL or any(word in which for word in _ALL if not word.isascii()):
        return list(waiting)
    numbers = [int(number) for number in _NUMBER.findall(which)]
    if numbers:
        is_good = all(0 < number <= len(waiting) for number in numbers)
        return [waiting[number - 1] for number in dict.fromkeys(numbers)] if is_good else []
    if len(waiting) == 1 and not which.strip():
        return list(waiting)
    named = [each for each in waiting if _holds(which, each.text)]
    longest = [each for each in named if not any(_holds(other.text, each.text) for other in named if other != each)]
    found = longest or [each for each in waiting if _holds(each.text, which)]
    return found if len(found) == 1 else []


def _holds(text: str, part: str) -> bool:
    """Whether the text has the part, in whole words."""
    part = part.strip().casefold()
    return bool(part) and re.search(rf"(?<![a-z0-9]){re.escape(part)}(?![a-z0-9])", text.casefold()) is not None


# -- putting off --------------------------------------------------------------------------------------------


async def _snooze(context: SkillContext, reminders: Reminders, zone: tzinfo) -> Answer:
    """Let the one that came last come once more."""
    texts, message, now = context.texts, context.message, context.clock.now()
    last = await reminders.last_come(message.address, message.person.id, since=now - SNOOZED_WITHIN)
    if last is None:
        return texts.get("reminders.nothing_to_snooze"), Act("reject", {"reason": "nothing_to_snooze"})
    due = _until(_said(context), message.at, zone)
    if due is None or due <= now:
        return texts.get("reminders.snooze_how_long"), Act("ask_missing", {"slot": "duration"})
    draft = ReminderDraft(
        address=last.address,
        person_id=last.person_id,
        text=last.text,
        due_at=due,
        created_at=now,
        zone=last.zone,
        name=last.name,
        language=texts.language,
        source=_source(context),
    )
    kept = await reminders.add(draft)
    when = when_told(kept.due_at, zone, now, texts)
    slots = {name: value for name, value in _slots(kept, zone).items() if name != "every"}
    key = "reminders.snoozed" if kept.text else "reminders.snoozed_timer"
    return texts.get(key, text=escaped(kept.text), when=when), Act("reminder.snooze", slots)


def _until(said: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Until when: after a while as long as that, or at a time; ten minutes without either."""
    from bot.understanding.slots.calendar import shifted
    from bot.understanding.slots.extract import extract

    if not said.strip():
        return shifted(now, SNOOZE, zone)[0]
    said = f"{said.strip()} min" if said.strip().isdecimal() else said
    found = extract(said, (SlotKind.DATETIME, SlotKind.DURATION), now=now, zone=zone, future=True)
    value = found.values[0] if found.values else None
    if value is None or value.problem:
        return None
    if isinstance(value.value, Duration):
        return shifted(now, value.value, zone)[0]
    return value.value if isinstance(value.value, datetime) else None


# -- how it is said -----------------------------------------------------------------------------------------


def when_told(at: datetime, zone: tzinfo, now: datetime, texts: Texts) -> str:
    """A time as a person says it: today and tomorrow by name, else with weekday and date."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    clock = f"{local:%H:%M}" + (f":{local:%S}" if local.second else "")
    days = (local.date() - today).days
    if days in (0, 1):
        return texts.get("reminders.today" if days == 0 else "reminders.tomorrow", clock=clock)
    weekday = texts.get("reminders.weekdays").split()[local.weekday()]
    return texts.get("reminders.on_day", weekday=weekday, date=local.date().isoformat(), clock=clock)


def escaped(text: str) -> str:
    """What somebody wrote, with nothing in it taken for Markdown."""
    return _MARKUP.sub(r"\\\1", text)
