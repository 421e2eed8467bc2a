"""Why an answer is as it is: what made it, from what, and in which time, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from bot.protocols import Command, Immediate, Reply
from bot.skills.context import SkillContext
from bot.types import Act, Finished, Role, TextDelta, Turn, TurnState


class WhySkill:
    """`/why` about the newest answer, or about the one that the message replies to."""

    commands: Sequence[Command] = (Command("why", immediate=Immediate.REPLYING, discreet=True),)

    async def respond(self, context: SkillContext) -> Reply:
        """What is known of the answer's making."""
        answer = await _answer(context)
        if answer is None:
            yield TextDelta(context.texts.get("why.nothing"))
            yield Finished(act=Act("reject", {"reason": "nothing_to_explain"}))
            return
        yield TextDelta("\n".join(f"- {line}" for line in _lines(answer, context)))
        yield Finished(act=Act("conversation.why", {"turn": answer.id}))


async def _answer(context: SkillContext) -> Turn | None:
    replied = context.message.after_turn_id
    if replied is not None and (turn := await context.store.turn(replied)) and turn.role is Role.ASSISTANT:
        return turn
    path = await context.store.path(context.conversation.id)
    return next((turn for turn in reversed(path) if turn.role is Role.ASSISTANT), None)


def _lines(answer: Turn, context: SkillContext) -> list[str]:
    """One fact a line."""
    texts, usage = context.texts, answer.usage
    lines = [texts.get("why.model", model=answer.model, generator=answer.generator)] if answer.model else []
    if answer.state is not TurnState.COMPLETE:
        lines.append(texts.get(f"why.{answer.state.value}"))
    if persona := answer.evidence.get("persona"):
        lines.append(texts.get("why.persona", persona=persona))
    if usage.prompt_tokens:
        lines.append(texts.get("why.read", tokens=usage.prompt_tokens, cached=usage.cached_tokens))
    if left_out := answer.evidence.get("left_out"):
        lines.append(texts.get("why.left_out", count=left_out))
    seconds, first = f"{answer.timings.total_seconds:.1f}", f"{answer.timings.first_seconds:.1f}"
    if usage.completion_tokens:
        lines.append(texts.get("why.time", tokens=usage.completion_tokens, seconds=seconds, first=first))
    else:
        lines.append(texts.get("why.only_time", seconds=seconds, first=first))
    if "edited_at" in answer.evidence:
        lines.append(texts.get("why.edited"))
    return lines
