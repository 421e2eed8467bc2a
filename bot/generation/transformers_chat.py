"""Turns a prompt into tokens with a tokenizer's own chat template, whatever roles the template puts up with.

What a template accepts is found by trying it, once, when the model is loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.errors import GenerationFailed, ModelError
from bot.types import Prompt, PromptMessage, Role

SEPARATOR = "\n\n"
MARK = "zqx7"
"""A word that a template can only have from the message that holds it."""


class ChatTemplate:
    """A tokenizer with its chat template; may be used by several threads.

    Raises:
        ModelError: the tokenizer has no chat template, or one that cannot be used.
    """

    def __init__(self, tokenizer: Any, model: str) -> None:
        self._tokenizer = tokenizer
        self._lock = threading.Lock()  # tokenizers change their truncation settings while they encode
        if not tokenizer.chat_template:
            raise ModelError("generation.no_chat_template", model=model)
        user, assistant, system = (_say(role, MARK) for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM))
        other = replace(user, content="A")
        if problem := self._refusal([user]):
            raise ModelError("transformers.template_unusable", model=model, problem=problem)
        self._keeps_first_system = self._refusal([system, other]) is None
        self._keeps_later_system = self._refusal([other, replace(assistant, content="B"), system, other]) is None
        self._keeps_assistant_first = self._refusal([assistant, other]) is None

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's tokens, ending where the reply begins.

        Raises:
            GenerationFailed: the template refuses the prompt.
        """
        from jinja2 import TemplateError

        messages = self.adapt(prompt.messages)
        try:
            with self._lock:
                return list(self._apply(messages, tokenize=True))
        except TemplateError as error:
            raise GenerationFailed("transformers.prompt_refused", problem=error) from error

    def adapt(self, messages: Sequence[PromptMessage]) -> list[PromptMessage]:
        """The messages as this template accepts them; nothing that was said is lost."""
        adapted = merge_roles(messages)
        adapted = fold_system(adapted, first=not self._keeps_first_system, later=not self._keeps_later_system)
        adapted = merge_roles(adapted)
        start = 1 if adapted and adapted[0].role is Role.SYSTEM else 0
        if not self._keeps_assistant_first and adapted[start:] and adapted[start].role is Role.ASSISTANT:
            adapted.insert(start, _say(Role.USER, ""))
        return adapted

    def _refusal(self, messages: list[PromptMessage]) -> str | None:
        """Why the template does not show the marked message; None if it does."""
        from jinja2 import TemplateError

        try:
            text = self._apply(messages, tokenize=False)
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            return str(error) or type(error).__name__
        return None if MARK in text else "the message was left out"

    def _apply(self, messages: list[PromptMessage], *, tokenize: bool) -> Any:
        plain = [{"role": message.role.value, "content": message.content} for message in messages]
        return self._tokenizer.apply_chat_template(
            plain, tokenize=tokenize, add_generation_prompt=True, return_dict=False
        )


def merge_roles(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """The messages, neighbours of the same role made one."""
    merged: list[PromptMessage] = []
    for message in messages:
        if merged and merged[-1].role is message.role:
            merged[-1] = _join(merged[-1], message)
        else:
            merged.append(message)
    return merged


def fold_system(messages: Sequence[PromptMessage], *, first: bool, later: bool) -> list[PromptMessage]:
    """The messages with system texts put in front of the next thing the user says.

    Args:
        first: whether to fold a system text that opens the prompt.
        later: whether to fold the other ones.
    """
    folded: list[PromptMessage] = []
    waiting: PromptMessage | None = None
    for place, message in enumerate(messages):
        if message.role is Role.SYSTEM and (first if place == 0 else later):
            waiting = _join(waiting, message) if waiting else replace(message, role=Role.USER)
        elif waiting and message.role is Role.USER:
            folded.append(_join(waiting, message))
            waiting = None
        else:
            folded.append(message)
    return [*folded, waiting] if waiting else folded


def _join(before: PromptMessage, after: PromptMessage) -> PromptMessage:
    return replace(before, content=f"{before.content}{SEPARATOR}{after.content}")


def _say(role: Role, content: str) -> PromptMessage:
    return PromptMessage(role, content)
