"""Builds the prompt of a turn from the standing prompt and the conversation, within the model's window.

Prompts are append-only: while everything fits, each prompt begins with the one before it, so that its KV cache is
reused. When the window is full, the oldest turns leave it in one large step, not one by one at every turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.errors import PromptTooLong
from bot.protocols import Generator
from bot.types import Prompt, PromptMessage, Role, Turn

KEPT_SHARE = 0.6
"""Share of the window that is kept full when old turns leave it."""
REPLY_SHARE = 0.25
"""Share of the context that is kept free for the reply, and that it may have where no limit is set."""
MESSAGE_TOKENS = 16
"""More than a chat template puts around a message."""

_Measure = Callable[[int], Awaitable[tuple[Prompt, int]]]


@dataclass(frozen=True, slots=True)
class Window:
    """A prompt that fits, and what it holds."""

    prompt: Prompt
    tokens: int
    """Its tokens, or what they are at most."""
    reply_tokens: int
    """Tokens the reply may have; the prompt leaves at least as many free."""
    start_id: int | None
    """The oldest turn in it."""
    left_out: int
    """Turns that left the window now; 0 when it is as it was."""


async def build_window(
    turns: Sequence[Turn],
    *,
    standing_prompt: str,
    generator: Generator,
    max_reply_tokens: int | None,
    cache_key: str,
) -> Window:
    """The longest window that fits and begins with a question.

    Args:
        turns: the path, oldest first, from where the last window began; the last one is the question.
        standing_prompt: the persona; empty for none.
        generator: counts the tokens.
        max_reply_tokens: what the reply may have at most; None for a quarter of the context.
        cache_key: names the conversation for the generator.

    Raises:
        PromptTooLong: the last question alone does not fit.
    """
    context = generator.context_length
    share = max(1, int(context * REPLY_SHARE))
    wanted = max_reply_tokens or share
    budget = context - min(wanted, share)

    def prompt_from(start: int) -> Prompt:
        return Prompt(_messages(standing_prompt, turns[start:]), cache_key)

    async def measure(start: int) -> tuple[Prompt, int]:
        prompt = prompt_from(start)
        return prompt, await generator.count(prompt)

    start, prompt, tokens = 0, prompt_from(0), _most_tokens(turns, standing_prompt, generator)
    if tokens > budget or tokens + wanted > context:
        tokens = await generator.count(prompt)
    if tokens > budget:
        start, prompt, tokens = await _shorten(turns, measure, budget)
    return Window(
        prompt=prompt,
        tokens=tokens,
        reply_tokens=min(context - tokens, wanted),
        start_id=turns[start].id if turns else None,
        left_out=start,
    )


def _most_tokens(turns: Sequence[Turn], standing_prompt: str, generator: Generator) -> int:
    """What the prompt can have at most: what was counted for the last answer, and a token a byte for the rest.

    Counting takes ten milliseconds at 1,400 tokens. No token is shorter than a byte.
    """
    later, known = turns, 0
    for index, turn in enumerate(turns):
        same = turn.model == generator.model and turn.evidence.get("start") == turns[0].id
        if "edited_at" in turn.evidence:  # what later answers counted is no longer so
            return sum(map(_most_tokens_of, (standing_prompt, *map(said_in, turns))))
        if same and turn.usage.prompt_tokens:
            later, known = turns[index + 1 :], turn.usage.prompt_tokens + turn.usage.completion_tokens
    texts = [standing_prompt, *map(said_in, later)]
    return known + sum(map(_most_tokens_of, texts))


def _most_tokens_of(text: str) -> int:
    return len(text.encode()) + MESSAGE_TOKENS


async def _shorten(turns: Sequence[Turn], measure: _Measure, budget: int) -> tuple[int, Prompt, int]:
    """The earliest question from which at most `KEPT_SHARE` of the budget is filled; at least the last question."""
    questions = [index for index, turn in enumerate(turns) if turn.role is Role.USER] or [max(0, len(turns) - 1)]
    low, high = 0, len(questions) - 1  # the answer is in questions[low..high]; the last one is the fallback
    while low < high:
        middle = (low + high) // 2
        _, tokens = await measure(questions[middle])
        if tokens <= budget * KEPT_SHARE:
            high = middle
        else:
            low = middle + 1
    prompt, tokens = await measure(questions[low])
    if tokens > budget:
        raise PromptTooLong("errors.prompt_too_long", tokens=tokens, limit=budget)
    return questions[low], prompt, tokens


def _messages(standing_prompt: str, turns: Sequence[Turn]) -> tuple[PromptMessage, ...]:
    """Roles alternate, as chat templates demand: what one side said twice in a row is one message."""
    messages = [PromptMessage(Role.SYSTEM, standing_prompt)] if standing_prompt else []
    for turn in turns:
        if not turn.text:
            continue
        if messages and messages[-1].role is turn.role:
            messages[-1] = PromptMessage(turn.role, f"{messages[-1].content}\n\n{said_in(turn)}")
        else:
            messages.append(PromptMessage(turn.role, said_in(turn)))
    return tuple(messages)


def said_in(turn: Turn) -> str:
    """The turn's text as a prompt holds it: after the name of who speaks, where several do."""
    if not turn.speaker:
        return turn.text
    is_quote = turn.text.startswith(">")  # which is one only at the beginning of a line
    return f"{turn.speaker}:{chr(10) if is_quote else ' '}{turn.text}"
