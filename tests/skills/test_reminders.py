"""What a person sees of reminders: asked for, listed, cancelled, put off, and coming, also late and after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot import channels
from bot.app import App, open_app
from bot.channel import Content
from bot.channels import serve
from bot.config import load
from bot.errors import Gone
from bot.exchange import Exchange
from bot.ledger import ParcelDraft
from bot.reminding import Reminder, ReminderDraft
from bot.skills.context import ChatSettings, SkillContext
from bot.skills.personas import Personas
from bot.skills.reminders import RemindersSkill, chosen
from bot.types import Act, Address, Conversation, Finished, Message, Person, Sampling, Understanding
from tests.channels.memory import ANN, MemoryAdapter
from tests.hands import Hands

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 11, 14, 0, tzinfo=BERLIN)
HERE = Address("memory", "ann", "1")
CHINESE = replace(ANN, language="zh")


@dataclass
class Talk:
    """A chat with the program, at a time that the test tells."""

    adapter: MemoryAdapter
    exchange: Exchange
    app: App
    clock: Hands

    async def say(self, text: str, *, person: Person = ANN, chat: str = "ann") -> str:
        """The answer to a message."""
        before = len(self.adapter.screen)
        update = self.adapter.said(text, chat=chat, person=person)
        message = replace(update.message, at=self.clock.now())
        await self.exchange.accept([replace(update, message=message)])
        await self.shown(before + 1)
        return list(self.adapter.screen.values())[before].text

    def context(self, message: Message, conversation: Conversation, intent: str) -> SkillContext:
        """What a skill is given for a message that has that intent."""
        app = self.app
        return SkillContext(
            message=message,
            conversation=conversation,
            understanding=Understanding(intent, 0.9),
            texts=app.texts,
            clock=self.clock,
            store=app.store,
            models=app.models,
            personas=Personas(),
            settings=ChatSettings(Sampling(), ""),
            commands={},
            answer=lambda: app.engine.respond(message),
            stop=lambda: False,
            reminders=app.reminders,
        )

    async def shown(self, count: int) -> list[str]:
        """Everything that stands there, once it is so many messages."""
        async with asyncio.timeout(10):
            while len(self.adapter.screen) < count:
                await asyncio.sleep(0.01)
        return [shown.text for shown in self.adapter.screen.values()]


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "LOOK_SECONDS", 0.01)


@asynccontextmanager
async def talk(home: Path, *, clock: Hands | None = None, adapter: MemoryAdapter | None = None) -> AsyncIterator[Talk]:
    """The program with a channel in memory, on the database that is there."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "parley.toml"
    file.write_text(
        'model = { name = "echo", generator = "echo" }\naccess = { mode = "open", messages_per_minute = 0 }\n'
    )
    configuration, clock, adapter = load(file), clock or Hands(NOW, BERLIN), adapter or MemoryAdapter()
    async with open_app(configuration, clock=clock) as app, serve(adapter, app, configuration) as exchange:
        yield Talk(adapter, exchange, app, clock)


# -- asking -------------------------------------------------------------------------------------------------


async def test_a_reminder_comes_at_its_time(home: Path) -> None:
    async with talk(home) as chat:
        answer = await chat.say("/remind call mum tomorrow at 6pm")
        assert answer == "I will remind you tomorrow at 18:00: call mum"
        chat.clock.move(NOW.replace(day=12, hour=18))
        assert (await chat.shown(2))[1] == "⏰ call mum"


