"""`/summarize`: says briefly what a text of any length says.

What does not fit the model's window is cut into pieces; each is summarised, then the summaries together, until they are
one. So no prompt ever holds more than the window.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from bot.errors import GenerationFailed
from bot.memory.pieces import pieces_of
from bot.memory.window import REPLY_SHARE, said_in
from bot.protocols import Command, Generator, Reply
from bot.skills.asking import loading, place_in_line, split
from bot.skills.context import SkillContext
from bot.types import (
    Act,
    EndReason,
    Finished,
    GenerationEnd,
    Prompt,
    PromptMessage,
    Queued,
    Role,
    Status,
    TextDelta,
    Turn,
    Usage,
)

SUMMARY_TOKENS = 256
"""How long a summary may be: some models find no end."""
PIECE_SHARE = 0.25
"""How long the summary of a piece may be, as a share of the longest piece: so that each round leaves far less."""
WHOLE, TOGETHER = "summarize", "summarize_together"
"""What the model is asked: of the text or a piece of it, and of the summaries of pieces."""
SHORTEST_REPEATED = 20
"""Signs of a sentence that is not said twice for a reason."""
MOST_LEFT = 0.9
"""A round that leaves more of the text than this leads nowhere."""

_SENTENCE_END = re.compile(r"[.!?](?=\s)\s+|[。！？]\s*|\n+")
_CLAUSE_END = re.compile(r"[,;，；]")


class SummarizeSkill:
    """Of what the message quotes or replies to, of what stands after the command, or of the conversation."""

    commands: Sequence[Command] = (Command("summarize", "[TEXT]"),)

    async def respond(self, context: SkillContext) -> Reply:
        """The summary.

        Raises:
            ModelError: the model cannot be loaded.
            GenerationError: it cannot answer.
        """
        about, text = await _source(context)
        if not text.strip():
            yield TextDelta(context.texts.get("summarize.nothing"))
            yield Finished(act=Act("reject", {"reason": "nothing_to_summarize"}))
            return
        if told := loading(context):
            yield Status(told)
        work = _Work(context, await context.models.load(context.model))
        async with aclosing(work.summarize(text, about)) as reply:
            async for event in reply:
                yield event


async def _source(context: SkillContext) -> tuple[str, str]:
    """What the text is, and the text."""
    message = context.message
    if message.quote:
        return "quote", message.quote
    if message.after_turn_id is not None and (turn := await context.store.turn(message.after_turn_id)):
        return "turn", turn.text
    if context.argument:
        return "argument", context.argument
    turns = await context.store.path(context.conversation.id)
    return "conversation", "\n\n".join(_line(turn, context) for turn in turns if turn.text)


def _line(turn: Turn, context: SkillContext) -> str:
    if turn.speaker:
        return said_in(turn)
    return context.texts.get(f"tasks.said_by_{turn.role.value}", text=turn.text)


def _joined(summaries: Sequence[str], pieces: Sequence[str]) -> str:
    """The summaries of a round as one text.

    Raises:
        GenerationFailed: they are hardly shorter than what they are of, or nothing.
    """
    left = "\n\n".join(filter(None, summaries))
    if not left or len(left) > MOST_LEFT * sum(map(len, pieces)):
        raise GenerationFailed("summarize.no_shorter")
    return left


@dataclass(slots=True)
class _Sentences:
    """Gives out text by whole sentences, as it comes."""

    go_round: bool = False
    """Whether one came that was said before."""
    _text: str = ""
    _said: set[str] = field(default_factory=set)

    def feed(self, text: str) -> str:
        """The sentences that are whole now."""
        self._text += text
        given = ""
        while not self.go_round and (end := _SENTENCE_END.search(self._text)):
            sentence, self._text = self._text[: end.end()], self._text[end.end() :]
            key = sentence.strip().casefold()
            self.go_round = len(key) >= SHORTEST_REPEATED and key in self._said
            self._said.add(key)
            given += "" if self.go_round else sentence
        return given + self._until_repetition()

    def _until_repetition(self) -> str:
        """The beginning of an unfinished sentence that says again and again what it said; else nothing."""
        *clauses, _ = _CLAUSE_END.split(self._text)
        newest = clauses[-1].strip().casefold() if clauses else ""
        former = [clause.strip().casefold() for clause in clauses[:-1]]
        if self.go_round or len(newest) < SHORTEST_REPEATED or newest not in former:
            return ""
        self.go_round = True
        first = sum(len(clause) + 1 for clause in clauses[: former.index(newest) + 1]) - 1
        return self._text[:first] + "…"

    def rest(self, *, is_whole: bool) -> str:
        """What is left at the end; of an unfinished sentence nothing, unless there is nothing else."""
        return self._text if is_whole or not self._said else ""


@dataclass(slots=True)
class _Work:
    """One summary in the making."""

    context: SkillContext
    generator: Generator
    usage: Usage = field(default_factory=Usage)

    async def summarize(self, text: str, about: str) -> Reply:
        """The events of the reply."""
        task, pieces = WHOLE, await self._pieces(text, WHOLE)
        parts = len(pieces)
        while len(pieces) > 1:
            summaries: list[str] = []
            async with aclosing(self._round(task, pieces, summaries)) as news:
                async for status in news:
                    yield status
            task = TOGETHER
            pieces = await self._pieces(_joined(summaries, pieces), task)
        empty = True
        async with aclosing(self._ask(task, pieces[0], self._reply_tokens)) as answer:
            async for event in answer:
                empty = empty and not isinstance(event, TextDelta)
                yield event
        if empty:
            raise GenerationFailed("chat.empty")
        yield Finished(
            act=Act("summarize", {"of": about, "parts": parts}),
            generator=self.generator.kind,
            model=self.generator.model,
            usage=self.usage,
        )

    async def _round(self, task: str, pieces: Sequence[str], summaries: list[str]) -> AsyncGenerator[Status, None]:
        """Add the summary of each piece to `summaries`."""
        for number, piece in enumerate(pieces, 1):
            yield Status(self.context.texts.get("summarize.part", number=number, count=len(pieces)))
            said: list[str] = []
            async with aclosing(self._ask(task, piece, int(self._room * PIECE_SHARE))) as answer:
                async for event in answer:
                    if isinstance(event, Status):
                        yield event
                    else:
                        said.append(event.text)
            summaries.append("".join(said).strip())

    @property
    def _reply_tokens(self) -> int:
        share = max(1, int(self.generator.context_length * REPLY_SHARE))
        return min(self.context.settings.sampling.max_tokens or share, share)

    @property
    def _room(self) -> int:
        """Tokens that a prompt may have."""
        return self.generator.context_length - self._reply_tokens

    async def _pieces(self, text: str, task: str) -> list[str]:
        async def count(piece: str) -> int:
            return await self.generator.count(self._prompt(task, piece))

        return await pieces_of(text, count, most_tokens=self._room)

    def _prompt(self, task: str, text: str) -> Prompt:
        # one message: small models mistake a text that stands alone for one to go on with
        asked = f"{self.context.texts.get(f'tasks.{task}')}\n\n{text}"
        return Prompt((PromptMessage(Role.USER, asked),), f"summarize/{self.context.conversation.id}")

    async def _ask(self, task: str, text: str, most_tokens: int) -> AsyncGenerator[TextDelta | Status, None]:
        """What the model makes of one prompt, in whole sentences; one that it has said already is the end."""
        sampling = replace(self.context.settings.sampling, max_tokens=max(1, min(most_tokens, SUMMARY_TOKENS)))
        sentences = _Sentences()
        async with aclosing(split(self.generator.stream(self._prompt(task, text), sampling))) as events:
            async for event in events:
                if isinstance(event, GenerationEnd):
                    self._note(event)
                    if said := sentences.rest(is_whole=event.reason is EndReason.STOP):
                        yield TextDelta(said)
                elif isinstance(event, Queued):
                    yield Status(place_in_line(event, self.context))
                elif not event.reasoning:
                    if said := sentences.feed(event.text):
                        yield TextDelta(said)
                    if sentences.go_round:
                        return

    def _note(self, end: GenerationEnd) -> None:
        one, all_ = end.usage, self.usage
        self.usage = Usage(
            one.prompt_tokens + all_.prompt_tokens,
            one.cached_tokens + all_.cached_tokens,
            one.completion_tokens + all_.completion_tokens,
        )
