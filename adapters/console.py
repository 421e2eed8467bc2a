"""The terminal: a person types, replies stream as rendered Markdown. For pipes and scripts see `plain`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.color_depth import ColorDepth
from rich.console import Console

from adapters.console_typing import typing_ahead
from adapters.terminal_markdown import MarkdownStream, dim
from bot.protocols import Command, Immediate, Partner, Reply
from bot.texts import Texts
from bot.types import Address, Failed, Finished, Message, Person, ReasoningDelta, Status, TextDelta, TurnState

QUIT = Command("quit")
STOP = Command("stop", immediate=Immediate.ALWAYS, told="console.stop")
"""The one that everybody knows, with the key that does so, too."""
PROMPT = "❯ "
STOP_AGAIN_SECONDS = 0.05
"""Until a stop is repeated that came before the reply began."""


class ConsoleAdapter:
    """A conversation in a terminal.

    Enter sends, Alt-Enter begins a new line, pasted line breaks stay. While a reply is running, Ctrl-C or `/stop` stops
    it, and what is typed otherwise is kept for the next prompt. At an empty prompt, Ctrl-C twice in a row leaves, and
    so does Ctrl-D.
    """

    name = "console"
    commands = (QUIT, STOP)

    def __init__(
        self,
        *,
        partner: Partner,
        texts: Texts,
        address: Address,
        person: Person,
        now: Callable[[], datetime],
        history_file: Path,
        console: Console | None = None,
    ) -> None:
        self._partner = partner
        self._texts = texts
        self._address = address
        self._person = person
        self._now = now
        self._console = console or Console(highlight=False)
        self._session = self._make_session(history_file)
        self._showing = asyncio.Lock()
        """Held while a reply is shown: what is told unasked comes before or after it."""

    async def run(self) -> None:
        """Talk until the person leaves."""
        with self._session.input.raw_mode():  # also between prompt and reply: no key is shown or lost there
            while (text := await self._read()) is not None:
                if text.split()[0].lower() in ("/quit", "/exit"):
                    return
                if text.strip():
                    await self.say(text)

    def remark(self, text: str) -> None:
        """Show a line beside the conversation."""
        self._console.print(dim(text))

    async def tell(self, text: str) -> None:
        """Show something that nobody asked for just now, in Markdown: above the prompt, or after a reply."""
        async with self._showing:
            await run_in_terminal(lambda: self._show_whole(text))

    def _show_whole(self, text: str) -> None:
        stream = MarkdownStream(self._console)
        self._console.print()
        stream.feed(text)
        stream.finish()
        self._console.print()

    async def _read(self) -> str | None:
        """What the person types next; None when they leave."""
        leaving = False
        while True:
            try:
                text: str = await self._session.prompt_async(self._prompt())
            except KeyboardInterrupt:
                if self._session.default_buffer.text:
                    leaving = False  # it took back what was typed, as in a shell
                elif leaving:
                    return None
                else:
                    leaving = True
                    self.remark(self._texts.get("console.press_again"))
            except EOFError:
                return None
            else:
                return text

    async def say(self, text: str) -> None:
        """Send a message and show the reply to its end."""
        message = Message(self._address, self._person, text, self._now(), is_from_owner=True)
        async with self._showing:
            with self._stoppable():
                async with aclosing(self._partner.respond(message)) as reply:
                    await self._show(reply)

    async def _show(self, reply: Reply) -> None:
        stream, thinking = MarkdownStream(self._console), False
        end: Finished | Failed | None = None
        self._console.print()
        try:
            async for event in reply:
                if isinstance(event, TextDelta):
                    if thinking:
                        self._console.print("\n")
                        thinking = False
                    stream.feed(event.text)
                elif isinstance(event, ReasoningDelta):
                    thinking = True
                    self._console.print(dim(event.text), end="")
                elif isinstance(event, Status):
                    self.remark(event.text)
                elif isinstance(event, Finished | Failed):
                    end = event
        finally:
            stream.finish()
        if end:
            self._show_end(end)
        self._console.print()

    def _show_end(self, end: Finished | Failed) -> None:
        if isinstance(end, Failed):
            self._console.print(end.text, style="red", markup=False)
        elif end.state is not TurnState.COMPLETE:
            self.remark(f"({self._texts.get(f'chat.{end.state.value}')})")

    @contextlib.contextmanager
    def _stoppable(self) -> Iterator[None]:
        """While a reply is running, Ctrl-C and `/stop` stop it; Ctrl-C once more leaves."""
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        stopping: asyncio.Task[None] | None = None
        presses = 0

        def stop() -> None:
            nonlocal stopping
            stopping = stopping or loop.create_task(self._stop())

        def interrupt() -> None:
            nonlocal presses
            presses += 1
            stop()
            if presses > 1 and main is not None:
                main.cancel()

        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(interrupt))
        try:
            with typing_ahead(self._session.input, self._session.output, interrupt=interrupt, stop=stop):
                yield
        finally:
            signal.signal(signal.SIGINT, before)
            if stopping is not None:
                stopping.cancel()

    async def _stop(self) -> None:
        """Stop the reply, if need be as soon as it begins."""
        while not await self._partner.stop(self._address):  # noqa: ASYNC110 - nothing tells that a reply begins
            await asyncio.sleep(STOP_AGAIN_SECONDS)

    def _prompt(self) -> ANSI | str:
        return PROMPT if self._console.no_color else ANSI(f"\x1b[1;36m{PROMPT}\x1b[0m")

    def _make_session(self, history_file: Path) -> PromptSession[str]:
        history_file.touch(mode=0o600, exist_ok=True)
        return PromptSession(
            history=FileHistory(str(history_file)),
            completer=CommandCompleter(self._partner, self._texts),
            complete_while_typing=True,
            multiline=True,
            key_bindings=_keys(),
            prompt_continuation=lambda width, line, wrapped: " " * width,
            color_depth=ColorDepth.DEPTH_1_BIT if self._console.no_color else None,
            enable_history_search=False,
            enable_suspend=True,
        )


class CommandCompleter(Completer):
    """Completes a command's name at the start of the input, and tells what it does."""

    def __init__(self, partner: Partner, texts: Texts) -> None:
        self._partner = partner
        self._texts = texts

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Commands that begin with what was typed."""
        typed = document.text_before_cursor
        if not typed.startswith("/") or " " in typed or "\n" in typed:
            return
        for command in self._partner.commands.values():
            if command.name.startswith(typed[1:].lower()):
                meta = self._texts.find(command.summary) or ""
                yield Completion(f"/{command.name}", -len(typed), display_meta=meta)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
