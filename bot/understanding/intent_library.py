"""The intents of all files: read again when they change; while they hold mistakes, the last good ones stay in use."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bot.understanding.intent_files import read_intents
from bot.understanding.intents import Intent, IntentMistakes, Mistake, Place
from bot.understanding.training import Labelled

logger = logging.getLogger(__name__)

SUFFIX = ".md"
NOT_INTENTS = "README.md"
LOOK_SECONDS = 2.0
"""After so long the folder is looked at again; people edit the files while the program runs."""

Seen = tuple[tuple[str, int, int], ...]


class IntentLibrary:
    """The intents in some folders. A file hides those of its name in later folders."""

    def __init__(self, folders: Sequence[Path], *, seconds: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            folders: where the files lie, the person's own first; a folder may be missing.
            seconds: a clock that never goes back.
        """
        self._folders = tuple(folders)
        self._seconds = seconds
        self._looked_at = -math.inf
        self._seen: Seen | None = None
        self._intents: tuple[Intent, ...] = ()
        self.mistakes: tuple[Mistake, ...] = ()
        """What is wrong in the files as they are now; then `intents` gives what they held before."""

    def intents(self) -> tuple[Intent, ...]:
        """The last intents that were right as a whole."""
        if self._seconds() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = self._seconds()
            self._look()
        return self._intents

    def read(self) -> tuple[Intent, ...]:
        """The intents as the files are now.

        Raises:
            IntentMistakes: something in them is not right.
        """
        intents: list[Intent] = []
        mistakes: list[Mistake] = []
        for path in self._files():
            try:
                content = path.read_bytes().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                line = error.object[: error.start].count(b"\n") + 1
                mistakes.append(Mistake(Place(path, line), "intents.file_encoding"))
                continue
            except OSError as error:
                mistakes.append(Mistake(Place(path, 1), "intents.file_unreadable", {"problem": error.strerror}))
                continue
            found, wrong = read_intents(path, content)
            intents += found
            mistakes += wrong
        mistakes += _between(intents)
        if mistakes:
            raise IntentMistakes(mistakes)
        return tuple(intents)

    def _look(self) -> None:
        seen = self._signature()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._intents, self.mistakes = self.read(), ()
        except IntentMistakes as error:
            self.mistakes = error.mistakes
            logger.warning("the intents stay as they were: %s", error)

    def _files(self) -> list[Path]:
        files: dict[str, Path] = {}
        for folder in self._folders:
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                if path.name != NOT_INTENTS:
                    files.setdefault(path.name, path)
        return list(files.values())

    def _signature(self) -> Seen:
        found = []
        for path in self._files():
            try:
                state = path.stat()
            except OSError:  # gone since it was listed
                continue
            found.append((str(path), state.st_mtime_ns, state.st_size))
        return tuple(found)


def labelled(intents: Sequence[Intent]) -> Labelled:
    """The examples, each with the name of its intent."""
    pairs = [(example.text, intent.name) for intent in intents for example in intent.examples]
    return Labelled(tuple(text for text, _ in pairs), tuple(name for _, name in pairs))


def _between(intents: Sequence[Intent]) -> Iterator[Mistake]:
    """Names and examples that stand twice."""
    names: dict[str, Place] = {}
    examples: dict[str, Place] = {}
    for intent in intents:
        if intent.name in names:
            yield Mistake(intent.place, "intents.name_twice", {"name": intent.name, "place": names[intent.name]})
        names.setdefault(intent.name, intent.place)
        for example in intent.examples:
            plain = re.sub(r"\s+", " ", example.text).strip().lower()
            if plain in examples:
                yield Mistake(example.place, "intents.example_twice", {"place": examples[plain]})
            examples.setdefault(plain, example.place)