async def test_it_speaks_the_language_of_the_person(home: Path) -> None:
    async with talk(home) as chat:
        answer = await chat.say("/remind 明天下午六点给妈妈打电话", person=CHINESE)
        assert answer == "好的，明天 18:00 提醒你：给妈妈打电话"
        chat.clock.move(NOW.replace(day=13))
        assert (await chat.shown(2))[1] == "⏰ 给妈妈打电话\n\n原定 2026-03-12 星期四 18:00，当时程序没有运行。"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/remind me yesterday to jump", "“yesterday” is over, and I cannot remind you then. When shall I?"),
        ("/remind on 31 february to pay", "There is no such day as “on 31 february”. Which day do you mean?"),
        ("/remind at 25:00 to pay", "No clock shows “at 25:00”. Which time do you mean?"),
        ("/remind call mum", "When shall I remind you? For example: tomorrow at 6 pm."),
        ("/remind tomorrow", "What shall I remind you of?"),
        ("/remind 🎉", "When shall I remind you? For example: tomorrow at 6 pm."),
        ("/snooze", "No reminder came here lately that could be put off."),
        ("/reminders", "There is nothing that I am to remind you of here."),
        ("/reminders cancel 1", "There is nothing that I am to remind you of here."),
        ("/timezone Berln", "I know no time zone Berln. Did you mean Europe/Berlin?"),
        ("/quiet foo", "I cannot read that as hours. Write them like /quiet 22:00-7:00, or /quiet off."),
    ],
)
async def test_what_cannot_be_is_told_in_a_sentence(home: Path, text: str, answer: str) -> None:
    async with talk(home) as chat:
        assert await chat.say(text) == answer
        assert await chat.app.reminders.count(HERE, "ann") == 0


async def test_a_time_that_the_clocks_skip_is_said_to_be_later(home: Path) -> None:
    async with talk(home) as chat:
        answer = await chat.say("/remind on march 29 at 2:30 am to look at the clock")
        assert "on Sunday 2026-03-29 at 03:30: look at the clock" in answer
        assert "skip the time" in answer


async def test_what_is_written_in_a_reminder_is_not_taken_for_markup(home: Path) -> None:
    async with talk(home) as chat:
        assert (
            await chat.say("/remind buy *4* `eggs` in 5 minutes") == "I will remind you today at 14:05: buy *4* `eggs`"
        )


async def test_a_timer_needs_no_text(home: Path) -> None:
    async with talk(home) as chat:
        assert await chat.say("/remind 10 minutes") == "I will tell you today at 14:10."
        chat.clock.move(timedelta(minutes=10))
        assert (await chat.shown(2))[1] == "⏰ Time is up."


async def test_in_a_group_it_names_whom_it_is_for(home: Path) -> None:
    async with talk(home) as chat:
        await chat.say("/remind stand-up in 5 minutes", chat="#team")
        chat.clock.move(timedelta(minutes=5))
        assert (await chat.shown(2))[1] == "⏰ Ann: stand-up"


async def test_a_person_goes_by_the_clocks_of_their_zone(home: Path) -> None:
    async with talk(home) as chat:
        assert "Asia/Tokyo" in await chat.say("/timezone tokyo")
        assert await chat.say("/remind tea at 23:00") == "I will remind you today at 23:00: tea"
        chat.clock.move(NOW.replace(hour=15))  # eleven in the evening in Tokyo
        assert (await chat.shown(3))[2] == "⏰ tea"


# -- listing, cancelling, putting off -----------------------------------------------------------------------


async def test_reminders_are_listed_by_number_and_cancelled_by_it(home: Path) -> None:
    async with talk(home) as chat:
        for text in ("tea in 2 hours", "water every hour", "call on friday at 9am"):
            await chat.say(f"/remind {text}")
        listed = await chat.say("/reminders")
        assert [line.strip() for line in listed.splitlines()[2:]] == [
            "1. today at 15:00, and again: water",
            "2. today at 16:00: tea",
            "3. on Friday 2026-03-13 at 09:00: call",
        ]
        assert await chat.say("/reminders cancel 2") == "Cancelled: “tea”"
        assert "from 1 to 2" in await chat.say("/reminders cancel 7")
        assert await chat.say("/reminders cancel all") == "Cancelled: “water”, “call”"


async def test_the_one_that_came_last_can_be_put_off(home: Path) -> None:
    async with talk(home) as chat:
        await chat.say("/remind tea in 5 minutes")
        chat.clock.move(timedelta(minutes=5))
        await chat.shown(2)
        assert await chat.say("/snooze 20 min") == "I will remind you once more, today at 14:25: tea"
        chat.clock.move(timedelta(minutes=20))
        assert (await chat.shown(4))[3] == "⏰ tea"


