"""Recognizes intents in messages; learns beside the conversation whenever the files of intents change.

Until the first training is through, it has nothing to say; while a later one runs, what was learned before goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import ParleyError
from bot.protocols import DialogueState
from bot.types import Message, Understanding
from bot.understanding.classifier import Classifier, Encoder, Verdict
from bot.understanding.intent_library import IntentLibrary, labelled
from bot.understanding.keeping import keep_classifier, load_classifier
from bot.understanding.training import Labelled, train

logger = logging.getLogger(__name__)

CERTAIN = 0.6
"""The probability from which an intent is taken for certain, if the text looks familiar at all."""
RIVALS = 3
"""Alternatives that are told."""


class IntentRecognizer:
    """Says which intent a message is for, where that is certain."""

    def __init__(self, library: IntentLibrary, open_encoder: Callable[[], Encoder], cache_folder: Path) -> None:
        """
        Args:
            library: the intents.
            open_encoder: gives the encoder; called once, in a thread, when there is an intent.
            cache_folder: where trained classifiers are kept.
        """
        self._library = library
        self._open_encoder = open_encoder
        self._cache_folder = cache_folder
        self._encoder: Encoder | None = None
        self._classifier: Classifier | None = None
        self._learned = Labelled((), ())
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keep_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.learned()

    async def recognize(self, message: Message, state: DialogueState) -> Understanding | None:
        """The intent with its alternatives; None where the text is for none, or nothing is learned yet."""
        self._keep_up()
        classifier, encoder = self._classifier, self._encoder
        if classifier is None or encoder is None or not message.text.strip():
            return None
        [verdict] = await asyncio.to_thread(classifier.judge, [message.text], encoder)
        return _understanding(verdict) if verdict.is_familiar and verdict.confidence >= CERTAIN else None

    async def learned(self) -> None:
        """Return when no training runs."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def _keep_up(self) -> None:
        """Begin to learn what has changed, unless a training runs: then what it misses is noticed after it."""
        examples = labelled(self._library.intents())
        if examples == self._learned or (self._task is not None and not self._task.done()):
            return
        self._learned = examples
        self._task = asyncio.create_task(self._learn(examples))

    async def _learn(self, examples: Labelled) -> None:
        try:
            self._classifier = await asyncio.to_thread(self._classifier_of, examples) if len(examples) else None
        except (ParleyError, OSError):
            logger.exception("the intents were not learned; what was learned before goes on")

    def _classifier_of(self, examples: Labelled) -> Classifier:
        if self._encoder is None:
            self._encoder = self._open_encoder()
        if (kept := load_classifier(self._cache_folder, examples)) is not None:
            return kept
        trained = train(examples, self._encoder)
        keep_classifier(self._cache_folder, examples, trained)
        return trained


def _understanding(verdict: Verdict) -> Understanding:
    evidence = {"familiarity": round(verdict.familiarity, 3)}
    return Understanding(
        verdict.intent, verdict.confidence, alternatives=verdict.ranking[1 : 1 + RIVALS], evidence=evidence
    )
