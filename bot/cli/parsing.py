"""Lets `argparse` speak the person's language: the sentences it makes itself stand under `prompts/languages/`, too."""

from __future__ import annotations

import argparse

from bot.texts import Texts

SENTENCES = {
    "usage: ": "usage",
    "positional arguments": "positional",
    "options": "options",
    "show this help message and exit": "help",
    "%(prog)s: error: %(message)s\n": "error",
    "argument %(argument_name)s: %(message)s": "argument",
    "unrecognized arguments: %s": "unrecognized",
    "the following arguments are required: %s": "required",
    "one of the arguments %s is required": "one_required",
    "expected one argument": "expected_one",
    "expected at least one argument": "expected_some",
    "not allowed with argument %s": "not_allowed_with",
    "ignored explicit argument %r": "takes_no_value",
    "invalid choice: %(value)r (choose from %(choices)s)": "invalid_choice",
    "invalid %(type)s value: %(value)r": "invalid_value",
    "ambiguous option: %(option)s could match %(matches)s": "ambiguous",
}
"""What argparse says to the name of our text; what else it says is about mistakes in the program."""


def speak(texts: Texts) -> None:
    """Let every parser of the process speak the language of `texts`.

    It looks its sentences up by one function, which would ask the system's catalogues; they have none of them.
    """

    def translated(sentence: str) -> str:
        name = SENTENCES.get(sentence)
        return texts.get(f"arguments.{name}") if name else sentence

    vars(argparse)["_"] = translated