async def test_a_message_that_is_answered_again_after_a_crash_does_nothing_twice(home: Path) -> None:
    async with talk(home) as chat:
        for text in ("one in 1 hour", "two in 2 hours"):
            await chat.say(f"/remind {text}")
        asked = chat.adapter.said("/remind three in 3 hours").message
        cancelled = chat.adapter.said("/reminders cancel 1").message
        for message in (asked, asked, cancelled, cancelled):
            async for _ in chat.app.engine.respond(replace(message, at=NOW)):
                pass
        waiting = await chat.app.reminders.waiting(HERE, "ann")
        assert [each.text for each in waiting] == ["two", "three"]


WAITING = [
    replace(reminder, id=number)
    for number, reminder in enumerate(
        [Reminder(HERE, "ann", text, NOW, NOW, "UTC") for text in ("call the dentist", "tea", "tea with Bob")], 1
    )
]


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        ("2", [2]),
        ("1 and 3", [1, 3]),
        ("all", [1, 2, 3]),
        ("取消所有提醒", [1, 2, 3]),
        ("第2个", [2]),
        ("cancel my reminder to call the dentist", [1]),
        ("dentist", [1]),
        ("tea", [2]),
        ("cancel tea with bob", [3]),
        # what is not sure cancels nothing
        ("te", []),
        ("4", []),
        ("1 and 9", []),
        ("the small one", []),
        ("steamer", []),
        ("", []),
    ],
)
def test_what_is_to_be_cancelled_is_named_by_number_or_by_its_words(which: str, ids: list[int]) -> None:
    assert [each.id for each in chosen(which, WAITING)] == ids


async def test_the_skill_is_asked_by_an_intent_as_well(home: Path) -> None:
    async with talk(home) as chat:
        skill, acts = RemindersSkill(), []
        conversation = await chat.app.engine.current_conversation(HERE)
        for name, text in (
            ("reminder.create", "remind me to have tea in 5 minutes"),
            ("reminder.list", "what are my reminders"),
            ("reminder.cancel", "forget about the reminder to have tea"),
        ):
            context = chat.context(replace(chat.adapter.said(text).message, at=NOW), conversation, name)
            acts += [event.act async for event in skill.respond(context) if isinstance(event, Finished)]
        at = "2026-03-11T14:05:00+01:00"
        assert acts == [
            Act("reminder.create", {"text": "have tea", "at": at, "every": None}),
            Act("reminder.list", {"count": 1, "reminders": [{"text": "have tea", "at": at, "every": None}]}),
            Act("reminder.cancel", {"count": 1, "texts": ["have tea"]}),
        ]


# -- coming -------------------------------------------------------------------------------------------------


async def test_what_came_due_while_it_did_not_run_comes_once_and_says_so(home: Path) -> None:
    clock, adapter = Hands(NOW, BERLIN), MemoryAdapter()
    async with talk(home, clock=clock, adapter=adapter) as chat:
        await chat.say("/remind tea in 5 minutes")
    clock.move(timedelta(hours=1))
    async with talk(home, clock=clock, adapter=adapter) as chat:
        assert (await chat.shown(2))[1] == "⏰ tea\n\nThat was due today at 14:05; I was not running then."
    async with talk(home, clock=clock, adapter=adapter) as chat:
        await chat.say("/reminders")
        assert len(adapter.screen) == 3


async def test_several_late_ones_come_in_one_message(home: Path) -> None:
    clock, adapter = Hands(NOW, BERLIN), MemoryAdapter()
    async with talk(home, clock=clock, adapter=adapter) as chat:
        await chat.say("/remind tea in 5 minutes")
        await chat.say("/remind water every hour")
    clock.move(timedelta(hours=5))
    async with talk(home, clock=clock, adapter=adapter) as chat:
        late = (await chat.shown(3))[2]
        assert late.startswith("⏰ These came due while I was not running:")
        assert "today at 14:05: tea" in late
        assert late.count("water") == 1
        assert (await chat.say("/reminders")).endswith("today at 20:00, and again: water")


