"""`parley chat` in a terminal, as a person sees it: real program, real pseudo-terminal, emulated screen."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.cli.program import PARLEY, environment, parley

WIDTH, HEIGHT = 80, 24


class Session:
    """The program in a terminal."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._screen = pyte.HistoryScreen(WIDTH, HEIGHT, history=5000)
        self._stream = pyte.ByteStream(self._screen)
        env = environment(TERM="xterm-256color", **variables)
        env.pop("NO_COLOR", None)
        env |= variables
        self.raw = b""
        self.process = pexpect.spawn(PARLEY, ["chat", *arguments], env=env, dimensions=(HEIGHT, WIDTH), timeout=20)

    def type(self, keys: str) -> None:
        """Press keys."""
        self.process.send(keys)

    def say(self, text: str) -> None:
        """Type a line and send it."""
        self.process.send(text + "\r")

    def sees(self, *texts: str, count: int = 1) -> str:
        """Wait until all the texts are on the screen or above it, `count` times or more; everything that is there."""
        deadline = time.monotonic() + 20
        while not all(self.text.count(text) >= count for text in texts):
            if time.monotonic() > deadline:
                raise AssertionError(f"{texts} not seen; the screen:\n{self.text}")
            self._read()
        return self.text

    def ends(self) -> int | None:
        """Wait for the end; the exit status."""
        self.process.expect(pexpect.EOF)
        self._feed(self.process.before or b"")
        self.process.close()
        status: int | None = self.process.exitstatus
        return status

    def resize(self, width: int, height: int) -> None:
        """Change the size of the terminal."""
        self._screen.resize(height, width)
        self.process.setwinsize(height, width)

    @property
    def text(self) -> str:
        """Everything from the first line to the last."""
        rows = [*self._screen.history.top, *(self._screen.buffer[row] for row in range(self._screen.lines))]
        return "\n".join("".join(row[column].data for column in range(self._screen.columns)).rstrip() for row in rows)

    def _read(self) -> None:
        try:
            self._feed(self.process.read_nonblocking(65536, timeout=0.2))
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            raise AssertionError(f"it ended; the screen:\n{self.text}") from None

    def _feed(self, data: bytes) -> None:
        self.raw += data
        self._stream.feed(data)
        if b"\x1b[6n" in data:  # it asks where the cursor is, as it may of any terminal
            self.process.send(f"\x1b[{self._screen.cursor.y + 1};{self._screen.cursor.x + 1}R")


@pytest.fixture
def session() -> Iterator[Session]:
    found = Session()
    found.sees("❯")
    yield found
    found.process.close(force=True)


def test_a_reply_is_shown_as_markdown(session: Session) -> None:
    session.say("some **bold** words")
    assert "some bold words" in session.sees("some bold words")
    assert b"\x1b[1mbold" in session.raw


@pytest.mark.parametrize(
    ("language", "model", "is_told"),
    [
        ("zh", "smollm2-135m-instruct", True),
        ("zh", "qwen2.5-0.5b-instruct", False),
        ("en", "smollm2-135m-instruct", False),
        ("zh", "unknown-to-the-catalogue", False),
    ],
)
def test_a_model_that_hardly_knows_the_persons_language_is_told_of(language: str, model: str, is_told: bool) -> None:
    session = Session(PARLEY_LANGUAGE=language, PARLEY_MODEL__NAME=model, PARLEY_MODEL__GENERATOR="auto")
    try:
        shown = session.sees("❯")
    finally:
        session.process.close(force=True)
    assert (f"{model} 几乎不懂中文" in shown.replace("\n", "")) == is_told


def test_help_lists_the_commands_of_the_terminal(session: Session) -> None:
    session.say("/help")
    session.sees("/help", "/new", "/conversations", "/undo", "/retry", "/stop", "Ctrl-C does so", "/model", "/quit")


def test_the_end_of_input_leaves(session: Session) -> None:
    session.type("\x04")
    assert session.ends() == 0


def test_quit_leaves(session: Session) -> None:
    session.say("/quit")
    assert session.ends() == 0


def test_interrupting_twice_at_the_prompt_leaves(session: Session) -> None:
    session.type("\x03")
    session.sees("Ctrl-C again")
    session.type("\x03")
    assert session.ends() == 0


def test_a_command_is_completed(session: Session) -> None:
    session.type("/conv")
    session.sees("/conversations", "list your conversations")


def test_a_pasted_text_with_line_breaks_is_one_message(session: Session) -> None:
    session.type("\x1b[200~first line\nsecond line\x1b[201~")
    session.sees("second line")
    session.type("\r")
    session.sees("first line second line")


def test_a_conversation_goes_on_where_it_stopped(session: Session) -> None:
    session.say("remember this")
    session.sees("remember this", count=2)
    session.type("\x04")
    session.ends()
    again = Session()
    again.sees("Going on with “remember this”")
    again.say("/undo")
    again.sees("Taken back: “remember this”")
    again.process.close(force=True)
    fresh = Session("--new")
    fresh.sees("❯")
    assert "Going on" not in fresh.text
    fresh.process.close(force=True)


