"""`parley intents list`, `new`, `train`, `try` and `confusions`: what people do with the files of intents."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from bot.cli.intents import ready_encoder
from bot.config import Configuration
from bot.errors import ConfigurationError
from bot.folders import make_private_folder
from bot.texts import Texts
from bot.understanding.classifier import Classifier
from bot.understanding.confusions import Confusion, find_confusions
from bot.understanding.encoder import SentenceEncoder
from bot.understanding.explaining import Explanation, explain
from bot.understanding.intent_library import IntentLibrary, labelled
from bot.understanding.intents import Intent
from bot.understanding.keeping import keep_classifier, load_classifier
from bot.understanding.training import Labelled, train

WORKERS = 2
FILE_NAME = re.compile(r"[^\W\d][\w.-]*")


def run_list(arguments: argparse.Namespace) -> int:
    """Print the intents, or how to begin one; the exit status."""
    intents, texts = _library(arguments.configuration).read(), arguments.texts
    if getattr(arguments, "json", False):
        print(json.dumps([_as_data(intent) for intent in intents], ensure_ascii=False))
    elif not intents:
        print(texts.get("intents.none", folder=_own_folder(arguments.configuration)))
    else:
        print("\n".join(_told_intent(intent, texts) for intent in intents))
    return 0


def run_new(arguments: argparse.Namespace) -> int:
    """Write a file to be filled in; the exit status.

    Raises:
        ConfigurationError: the name is none, or the file is there.
    """
    name, folder = arguments.name, _own_folder(arguments.configuration)
    if not FILE_NAME.fullmatch(name):
        raise ConfigurationError("intents.bad_name", name=name)
    path = folder / f"{name}.md"
    make_private_folder(folder)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(arguments.texts.get("intents.template", name=name))
    except FileExistsError:
        raise ConfigurationError("intents.file_exists", path=path) from None
    print(arguments.texts.get("intents.begun", path=path))
    return 0


def run_train(arguments: argparse.Namespace) -> int:
    """Train unless that is done; the exit status."""
    examples, texts = _examples(arguments.configuration), arguments.texts
    start = time.perf_counter()
    encoder = ready_encoder(arguments.configuration, texts)
    _, is_new = _classifier(arguments.configuration, examples, encoder)
    values = {"examples": len(examples), "intents": len(set(examples.labels))}
    key = "intents.trained" if is_new else "intents.trained_before"
    print(texts.get(key, seconds=f"{time.perf_counter() - start:.1f}", **values))
    return 0


def run_try(arguments: argparse.Namespace) -> int:
    """Tell what texts would be understood as, and why; the exit status."""
    examples = _examples(arguments.configuration)
    encoder = ready_encoder(arguments.configuration, arguments.texts)
    classifier, _ = _classifier(arguments.configuration, examples, encoder)
    for text in [" ".join(arguments.text)] if arguments.text else _lines():
        explanation = explain(text, classifier, encoder)
        if arguments.json:
            print(json.dumps(explanation.as_data(), ensure_ascii=False), flush=True)
        else:
            print(_told_explanation(explanation, arguments.texts), flush=True)
    return 0


def run_confusions(arguments: argparse.Namespace) -> int:
    """Tell which examples are taken for another intent when they are held out; the exit status."""
    examples, texts = _examples(arguments.configuration), arguments.texts
    confusions = find_confusions(examples, ready_encoder(arguments.configuration, texts), workers=WORKERS)
    if arguments.json:
        print(json.dumps([confusion.as_data() for confusion in confusions], ensure_ascii=False))
    elif not confusions:
        print(texts.get("intents.no_confusions", examples=len(examples)))
    else:
        print("\n".join(_told_confusion(confusion, texts) for confusion in confusions))
    return 0


# -- what they work on --------------------------------------------------------------------------------------


def _own_folder(configuration: Configuration) -> Path:
    return configuration.home / "prompts" / "intents"


def _library(configuration: Configuration) -> IntentLibrary:
    return IntentLibrary([_own_folder(configuration), Path(str(files("prompts") / "intents"))])


def _examples(configuration: Configuration) -> Labelled:
    """The examples of all intents.

    Raises:
        IntentMistakes: something in the files is not right.
        ConfigurationError: there are none.
    """
    examples = labelled(_library(configuration).read())
    if not len(examples):
        raise ConfigurationError("intents.none", folder=_own_folder(configuration))
    return examples


def _classifier(configuration: Configuration, examples: Labelled, encoder: SentenceEncoder) -> tuple[Classifier, bool]:
    """The classifier of the examples, and whether it had to be trained."""
    folder = configuration.home / "cache"
    if (kept := load_classifier(folder, examples)) is not None:
        return kept, False
    trained = train(examples, encoder, workers=WORKERS)
    keep_classifier(folder, examples, trained)
    return trained, True


def _lines() -> Iterator[str]:
    return (line.strip() for line in sys.stdin if line.strip())


# -- telling ------------------------------------------------------------------------------------------------


def _as_data(intent: Intent) -> dict[str, object]:
    return {
        "name": intent.name,
        "description": intent.description,
        "examples": [example.text for example in intent.examples],
        "slots": [slot.name for slot in intent.slots],
        "skill": intent.skill or None,
        "place": str(intent.place),
    }


def _told_intent(intent: Intent, texts: Texts) -> str:
    acts = texts.get("intents.acts_skill", skill=intent.skill) if intent.skill else texts.get("intents.acts_answer")
    return texts.get("intents.listed", name=intent.name, examples=len(intent.examples), acts=acts, place=intent.place)


def _told_explanation(explanation: Explanation, texts: Texts) -> str:
    [(first, share), *others] = explanation.verdict.ranking
    key = "intents.understood" if explanation.verdict.is_familiar else "intents.not_understood"
    lines = [texts.get(key, text=explanation.text, name=first, share=f"{share:.0%}")]
    if others:
        lines.append(texts.get("intents.runner_up", name=others[0][0], share=f"{others[0][1]:.0%}"))
    if explanation.words:
        lines.append(texts.get("intents.words", words=", ".join(explanation.words)))
    lines += [
        texts.get("intents.near", example=example, share=f"{likeness:.0%}") for example, likeness in explanation.nearest
    ]
    return "\n".join(lines)


def _told_confusion(confusion: Confusion, texts: Texts) -> str:
    heading = texts.get(
        "intents.confused", name=confusion.intent, other=confusion.taken_for, count=len(confusion.examples)
    )
    return "\n".join([heading, *(f"  - {example}" for example in confusion.examples)])
