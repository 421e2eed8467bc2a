"""A text of any length in pieces that fit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import PromptTooLong
from bot.memory.pieces import pieces_of


async def words(text: str) -> int:
    return len(text.split()) + 3


async def signs(text: str) -> int:
    return len(text.encode())


async def test_a_text_that_fits_is_one_piece() -> None:
    assert await pieces_of("  one two\n\nthree ", words, most_tokens=10) == ["one two\n\nthree"]


async def test_a_blank_text_has_no_pieces() -> None:
    assert await pieces_of(" \n\n ", words, most_tokens=10) == []


async def test_a_text_is_cut_at_paragraphs_rather_than_at_sentences_and_words() -> None:
    paragraphs = ["First one. It has words.", "Second one. It has words, too.", "Third one. " * 3]
    pieces = await pieces_of("\n\n".join(paragraphs), signs, most_tokens=44)
    assert pieces[:2] == paragraphs[:2]
    assert all(piece.endswith((".", "!")) for piece in pieces)


async def test_chinese_is_cut_after_sentences() -> None:
    pieces = await pieces_of("今天天气很好。" * 40, signs, most_tokens=100)
    assert len(pieces) > 8 and all(piece.endswith("。") for piece in pieces)


async def test_a_text_without_a_place_to_cut_at_is_cut_between_signs() -> None:
    text = "e\u0301" * 300
    pieces = await pieces_of(text, signs, most_tokens=50)
    assert "".join(pieces) == text
    assert not any(piece.startswith("\u0301") for piece in pieces)


async def test_what_never_fits_is_told() -> None:
    with pytest.raises(PromptTooLong):
        await pieces_of("one two", words, most_tokens=3)


async def test_no_more_is_counted_at_once_than_a_little_beyond_a_piece() -> None:
    counted: list[int] = []

    async def count(piece: str) -> int:
        counted.append(len(piece))
        return len(piece) // 4 + 10

    text = "word " * 100_000
    pieces = await pieces_of(text, count, most_tokens=1000)
    assert sum(map(len, pieces)) > 0.99 * len(text) - len(pieces)
    assert max(counted) < 4500 and len(counted) < 1.3 * len(pieces)
    assert len(pieces) < 1.2 * len(text) / 4 / 990


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="ab .\n。é\u0301👍\u200d", max_size=400), most=st.integers(12, 60))
async def test_every_piece_fits_and_nothing_but_space_between_them_is_lost(text: str, most: int) -> None:
    pieces = await pieces_of(text, signs, most_tokens=most)
    assert all(len(piece.encode()) <= most and piece for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
