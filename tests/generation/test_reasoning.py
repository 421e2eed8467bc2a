"""What a model thinks is split from what it answers, wherever the stream is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.generation.reasoning import TAGS, ReasoningSplitter


def split(pieces: list[str]) -> tuple[str, str]:
    """The answer and the reasoning of a text that comes in these pieces."""
    splitter = ReasoningSplitter()
    found = [piece for text in pieces for piece in splitter.feed(text)] + splitter.flush()
    answer = "".join(piece.text for piece in found if not piece.reasoning)
    return answer, "".join(piece.text for piece in found if piece.reasoning)


@pytest.mark.parametrize(("opening", "closing"), TAGS.items())
def test_every_known_tag_is_split_off(opening: str, closing: str) -> None:
    assert split([f"{opening}hidden{closing}\n\nshown"]) == ("shown", "hidden")


@pytest.mark.parametrize(
    "text",
    [
        "Use `<think>` to mark it.",
        "```xml\n<think>not mine</think>\n```\ndone",
        "a < b and <thin> ice",
        "<p>html</p>",
        "一二三 <think> 四",
    ],
)
def test_an_answer_that_mentions_tags_is_shown_whole(text: str) -> None:
    assert split(list(text)) == (text, "")


def test_reasoning_that_never_ends_is_not_shown() -> None:
    assert split(["<think>on and ", "on"]) == ("", "on and on")


def test_reasoning_between_paragraphs_is_split_off() -> None:
    assert split(["First.\n<think>hm</think>\nSecond."]) == ("First.\nSecond.", "hm")


def test_white_space_before_an_answer_is_kept_and_before_reasoning_dropped() -> None:
    assert split(list("  \n indented")) == ("  \n indented", "")
    assert split(list("\n <think>hm</think> shown")) == ("shown", "hm")


def test_plain_text_is_passed_on_at_once() -> None:
    splitter = ReasoningSplitter()
    assert [piece.text for piece in splitter.feed("Hello")] == ["Hello"]


@given(
    reasoning=st.text(st.characters(exclude_characters="<"), max_size=40),
    answer=st.text(st.characters(exclude_characters="<["), max_size=80),
    cuts=st.lists(st.integers(0, 160), max_size=12),
)
def test_the_cuts_of_the_stream_do_not_matter(reasoning: str, answer: str, cuts: list[int]) -> None:
    text = f"<think>{reasoning}</think>{answer}"
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert split(pieces) == split([text]) == (answer.lstrip(), reasoning)