async def test_what_is_in_the_outbox_at_a_crash_is_delivered_once(home: Path) -> None:
    clock, adapter = Hands(NOW, BERLIN), MemoryAdapter()
    async with talk(home, clock=clock, adapter=adapter) as chat:
        await chat.say("/remind tea in 5 minutes")
    clock.move(timedelta(minutes=5))
    file = home / "parley.toml"
    async with open_app(load(file), clock=clock) as app:  # the program ends between the transaction and the delivery
        alarm = app.alarm("memory", "1")
        [ring] = await alarm.rings()
        await app.reminders.settle(ring.settled, [ParcelDraft(ring.address, Content(ring.text))], at=clock.now())
        assert await alarm.rings() == []
    async with talk(home, clock=clock, adapter=adapter) as chat:
        assert (await chat.shown(2))[1] == "⏰ tea"
        await chat.say("/reminders")
        assert len(adapter.screen) == 3


async def test_eight_stays_eight_when_the_clocks_change(home: Path) -> None:
    clock = Hands(datetime(2026, 3, 27, 14, tzinfo=BERLIN), BERLIN)
    async with talk(home, clock=clock) as chat:
        await chat.say("/remind stand-up every day at 8am")
        for day, count in ((28, 2), (29, 3), (30, 4)):
            clock.move(datetime(2026, 3, day, 8, tzinfo=BERLIN))
            assert (await chat.shown(count))[-1] == "⏰ stand-up"


async def test_what_lies_in_quiet_hours_comes_at_their_end(home: Path) -> None:
    async with talk(home) as chat:
        await chat.say("/quiet 22:00-7:00")
        answer = await chat.say("/remind tea at 23:00")
        assert answer.splitlines()[1] == (
            "(That is within your quiet hours, so it comes tomorrow at 07:00. /quiet changes them.)"
        )
        chat.clock.move(NOW.replace(hour=23))
        async with asyncio.timeout(10):
            while (await chat.app.reminders.next_due("memory", "1")) != NOW.replace(day=12, hour=7):
                await asyncio.sleep(0.01)
        assert len(chat.adapter.screen) == 2
        chat.clock.move(NOW.replace(day=12, hour=7))
        assert (await chat.shown(3))[2] == "⏰ tea"


async def test_in_a_chat_that_is_gone_nothing_comes_any_more(home: Path) -> None:
    async with talk(home) as chat:
        await chat.say("/remind water every hour")
        chat.adapter.failures.append((Gone("the chat was deleted"), False))
        chat.clock.move(timedelta(hours=1))
        async with asyncio.timeout(10):
            while await chat.app.reminders.count(HERE, "ann"):
                await asyncio.sleep(0.01)
        [dead] = await chat.app.ledger.dead()
        assert dead.reason == "the chat was deleted"


async def test_there_is_a_most_for_one_person(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.skills.reminders.MOST_REMINDERS", 2)
    async with talk(home) as chat:
        for _ in range(2):
            await chat.say("/remind tea in 5 minutes")
        assert (await chat.say("/remind tea in 5 minutes")).startswith("You have 2 reminders here")


@pytest.mark.timeout(100)
async def test_ten_thousand_reminders_are_listed_in_part_and_all_come(home: Path) -> None:
    clock, adapter = Hands(NOW, BERLIN), MemoryAdapter()
    draft = ReminderDraft(HERE, "ann", "tea", NOW + timedelta(hours=1), NOW, "Europe/Berlin", language="en")
    async with talk(home, clock=clock, adapter=adapter) as chat:
        await asyncio.gather(*(chat.app.reminders.add(replace(draft, text=f"tea {n}")) for n in range(10_000)))
        listed = await chat.say("/reminders")
        assert listed.splitlines()[-1] == "… and 9980 more."
    clock.move(timedelta(days=1))
    async with talk(home, clock=clock, adapter=adapter) as chat:
        async with asyncio.timeout(80):
            while await chat.app.reminders.count(HERE, "ann"):
                await asyncio.sleep(0.05)
        texts = await chat.shown(1 + 10_000 // 50)
    assert sum(text.count("tea") for text in texts[1:]) == 10_000
