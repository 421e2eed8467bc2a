"""One turn, from a message to its reply; knows no platform, no database and no model by name.

A message is understood, then answered by the skill that its understanding names; what nothing claims is talk, for the
`chat` skill. Talk is remembered: the question before the model is asked, the answer (or what there was of it) after.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from bot.clock import Clock
from bot.errors import ParleyError, PromptTooLong
from bot.lanes import Lanes
from bot.protocols import Command, DialogueState, Recognizer, Reply, Store
from bot.skills.context import CURRENT_CONVERSATION, ChatSettings, Models, Skill, SkillContext
from bot.skills.personas import Personas
from bot.texts import Texts
from bot.types import (
    Act,
    Address,
    Conversation,
    Failed,
    Finished,
    Message,
    ReplyEvent,
    Role,
    TextDelta,
    Timings,
    TurnDraft,
    TurnState,
    Understanding,
)
from bot.understanding.commands import COMMAND_PREFIX, UNKNOWN_COMMAND, command_name

logger = logging.getLogger(__name__)

TALK = "chat"
NAME_LENGTH = 48
"""Characters of the first message that name a conversation."""


@dataclass(slots=True)
class _Turn:
    """A turn that is running."""

    started: float
    queue_seconds: float = 0.0
    first_seconds: float = 0.0
    stopped: bool = False
    """Whether a person asked to stop it."""
    task: asyncio.Task[None] | None = None
    recorded: Finished | Failed | None = None
    """How it ended, once that is stored."""

    def see(self, event: ReplyEvent) -> None:
        """Note the moment of the first text."""
        if not self.first_seconds and isinstance(event, TextDelta):
            self.first_seconds = time.perf_counter() - self.started

    def stop(self) -> None:
        """Cut the reply short."""
        self.stopped = True
        if self.task:
            self.task.cancel()

    @property
    def timings(self) -> Timings:
        """Seconds until now."""
        return Timings(self.queue_seconds, self.first_seconds, time.perf_counter() - self.started)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a reply has said so far."""

    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Engine:
    """Answers messages; any number at once, one turn at a time at each address, in order of arrival."""

    def __init__(
        self,
        *,
        # what it works with
        store: Store,
        models: Models,
        personas: Personas,
        # what it can do
        skills: Mapping[str, Skill],
        recognizers: Sequence[Recognizer],
        # how
        settings: ChatSettings,
        clock: Clock,
        language: str,
        max_pending: int | None = 8,
        channel_commands: Sequence[Command] = (),
    ) -> None:
        self._store = store
        self._models = models
        self._personas = personas
        self._skills = skills
        self._recognizers = recognizers
        self._settings = settings
        self._clock = clock
        self._language = language
        self._lanes = Lanes(max_pending=max_pending)
        self._running: dict[str, _Turn] = {}
        self._beginning = asyncio.Lock()
        self._answering = {command.name: skill for skill in skills.values() for command in skill.commands}
        ours = [command for skill in skills.values() for command in skill.commands]
        self.commands = {command.name: command for command in (*ours, *channel_commands)}
        """Every command by name; those of `channel_commands` are answered by the channel itself."""

    # -- conversations ------------------------------------------------------------------------------------

    async def open_conversation(self, address: Address, name: str = "") -> Conversation:
        """The conversation of that name, begun if there is none; without a name a new one. Not yet the current one."""
        found = await self._store.find_conversation(address, name) if name else None
        return found or await self._store.create_conversation(address, at=self._clock.now(), name=name)

    async def current_conversation(self, address: Address) -> Conversation:
        """The conversation that the address goes on with; a new one if there is none."""
        if (found := await self._kept_conversation(address)) is not None:
            return found
        async with self._beginning:  # the first messages of an address may come all at once
            if (found := await self._kept_conversation(address)) is None:
                found = await self.open_conversation(address)
                await self.go_on_with(found)
            return found

    async def _kept_conversation(self, address: Address) -> Conversation | None:
        kept = await self._store.setting(address.key, CURRENT_CONVERSATION)
        return await self._store.conversation(int(kept)) if kept else None

    async def go_on_with(self, conversation: Conversation) -> None:
        """Make it the current one of its address."""
        await self._store.set_setting(conversation.address.key, CURRENT_CONVERSATION, str(conversation.id))

    async def stop(self, address: Address) -> bool:
        """Stop the reply that is running there; False where there is none."""
        return self._stop(address)

    def _stop(self, address: Address) -> bool:
        turn = self._running.get(address.key)
        if turn is None:
            return False
        turn.stop()
        return True

    # -- one message --------------------------------------------------------------------------------------

    async def respond(self, message: Message) -> Reply:
        """Everything that is said in answer to the message, ending with Finished or Failed, whatever happens.

        Closing the reply early, or cancelling the task that reads it, stops the turn; what was said is kept.
        """
        turn = _Turn(time.perf_counter())
        texts = self._texts(message)
        events = self._at_once(message, turn) if self._is_immediate(message) else self._in_lane(message, turn)
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except ParleyError as error:
            yield Failed(error.told(texts), turn.timings)
        except Exception:
            logger.exception("a message could not be answered")
            yield Failed(texts.get("errors.unexpected"), turn.timings)

    async def _at_once(self, message: Message, turn: _Turn) -> AsyncGenerator[ReplyEvent, None]:
        """Answer beside whatever is running there."""
        reply = await self._reply(message, turn)
        async with aclosing(self._follow(reply, turn)) as events:
            async for event in events:
                yield event

    async def _in_lane(self, message: Message, turn: _Turn) -> AsyncGenerator[ReplyEvent, None]:
        """Answer when all that was said there before has been answered."""
        key = message.address.key
        async with self._lanes.hold(key):
            turn.queue_seconds = time.perf_counter() - turn.started
            reply = await self._reply(message, turn)
            self._running[key] = turn
            try:
                async with aclosing(self._follow(reply, turn)) as events:
                    async for event in events:
                        yield event
            finally:
                del self._running[key]

    async def _reply(self, message: Message, turn: _Turn) -> Reply:
        conversation = await self._conversation(message)
        understanding = await self._understand(message, conversation)
        answer = self._command if _is_command(understanding) else self._talk
        return answer(message, conversation, understanding, turn)

    async def _follow(self, reply: Reply, turn: _Turn) -> AsyncGenerator[ReplyEvent, None]:
        """The reply's events, read by a task of its own, so that `stop` can interrupt it wherever it waits."""
        events: asyncio.Queue[ReplyEvent | None] = asyncio.Queue()

        async def read() -> None:
            try:
                async with aclosing(reply):
                    async for event in reply:
                        turn.see(event)
                        events.put_nowait(event)
            finally:
                events.put_nowait(None)

        turn.task = task = asyncio.create_task(read())
        try:
            while (event := await events.get()) is not None:
                yield replace(event, timings=turn.timings) if isinstance(event, Finished | Failed) else event
            if turn.stopped:
                await asyncio.wait([task])
                yield turn.recorded or Finished(state=TurnState.STOPPED, timings=turn.timings)
            else:
                await task
        finally:
            task.cancel()
            await asyncio.wait([task])

    # -- talk and commands --------------------------------------------------------------------------------

    async def _talk(
        self, message: Message, conversation: Conversation, understanding: Understanding, turn: _Turn
    ) -> Reply:
        """Remember the question and answer it."""
        question = await self._store.append_turn(
            TurnDraft(
                conversation_id=conversation.id,
                role=Role.USER,
                text=message.text,
                at=message.at,
                author=message.person,
                platform_id=message.id,
            )
        )
        if not conversation.name:
            await self._store.rename_conversation(conversation.id, _name_from(message.text))
        context = self._context(message, conversation, understanding, turn)
        try:
            async with aclosing(context.answer()) as reply:
                async for event in reply:
                    yield event
        except PromptTooLong:
            # the question could never be answered: it must not stand in the way of the next one
            await self._store.set_head(conversation.id, question.parent_id)
            raise

    async def _answer(self, context: SkillContext, turn: _Turn) -> Reply:
        """Let the model answer, and store what it said, however that ended."""
        said = _Said()
        end: Finished | Failed | None = None
        try:
            async with aclosing(self._skills[TALK].respond(context)) as reply:
                async for event in reply:
                    if isinstance(event, Finished | Failed):
                        end = event
                        break
                    if isinstance(event, TextDelta):
                        said.pieces.append(event.text)
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            turn.recorded = await asyncio.shield(
                self._record(said.text, Finished(state=TurnState.STOPPED), context, turn)
            )
            raise
        except Exception as error:
            if not said.text:
                raise
            end = _failure(error, context.texts)
        if isinstance(end, Finished):
            yield await asyncio.shield(self._record(said.text, end, context, turn))
        elif end is not None:
            kept = await asyncio.shield(self._record(said.text, Finished(state=TurnState.FAILED), context, turn))
            yield Failed(end.text, kept.timings, kept.turn_id)

    async def _record(self, text: str, end: Finished, context: SkillContext, turn: _Turn) -> Finished:
        """Store the answer; the end with what is known of it now."""
        end = replace(end, understanding=end.understanding or context.understanding, timings=turn.timings)
        if not text:
            return end
        stored = await self._store.append_turn(
            TurnDraft(
                conversation_id=context.conversation.id,
                role=Role.ASSISTANT,
                text=text,
                at=self._clock.now(),
                state=end.state,
                model=end.model,
                generator=end.generator,
                usage=end.usage,
                timings=end.timings,
                evidence=end.evidence,
            )
        )
        return replace(end, turn_id=stored.id)

    async def _command(
        self, message: Message, conversation: Conversation, understanding: Understanding, turn: _Turn
    ) -> Reply:
        """Answer a command; it is no part of the conversation."""
        context = self._context(message, conversation, understanding, turn)
        if understanding.name == UNKNOWN_COMMAND:
            yield TextDelta(_unknown_command(understanding, context.texts))
            yield Finished(understanding=understanding, act=Act("reject", {"reason": "unknown_command"}))
            return
        skill = self._answering[understanding.name.removeprefix(COMMAND_PREFIX)]
        async with aclosing(skill.respond(context)) as reply:
            async for event in reply:
                yield replace(event, understanding=understanding) if isinstance(event, Finished) else event

    # -- what a turn needs --------------------------------------------------------------------------------

    async def _conversation(self, message: Message) -> Conversation:
        if message.conversation_id is not None:
            named = await self._store.conversation(message.conversation_id)
            if named is not None:
                return named
        return await self.current_conversation(message.address)

    async def _understand(self, message: Message, conversation: Conversation) -> Understanding:
        state = DialogueState(conversation, self.commands)
        for recognizer in self._recognizers:
            if (understanding := await recognizer.recognize(message, state)) is not None:
                return understanding
        return Understanding(TALK, 1.0)

    def _is_immediate(self, message: Message) -> bool:
        command = self.commands.get(command_name(message.text) or "")
        return command is not None and command.immediate

    def _context(
        self, message: Message, conversation: Conversation, understanding: Understanding, turn: _Turn
    ) -> SkillContext:
        context: SkillContext

        async def answer() -> Reply:
            current = await self._store.conversation(conversation.id)
            async with aclosing(self._answer(replace(context, conversation=current or conversation), turn)) as reply:
                async for event in reply:
                    yield event

        context = SkillContext(
            message=message,
            conversation=conversation,
            understanding=understanding,
            texts=self._texts(message),
            clock=self._clock,
            store=self._store,
            models=self._models,
            personas=self._personas,
            settings=self._settings,
            commands=self.commands,
            answer=answer,
            stop=lambda: self._stop(message.address),
        )
        return context

    def _texts(self, message: Message) -> Texts:
        return Texts(message.person.language or self._language)


def _failure(error: Exception, texts: Texts) -> Failed:
    """The end of a reply that broke off; what is not ours to explain is logged."""
    if isinstance(error, ParleyError):
        logger.warning("a reply broke off: %s", error)
        return Failed(error.told(texts))
    logger.error("a reply broke off", exc_info=error)
    return Failed(texts.get("errors.unexpected"))


def _is_command(understanding: Understanding) -> bool:
    return understanding.name.startswith(COMMAND_PREFIX) or understanding.name == UNKNOWN_COMMAND


def _unknown_command(understanding: Understanding, texts: Texts) -> str:
    name, near = understanding.slots["name"], understanding.slots["near"]
    if not isinstance(near, tuple) or not near:
        return texts.get("commands.unknown", name=name)
    return texts.get("commands.unknown_near", name=name, near=", ".join(f"`/{other}`" for other in near))


def _name_from(text: str) -> str:
    line = " ".join(text[: NAME_LENGTH * 8].split())
    return line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1] + "…"