def test_an_interrupt_stops_the_reply_and_not_the_program() -> None:
    session = Session(PARLEY_MODEL__ECHO_DELAY_SECONDS="0.02")
    session.sees("❯")
    session.say("word " * 1000)
    session.sees("word word word", "\n\nword word")
    session.type("\x03")
    session.sees("(stopped)")
    session.say("/help")
    session.sees("/conversations")
    session.process.close(force=True)


@pytest.fixture
def replying() -> Iterator[Session]:
    """A session in the middle of a long reply."""
    found = Session(PARLEY_MODEL__ECHO_DELAY_SECONDS="0.02")
    found.sees("❯")
    found.say("word " * 1000)
    found.sees("\n\nword word")
    yield found
    found.process.close(force=True)


def test_after_a_stopped_reply_leaving_takes_two_more_presses(replying: Session) -> None:
    replying.type("\x03")
    replying.sees("(stopped)")
    replying.type("\x03")
    replying.sees("Ctrl-C again")
    replying.type("\x03")
    assert replying.ends() == 0


def test_interrupting_twice_before_the_reply_has_ended_leaves(replying: Session) -> None:
    replying.type("\x03\x03")
    assert replying.ends() == 0


def test_what_was_typed_ahead_survives_the_interrupt(replying: Session) -> None:
    replying.type("typed ahead")
    replying.type("\x03")
    replying.sees("(stopped)", "❯ typed ahead")
    replying.type(" and on\r")
    replying.sees("typed ahead and on", count=2)


def test_lines_typed_ahead_are_answered_in_turn(replying: Session) -> None:
    replying.type("first of two\rsecond of two\r\x03")
    replying.sees("❯ first of two", "❯ second of two")
    replying.sees("first of two", "second of two", count=2)


def test_stop_takes_effect_while_the_reply_runs(replying: Session) -> None:
    replying.type("/stpo\x7f\x7fop\r")
    replying.sees("(stopped)", "\n❯")
    assert "/stop" not in replying.text


def test_a_stop_that_comes_with_the_message_stops_its_reply() -> None:
    session = Session(PARLEY_MODEL__ECHO_DELAY_SECONDS="0.02")
    session.sees("❯")
    session.type("word " * 1000 + "\r/stop\rafter\r")
    session.sees("(stopped)", "❯ after")
    session.process.close(force=True)


def test_a_text_pasted_while_a_reply_runs_is_one_message(replying: Session) -> None:
    replying.type("\x1b[200~line one\nline two\x1b[201~\x03")
    replying.sees("❯ line one\n  line two")
    replying.type("\r")
    replying.sees("line one line two")


def test_an_interrupt_takes_back_what_was_typed_before_it_offers_to_leave(session: Session) -> None:
    session.type("half a sent")
    session.sees("half a sent")
    session.type("\x03")
    session.sees("❯", count=2)
    assert "Ctrl-C again" not in session.text
    session.type("\x03")
    session.sees("Ctrl-C again")


def test_no_color_is_honoured() -> None:
    session = Session(NO_COLOR="1")
    session.sees("❯")
    session.say("`code` and **bold**")
    session.sees("code and bold")
    for colour in (b"\x1b[36", b"\x1b[1;36", b"\x1b[31", b"\x1b[38;"):
        assert colour not in session.raw
    session.process.close(force=True)


def test_a_resize_in_the_middle_of_a_reply_leaves_every_word_once() -> None:
    session = Session(PARLEY_MODEL__ECHO_DELAY_SECONDS="0.01")
    session.sees("❯")
    session.say("\x1b[200~" + "\n\n".join(f"Paragraph {number} has a few words." for number in range(12)) + "\x1b[201~")
    session.sees("Paragraph 11", count=1)
    session.sees("Paragraph 3 has a few words.", count=2)
    session.resize(100, 30)
    session.sees("Paragraph 11 has a few words.", count=2)
    for number in range(12):
        assert session.text.count(f"Paragraph {number} has") == 2, session.text
    session.process.close(force=True)


def test_termination_ends_it_with_its_status(session: Session) -> None:
    session.process.kill(signal.SIGTERM)
    assert session.ends() == 143


def test_the_history_of_what_was_typed_is_private(session: Session, home: Path) -> None:
    session.say("a secret")
    session.sees("a secret", count=2)
    assert (home / "console_history").stat().st_mode & 0o077 == 0


def test_a_reminder_comes_above_what_is_being_typed() -> None:
    session = Session()
    session.sees("❯")
    session.say("/remind tea in 2 seconds")
    session.sees("I will remind you")
    session.type("half a que")
    session.sees("⏰ tea")
    session.type("stion\r")
    assert session.sees("half a question", count=2).count("⏰ tea") == 1


def test_a_reminder_that_came_due_meanwhile_is_shown_at_the_start(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    done = parley("chat", "/remind tea in 1 hour", "--now", "2026-03-11T14:00", "--tz", "Europe/Berlin")
    assert done.stdout == b"I will remind you today at 15:00: tea\n"
    session = Session()
    session.sees("⏰ tea", "I was not running then")
    session.type("\x04")
    session.ends()
    again = Session()
    again.say("/reminders")
    assert "⏰" not in again.sees("There is nothing")
