"""Asks questions in the terminal or through a pipe: an answer is a number or a name.

Where the answers end, the preselected ones hold. Knows nothing of what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.errors import ConfigurationError
from bot.texts import Texts


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that is offered."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, what is offered, and what holds where nothing is answered."""

    text: str
    options: Sequence[Option]
    preselected: str
    is_known: Callable[[str], bool] = lambda answer: False
    """Whether an answer that is not offered may stand."""

    def value_of(self, answer: str) -> str | None:
        """The value that an answer names, by number or as it is; None where it names none."""
        if not answer:
            return self.preselected
        if answer.isdecimal() and 1 <= int(answer) <= len(self.options):
            return self.options[int(answer) - 1].value
        offered = {option.value.lower(): option.value for option in self.options}
        return offered.get(answer.lower()) or (answer if self.is_known(answer) else None)


def take_preselected(question: Question, texts: Texts) -> str:
    """Ask nobody."""
    print(texts.get("init.taken", question=question.text, answer=question.preselected))
    return question.preselected


def ask(question: Question, texts: Texts) -> str:
    """Ask until the answer makes sense.

    Raises:
        ConfigurationError: it makes none, and there is nobody to ask again.
    """
    print(f"\n{question.text}")
    for number, option in enumerate(question.options, 1):
        print(f"  {number}  {option.value}: {option.label}")
    prompt, refused = texts.get("init.prompt", preselected=question.preselected), ""
    while True:
        try:
            answer = input(prompt).strip()
        except EOFError:
            print()
            if refused:
                raise ConfigurationError("init.bad_answer", answer=refused) from None
            answer = ""
        if (value := question.value_of(answer)) is not None:
            return value
        refused = answer
        print(texts.get("init.bad_answer", answer=answer))
