"""Text from tokens: whole characters, right spaces, no stop strings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.generation.transformers_text import Detokenizer, TextAssembler
from bot.types import GeneratedText
from tests.generation.tiny_models import make_tokenizer


@cache
def tokenizer_of(spaces: str) -> Any:
    return make_tokenizer(spaces=spaces)


def pieces_of(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The pieces in which a reply of those tokens is shown."""
    detokenizer = Detokenizer(lambda part: tokenizer.decode(part, skip_special_tokens=True))
    return [*(detokenizer.feed(token) for token in ids), detokenizer.flush()]


def assemble(pieces: Sequence[str], *stop: str) -> tuple[list[str], TextAssembler]:
    """What is shown of a reply whose tokens are those pieces."""
    assembler = TextAssembler(lambda part: "".join(pieces[token] for token in part), stop)
    events = [assembler.feed(token) for token in range(len(pieces))]
    return [event.text for event in (*events, assembler.flush()) if event], assembler


@pytest.mark.parametrize("spaces", ["bytes", "metaspace"])
@settings(deadline=None)  # the first call trains the tokenizer
@given(text=st.text(st.sampled_from("the fox, 你好é🙂👨‍👩‍👧\n."), min_size=1))
def test_pieces_join_to_what_the_whole_decodes_to(spaces: str, text: str) -> None:
    tokenizer = tokenizer_of(spaces)
    ids = tokenizer.encode(text, add_special_tokens=False)

    assert "".join(pieces_of(tokenizer, ids)) == tokenizer.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("spaces", ["bytes", "metaspace"])
def test_a_character_of_several_tokens_comes_whole(spaces: str) -> None:
    tokenizer = tokenizer_of(spaces)
    ids = tokenizer.encode("a 龘 b", add_special_tokens=False)  # not in the corpus: it is spelt in bytes

    pieces = pieces_of(tokenizer, ids)

    assert "".join(pieces) == "a 龘 b"
    assert not any("\ufffd" in piece for piece in pieces)
    assert any("龘" in piece for piece in pieces)


def test_spaces_between_words_are_kept_where_tokens_mark_word_beginnings() -> None:
    tokenizer = tokenizer_of("metaspace")
    ids = tokenizer.encode("the quick brown fox", add_special_tokens=False)

    pieces = [piece for piece in pieces_of(tokenizer, ids) if piece]

    assert len(pieces) > 2
    assert "".join(pieces) == "the quick brown fox"


def test_special_tokens_leave_no_trace() -> None:
    tokenizer = tokenizer_of("metaspace")
    ids = tokenizer.encode("the fox", add_special_tokens=False)
    ids[1:1] = [tokenizer.convert_tokens_to_ids("<|user|>")]

    assert "<|user|>" not in "".join(pieces_of(tokenizer, ids))


def test_bytes_that_never_become_a_character_are_dropped() -> None:
    tokenizer = tokenizer_of("bytes")
    ids = tokenizer.encode("a龘", add_special_tokens=False)

    assert "".join(pieces_of(tokenizer, ids[:-1])) == "a"


def test_a_stop_string_cut_across_tokens_is_never_shown() -> None:
    shown, assembler = assemble(["Hello", " wor", "ld. ST", "O", "P and on"], "STOP")

    assert "".join(shown) == "Hello world. "
    assert assembler.stopped


def test_what_only_looks_like_a_stop_string_is_shown_after_all() -> None:
    shown, assembler = assemble(["a ST", "O", "NE"], "STOP")

    assert shown == ["a ", "STONE"]
    assert not assembler.stopped


def test_what_was_held_back_is_shown_at_the_end() -> None:
    assert assemble(["one ST"], "STOP")[0] == ["one ", "ST"]


def test_the_first_of_several_stop_strings_ends_the_text() -> None:
    assert "".join(assemble(["a b", " c d"], "d", "c")[0]) == "a b "


@given(
    pieces=st.lists(st.text("abS", min_size=1, max_size=4), max_size=8),
    stop=st.lists(st.text("abS", min_size=1, max_size=3), max_size=2),
)
def test_stop_strings_cut_the_text_as_a_search_of_the_whole_would(pieces: list[str], stop: list[str]) -> None:
    whole = "".join(pieces)
    ends = [whole.index(text) for text in stop if text in whole]

    # stop strings are found as they come, so one that ends earlier wins over one that begins earlier
    shown = "".join(assemble(pieces, *stop)[0])

    assert whole.startswith(shown)
    assert not any(text in shown for text in stop)
    assert bool(ends) or shown == whole


def test_each_event_carries_the_log_probabilities_of_its_tokens() -> None:
    assembler = TextAssembler(lambda part: "".join("ab"[token] for token in part), ("bb",))

    events = [assembler.feed(0, -0.5), assembler.feed(1, -1.0), assembler.feed(0, -2.0)]

    assert events == [GeneratedText("a", (-0.5,)), None, GeneratedText("ba", (-1.0, -2.0))]
