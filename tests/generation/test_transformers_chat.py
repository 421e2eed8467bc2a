"""Prompts reach the model through its own chat template, whatever roles that puts up with."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import GenerationFailed, ModelError
from bot.generation.transformers_chat import ChatTemplate, fold_system, merge_roles
from bot.types import Prompt, PromptMessage, Role
from tests.generation.tiny_models import CHAT_TEMPLATE, SILENT_TEMPLATE, STRICT_TEMPLATE, make_tokenizer

LETTERS = {"s": Role.SYSTEM, "u": Role.USER, "a": Role.ASSISTANT}
ONLY_SHORT = "{% if messages | length > 1 %}{{ raise_exception('too many') }}{% endif %}{{ messages[0].content }}"


def messages(*said: str) -> tuple[PromptMessage, ...]:
    """Messages written as `u:text`."""
    return tuple(PromptMessage(LETTERS[line[0]], line[2:]) for line in said)


def shown(template: str, *said: str) -> str:
    """What the model reads of those messages."""
    tokenizer = make_tokenizer(chat_template=template)
    text: str = tokenizer.decode(ChatTemplate(tokenizer, "m").encode(Prompt(messages(*said))))
    return text


def test_roles_that_the_template_accepts_stay_as_they_are() -> None:
    assert shown(CHAT_TEMPLATE, "s:Be kind.", "u:Hello", "a:Hi", "s:It is noon.", "u:Bye") == (
        "<s><|system|>Be kind.</s><|user|>Hello</s><|assistant|>Hi</s><|system|>It is noon.</s><|user|>Bye</s>"
        "<|assistant|>"
    )


@pytest.mark.parametrize("template", [STRICT_TEMPLATE, SILENT_TEMPLATE])
def test_system_texts_go_to_the_user_where_the_template_refuses_or_drops_them(template: str) -> None:
    assert shown(template, "s:Be kind.", "u:Hello", "a:Hi", "s:It is noon.", "u:Bye") == (
        "<s><|user|>Be kind.\n\nHello</s><|assistant|>Hi</s><|user|>It is noon.\n\nBye</s><|assistant|>"
    )


def test_a_system_text_that_nothing_follows_becomes_what_the_user_says() -> None:
    assert shown(STRICT_TEMPLATE, "u:Hello", "a:Hi", "s:Go on.").endswith("<|user|>Go on.</s><|assistant|>")


def test_neighbours_of_one_role_become_one_message() -> None:
    assert "<|user|>One\n\nTwo</s>" in shown(STRICT_TEMPLATE, "u:One", "u:Two")


def test_a_conversation_that_begins_with_a_reply_suits_a_strict_template() -> None:
    assert (
        shown(STRICT_TEMPLATE, "a:Hi", "u:Hello") == "<s><|user|></s><|assistant|>Hi</s><|user|>Hello</s><|assistant|>"
    )


def test_a_tokenizer_without_a_chat_template_is_refused() -> None:
    with pytest.raises(ModelError, match="gpt-base has no chat template"):
        ChatTemplate(make_tokenizer(chat_template=None), "gpt-base")


def test_a_broken_chat_template_is_refused_with_its_problem() -> None:
    with pytest.raises(ModelError, match=r"The chat template of m cannot be used: .*unexpected"):
        ChatTemplate(make_tokenizer(chat_template="{{ ) }}"), "m")


def test_a_prompt_that_the_template_refuses_fails_with_its_reason() -> None:
    with pytest.raises(GenerationFailed, match="too many"):
        shown(ONLY_SHORT, "u:Hello", "a:Hi", "u:Bye")


@given(roles=st.text("sua", max_size=8), first=st.booleans(), later=st.booleans())
def test_nothing_that_was_said_is_lost(roles: str, first: bool, later: bool) -> None:
    said = messages(*(f"{role}:({place})" for place, role in enumerate(roles)))

    adapted = merge_roles(fold_system(merge_roles(said), first=first, later=later))

    text = "".join(message.content for message in adapted)
    assert all(f"({place})" in text for place in range(len(roles)))
    assert all(before.role is not after.role for before, after in pairwise(adapted))
    if first and later:
        assert all(message.role is not Role.SYSTEM for message in adapted)
