"""`/pair` and `/people`: owners let people in, and see who is known."""

from __future__ import annotations

from collections.abc import Sequence

from bot.pairing import (
    admit,
    normal_code,
    open_requests,
    person_of,
    told_admission,
    told_member,
    told_person,
    told_requests,
)
from bot.people import PairingRequest, Roll, Standing
from bot.protocols import Command, Immediate, Reply
from bot.skills.context import SkillContext
from bot.types import Act, Address, Finished, TextDelta


class PeopleSkill:
    """Answers owners; anybody else is told who could."""

    commands: Sequence[Command] = (
        Command("pair", "[CODE]", immediate=Immediate.ALWAYS, discreet=True),
        Command("people", immediate=Immediate.ALWAYS, discreet=True),
    )

    async def respond(self, context: SkillContext) -> Reply:
        """The reply of the command that was given."""
        refusal = _refusal(context)
        if refusal or context.roll is None:
            yield TextDelta(context.texts.get(f"access.{refusal}", person=_speaker(context)))
            yield Finished(act=Act("reject", {"reason": refusal}))
            return
        text, act = await self._act(context, context.roll)
        yield TextDelta(text)
        yield Finished(act=act)

    async def _act(self, context: SkillContext, roll: Roll) -> tuple[str, Act]:
        if context.understanding.name.endswith("pair"):
            return await (self._let_in(context, roll) if context.argument else _list_requests(context, roll))
        if context.argument:
            return context.texts.get("access.only_listed"), Act("reject", {"reason": "only_listed"})
        return await _list_people(context, roll)

    async def _let_in(self, context: SkillContext, roll: Roll) -> tuple[str, Act]:
        now, valid = context.clock.now(), context.code_valid_seconds
        code = normal_code(context.argument)
        request = await roll.take_code(code, at=now, valid_seconds=valid)
        if request is None:
            text = context.texts.get("access.code_wrong", code=code, minutes=round(valid / 60))
            return text, Act("reject", {"reason": "code_wrong"})
        standing = await admit(roll, request, Standing.ALLOWED, at=now)
        text = told_admission(request, standing, context.texts, markdown=True)
        if standing is Standing.BLOCKED:
            return text, Act("reject", {"reason": "blocked"})
        news = told_person(request, context.language)
        if context.tell:
            await context.tell(Address(request.channel, request.chat, request.account), news)
        return text, _admission(request, standing, news)


def _admission(request: PairingRequest, standing: Standing, news: str) -> Act:
    """What was done, and what the person is told, and where."""
    slots = {
        "person": person_of(request),
        "standing": standing.value,
        "channel": request.channel,
        "account": request.account,
        "chat": request.chat,
        "text": news,
    }
    return Act("people.admit", slots)


def _refusal(context: SkillContext) -> str:
    """The name of the text that says why not; empty where nothing speaks against it."""
    if context.roll is None:
        return "no_roll"
    if not context.is_owner:
        return "only_owners"
    names_people = not context.argument
    return "only_private" if names_people and not context.message.is_private else ""


def _speaker(context: SkillContext) -> str:
    return f"{context.message.address.channel}:{context.message.person.id}"


async def _list_requests(context: SkillContext, roll: Roll) -> tuple[str, Act]:
    requests = await open_requests(roll, at=context.clock.now(), valid_seconds=context.code_valid_seconds)
    text = told_requests(requests, context.texts, context.clock.zone, markdown=True)
    return text, Act("people.requests", {"count": len(requests)})


async def _list_people(context: SkillContext, roll: Roll) -> tuple[str, Act]:
    members = await roll.people()
    lines = [f"- {told_member(member, context.texts, context.clock.zone, markdown=True)}" for member in members]
    key = "access.people" if lines else "access.nobody"
    return "\n".join([context.texts.get(key), *lines]), Act("people.list", {"count": len(members)})
