"""What a person types while a reply streams: kept for the next prompt; Ctrl-C, Ctrl-Z and `/stop` act at once.

Nothing of it is shown in the midst of the reply. The keyboard stays in raw mode for all of that time: the terminal
itself would throw away what was typed when it turns Ctrl-C into a signal. Knows neither conversations nor Markdown.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output

STOP = "/stop"
_ENTER = (Keys.ControlM, Keys.ControlJ)


@contextlib.contextmanager
def typing_ahead(
    keyboard: Input, screen: Output, *, interrupt: Callable[[], None], stop: Callable[[], None]
) -> Iterator[None]:
    """Keep what is typed for the next prompt.

    Args:
        keyboard: where keys come from.
        screen: of the same terminal.
        interrupt: called at each Ctrl-C.
        stop: called when the line `/stop` was typed; that line is not kept.
    """
    typed = _Typed(interrupt=interrupt, stop=stop, suspend=lambda: _suspend(keyboard))
    typed.take(get_typeahead(keyboard))  # what came in one piece with the message that is being answered
    screen.enable_bracketed_paste()  # else each line of a paste would be sent as a message of its own
    screen.flush()
    try:
        with keyboard.raw_mode(), keyboard.attach(lambda: typed.take(keyboard.read_keys())):
            yield
    finally:
        screen.disable_bracketed_paste()
        screen.flush()
        store_typeahead(keyboard, typed.keys)


@dataclass(slots=True)
class _Typed:
    """Keys in the order in which they were pressed."""

    interrupt: Callable[[], None]
    stop: Callable[[], None]
    suspend: Callable[[], None]
    keys: list[KeyPress] = field(default_factory=list)
    _line: list[KeyPress] = field(default_factory=list)  # those after the last Enter, also part of `keys`

    def take(self, presses: Iterable[KeyPress]) -> None:
        """Keep these keys, and do at once what cannot wait."""
        for press in presses:
            if press.key is Keys.ControlC:
                self.interrupt()
            elif press.key is Keys.ControlZ:
                self.suspend()
            elif press.key is not Keys.CPRResponse:  # which the terminal sent, not the person
                self._keep(press)

    def _keep(self, press: KeyPress) -> None:
        begins_line = self._line and self._line[-1].key is Keys.Escape  # Alt-Enter comes as these two
        self.keys.append(press)
        self._line.append(press)
        if press.key not in _ENTER or begins_line:
            return
        if _spelt(self._line[:-1]).strip().lower() == STOP:
            del self.keys[-len(self._line) :]
            self.stop()
        self._line.clear()


def _spelt(presses: Iterable[KeyPress]) -> str:
    """The text that the keys write; a key that moves or edits otherwise leaves a mark in it that no command has."""
    text = ""
    for press in presses:
        if press.key is Keys.ControlH:
            text = text[:-1]
        elif press.key is Keys.BracketedPaste or not isinstance(press.key, Keys):
            text += press.data
        else:
            text += "\0"
    return text


def _suspend(keyboard: Input) -> None:
    """Go to the background until the shell calls the program back, as Ctrl-Z does anywhere."""
    if number := getattr(signal, "SIGTSTP", None):  # not on Windows
        with keyboard.cooked_mode():
            os.kill(0, number)
