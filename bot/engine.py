"""One turn, from a message to its reply; knows no platform, no database and no model by name.

A message is understood, then answered by the skill that its understanding names; what nothing claims is talk, for the
`chat` skill. Talk is remembered: the question before the model is asked, the answer (or what there was of it) after.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.clock import Clock
from bot.conversations import Conversations, Shown
from bot.errors import ParleyError, PromptTooLong
from bot.lanes import Lanes
from bot.people import CODE_VALID_SECONDS, Roll
from bot.places import Places, Setting
from bot.protocols import Command, DialogueState, Recognizer, Reply, Store
from bot.reminding import Reminders
from bot.skills.context import ChatSettings, Models, Skill, SkillContext
from bot.skills.personas import Personas
from bot.texts import Texts
from bot.turn import (
    RunningTurn,
    Said,
    end_of,
    failure_of,
    name_from,
    quoted,
    unknown_command,
    unusable,
    without_origin,
)
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
    Turn,
    TurnDraft,
    TurnState,
    Understanding,
)
from bot.understanding.commands import COMMAND_PREFIX, command_name, is_command

logger = logging.getLogger(__name__)

TALK = "chat"


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
        roll: Roll | None = None,
        code_valid_seconds: float = CODE_VALID_SECONDS,
        tell: Callable[[Address, str], Awaitable[None]] | None = None,
        reminders: Reminders | None = None,
        shown: Shown | None = None,
        places: Places | None = None,
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
        self._roll = roll
        self._code_valid_seconds = code_valid_seconds
        self._tell = tell
        self._reminders = reminders
        self._places = places or Places(store)
        self._lanes = Lanes(max_pending=max_pending)
        self._running: dict[str, RunningTurn] = {}
        self._conversations = Conversations(store, clock, shown)
        self._answering = {command.name: skill for skill in skills.values() for command in skill.commands}
        ours = [command for skill in skills.values() for command in skill.commands]
        self.commands = {command.name: command for command in (*ours, *channel_commands)}
        """Every command by name; those of `channel_commands` are answered by the channel itself."""

    async def open_conversation(self, address: Address, name: str = "") -> Conversation:
        """The conversation of that name, begun if there is none; without a name a new one. Not yet the current one."""
        return await self._conversations.open(address, name)

    async def current_conversation(self, address: Address) -> Conversation:
        """The conversation that the address goes on with; a new one if there is none."""
        return await self._conversations.current(address)

    async def go_on_with(self, conversation: Conversation) -> None:
        """Make it the current one of its address."""
        await self._conversations.go_on_with(conversation)

    async def stop(self, address: Address) -> bool:
        """Stop the reply that is running there; False where there is none."""
        return self._stop(address)

    def _stop(self, address: Address) -> bool:
        if turn := self._running.get(address.key):
            turn.stop()
        return turn is not None

    # -- one message --------------------------------------------------------------------------------------

    async def respond(self, message: Message, earlier: Sequence[Message] = ()) -> Reply:
        """Everything that is said in answer to the message, ending with Finished or Failed, whatever happens.

        Args:
            message: what is to be answered.
            earlier: what the same person said just before, to be answered along with it.

        Closing the reply early, or cancelling the task that reads it, stops the turn; what was said is kept.
        """
        turn = RunningTurn()
        if (command := self._named(message)) and command.is_immediate(message):
            events = self._at_once(message, turn)
        else:
            events = self._in_lane(message, turn, lambda: self._reply(message, turn, earlier))
        async with aclosing(self._to_an_end(events, message, turn)) as reply:
            async for event in reply:
                yield event

    async def _to_an_end(
        self, events: AsyncGenerator[ReplyEvent, None], message: Message, turn: RunningTurn
    ) -> AsyncGenerator[ReplyEvent, None]:
        """The events; what goes wrong is told at their end."""
        texts = self._texts(message)
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except ParleyError as error:
            yield Failed(error.told(texts), turn.timings)
        except Exception:
            logger.exception("a message could not be answered")
            yield Failed(texts.get("errors.unexpected"), turn.timings)

    async def _at_once(self, message: Message, turn: RunningTurn) -> AsyncGenerator[ReplyEvent, None]:
        """Answer beside whatever is running there."""
        reply = await self._reply(message, turn)
        async with aclosing(turn.follow(reply)) as events:
            async for event in events:
                yield event

    async def _in_lane(
        self, message: Message, turn: RunningTurn, make_reply: Callable[[], Awaitable[Reply]]
    ) -> AsyncGenerator[ReplyEvent, None]:
        """Answer when all that was said there before has been answered."""
        key = message.address.key
        async with self._lanes.hold(key):
            turn.begin()
            reply = await make_reply()
            self._running[key] = turn
            try:
                async with aclosing(turn.follow(reply)) as events:
                    async for event in events:
                        yield event
            finally:
                del self._running[key]

    async def _reply(self, message: Message, turn: RunningTurn, earlier: Sequence[Message] = ()) -> Reply:
        message = await self._placed(message, turn)
        first, *others = *earlier, message
        command = self._named(message)
        goes_back = command is None or command.goes_back
        conversation, first = await self._conversations.of_message(first, goes_back=goes_back)
        understanding = await self._understand(message, conversation)
        if is_command(understanding):
            return self._command(message, conversation, understanding, turn)
        *former, last = first, *map(without_origin, others)
        for said in former:
            await self._conversations.remember(said, conversation, self._texts(said))
        return self._talk(last, conversation, understanding, turn)

    # -- talk and commands --------------------------------------------------------------------------------

    async def _talk(
        self, message: Message, conversation: Conversation, understanding: Understanding, turn: RunningTurn
    ) -> Reply:
        """Remember the question and answer it."""
        question = await self._conversations.remember(message, conversation, self._texts(message))
        answer = await self._conversations.answer_of(question) if message.is_resumed else None
        if answer and answer.state is not TurnState.STOPPED:  # else the end of the program cut it short
            await self._store.set_head(conversation.id, answer.id)
            yield TextDelta(answer.text)
            yield end_of(answer, understanding)
            return
        if note := unusable(message, self._texts(message)):
            yield TextDelta(note + "\n\n")
            if not quoted(message):
                yield Finished(understanding=understanding, act=Act("reject", {"reason": "attachment"}))
                return
        if not conversation.name:
            await self._store.rename_conversation(conversation.id, name_from(quoted(message)))
        context = self._context(message, conversation, understanding, turn)
        try:
            async with aclosing(context.answer()) as reply:
                async for event in reply:
                    yield event
        except PromptTooLong:
            # the question could never be answered: it must not stand in the way of the next one
            await self._store.set_head(conversation.id, question.parent_id)
            raise

    async def _answer(self, context: SkillContext, turn: RunningTurn) -> Reply:
        """Let the model answer, and store what it said, however that ended."""
        said = Said()
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
            await self._keep(said.text, replace(turn.known, state=TurnState.STOPPED), context, turn)
            raise
        except Exception as error:
            if not said.text:
                raise
            end = failure_of(error, context.texts)
        if isinstance(end, Finished):
            yield await self._keep(said.text, end, context, turn)
        elif end is not None:
            kept = await self._keep(said.text, replace(turn.known, state=TurnState.FAILED), context, turn)
            yield Failed(end.text, kept.timings, kept.turn_id)

    async def _keep(self, text: str, end: Finished, context: SkillContext, turn: RunningTurn) -> Finished:
        """Store the answer; a stop that comes meanwhile is too late, and changes nothing about how it ended."""
        storing = asyncio.ensure_future(self._record(text, end, context, turn))
        try:
            turn.recorded = await asyncio.shield(storing)
        except asyncio.CancelledError:
            turn.recorded = await storing
            raise
        return turn.recorded

    async def _record(self, text: str, end: Finished, context: SkillContext, turn: RunningTurn) -> Finished:
        """Store the answer; the end with what is known of it now."""
        end = replace(end, understanding=end.understanding or context.understanding, timings=turn.timings)
        if not text:
            return end
        draft = TurnDraft(
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
        if turn.replaced_id is not None:
            stored = await self._store.replace_answer(turn.replaced_id, draft)
        else:
            stored = await self._store.append_turn(draft)
        return replace(end, turn_id=stored.id)

    async def _command(
        self, message: Message, conversation: Conversation, understanding: Understanding, turn: RunningTurn
    ) -> Reply:
        """Answer a command; it is no part of the conversation."""
        context = self._context(message, conversation, understanding, turn)
        skill = self._answering.get(understanding.name.removeprefix(COMMAND_PREFIX))
        if skill is None:  # nobody's, or one that the channel answers itself if it is given without more
            yield TextDelta(unknown_command(understanding, context.texts))
            yield Finished(understanding=understanding, act=Act("reject", {"reason": "unknown_command"}))
            return
        async with aclosing(skill.respond(context)) as reply:
            async for event in reply:
                yield replace(event, understanding=understanding) if isinstance(event, Finished) else event

    # -- what was said before ------------------------------------------------------------------------------

    async def recall(self, message: Message) -> tuple[Turn, Turn | None] | None:
        """The question that a message became, and its answer; None where it became none (a command, say)."""
        return await self._conversations.recall(message)

    async def revise(self, message: Message) -> Reply:
        """A message was edited: answer what it says now, in the place of what was answered.

        Later turns stay, and see the question and the answer as they are now. The end of the reply names the turn.
        """
        turn = RunningTurn()
        events = self._in_lane(message, turn, lambda: self._revision(message, turn))
        async with aclosing(self._to_an_end(events, message, turn)) as reply:
            async for event in reply:
                yield event

    async def _revision(self, message: Message, turn: RunningTurn) -> Reply:
        found = await self.recall(message)
        if found is None:
            return self._nothing()
        message, (question, answer) = await self._placed(message, turn), found
        conversation = await self._conversations.revise(question, message, self._texts(message))
        if answer is None and conversation.head_id != question.id:
            return self._nothing()  # the conversation went on without an answer
        last = question.id
        if answer:
            last, turn.replaced_id = answer.parent_id or last, answer.id  # the last one of a burst
            await self._conversations.go_on_after(answer, conversation)  # if an earlier attempt was interrupted
        context = replace(self._context(message, conversation, Understanding(TALK, 1.0), turn), until=last)
        return self._answer(context, turn)

    async def _nothing(self) -> Reply:
        yield Finished()

    async def forget(self, message: Message) -> list[int]:
        """A message was deleted: it and its answer leave the memory. The turns that are gone."""
        return await self._conversations.forget(message)

    async def leave_out(self, message: Message) -> None:
        """What a message says leaves the memory; that it was there, and its answer, stay."""
        await self._conversations.leave_out(message)

    # -- what a turn needs --------------------------------------------------------------------------------

    async def _placed(self, message: Message, turn: RunningTurn) -> Message:
        """The message, in the language of the place where it was said."""
        turn.place = await self._places.of(message)
        return replace(message, language=turn.place.get(Setting.LANGUAGE))

    async def _understand(self, message: Message, conversation: Conversation) -> Understanding:
        state = DialogueState(conversation, self.commands)
        for recognizer in self._recognizers:
            if (understanding := await recognizer.recognize(message, state)) is not None:
                return understanding
        return Understanding(TALK, 1.0)

    def _named(self, message: Message) -> Command | None:
        return self.commands.get(command_name(message.text) or "")

    def _context(
        self, message: Message, conversation: Conversation, understanding: Understanding, turn: RunningTurn
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
            note=turn.note,
            language=self._language,
            place=turn.place,
            places=self._places,
            is_owner=message.is_from_owner,
            roll=self._roll,
            code_valid_seconds=self._code_valid_seconds,
            tell=self._tell,
            reminders=self._reminders,
        )
        return context

    def _texts(self, message: Message) -> Texts:
        return Texts(message.language or message.person.language or self._language)
