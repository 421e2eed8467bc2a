"""Messages end where a reader would end them, and what goes on, goes on as it was."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from bot.channel import Format
from bot.delivery.formatted import Formatted
from bot.delivery.layout import lay_out
from bot.delivery.markup import parse
from bot.delivery.rendering import Plain, Spans
from bot.delivery.splitting import CRAMPED, split
from tests.delivery.corpus import Author
from tests.delivery.entity_rules import violations
from tests.delivery.reading import together, utf16, visible


def _texts(markdown: str, longest: int, format: Format = Format.SPANS) -> list[str]:
    return [piece.text for piece in split(parse(markdown), longest=longest, format=format)]


def _covered(piece: Formatted, kind: str) -> list[str]:
    return [piece.text[span.start : span.end] for span in piece.spans if span.kind == kind]


def test_nothing_is_sent_for_what_cannot_be_seen() -> None:
    assert split(parse(" \n\u200b\u2060"), longest=4096) == []


def test_what_fits_is_one_message() -> None:
    assert _texts("one\n\ntwo", 4096) == ["one\n\ntwo"]


def test_a_message_ends_at_the_end_of_a_paragraph() -> None:
    first, second = "a " * 60, "b " * 60
    assert _texts(f"{first}\n\n{second}", 200) == [first.strip(), second.strip()]


def test_a_message_ends_at_the_end_of_a_line_where_there_is_no_paragraph() -> None:
    first, second = "a " * 60, "b " * 60
    assert _texts(f"{first}\n{second}", 200) == [first.strip(), second.strip()]


def test_a_message_ends_after_a_sentence() -> None:
    assert _texts("word " * 30 + "end. " + "more " * 30, 200)[0].endswith("end.")


def test_a_message_ends_after_a_word() -> None:
    for text in _texts("word " * 100, 203):
        assert text.split() == ["word"] * len(text.split())


def test_chinese_ends_after_its_punctuation() -> None:
    texts = _texts("今天天气很好，我们去公园散步。" * 40, 200)
    assert {text[-1] for text in texts} == {"。"}


def test_chinese_without_punctuation_fills_the_message() -> None:
    assert [len(text) for text in _texts("天" * 450, 200)] == [200, 200, 50]


def test_code_that_goes_on_is_code_again_in_its_language() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(60))
    pieces = split(parse(f"```python\n{code}\n```"), longest=300)
    assert len(pieces) > 2
    assert "\n".join(text for piece in pieces for text in _covered(piece, "pre")) == code
    assert {span.value for piece in pieces for span in piece.spans} == {"python"}


def test_code_in_markdown_is_fenced_in_each_message() -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(60))
    texts = _texts(f"```python\n{code}\n```", 300, Format.MARKDOWN)
    assert all(text.startswith("```python\n") and text.endswith("\n```") for text in texts)
    assert "\n".join(text[10:-4] for text in texts) == code


def test_a_table_that_goes_on_has_its_header_again() -> None:
    rows = "\n".join(f"|{number}|x{number}|" for number in range(100))
    texts = _texts(f"|id|name|\n|-|-|\n{rows}", 200)
    assert all(text.startswith("id  name\n--  ----\n") for text in texts)
    assert [line for text in texts for line in text.split("\n")[2:]] == [f"{n:<2}  x{n}" for n in range(100)]


def test_a_row_that_is_shown_as_lines_stays_in_one_message() -> None:
    rows = "\n".join(f"|{number}|{'wide cell ' * 5}|" for number in range(20))
    for text in _texts(f"|id|text|\n|-|-|\n{rows}", 200):
        assert all(row.startswith("id: ") and "\ntext: " in row for row in text.split("\n\n"))


def test_an_item_that_goes_on_is_indented_and_has_no_second_bullet() -> None:
    texts = _texts("- outer\n  - " + "inner words " * 40 + "\n  - next", 200)
    assert texts[0].startswith("• outer\n\u00a0\u00a0• inner")
    assert all(text.startswith("\u00a0\u00a0\u00a0\u00a0") for text in texts[1:])
    assert "".join(texts).count("•") == 3


def test_numbers_go_on_in_the_next_message() -> None:
    texts = _texts("\n".join(f"{number}. item {number}" for number in range(5, 60)), 200)
    numbers = [int(line.split(".")[0]) for text in texts for line in text.split("\n")]
    assert numbers == list(range(5, 60))


def test_a_heading_stays_with_what_follows() -> None:
    texts = _texts("text " * 30 + "\n\n# Heading\n\n" + "more " * 20, 200)
    assert texts[1].startswith("Heading\n\n")


def test_a_link_is_not_broken() -> None:
    for length in range(100, 200):
        pieces = split(parse("x " * (length // 2) + "[a label of some words](https://x.y) and more"), longest=200)
        assert [text for piece in pieces for text in _covered(piece, "link")] == ["a label of some words"]


def test_a_link_longer_than_a_message_is_a_link_in_each() -> None:
    pieces = split(parse("[" + "label " * 100 + "](https://x.y)"), longest=200)
    assert all(_covered(piece, "link") == [piece.text] for piece in pieces)


def test_a_message_has_no_more_spans_than_are_shown() -> None:
    pieces = split(parse(" ".join(f"**b{number}** x" for number in range(250))), longest=4096)
    assert [len(piece.spans) for piece in pieces] == [100, 100, 50]


def test_a_quote_that_goes_on_is_a_quote_again() -> None:
    pieces = split(parse("> " + "quoted " * 60), longest=200)
    assert len(pieces) > 1
    assert all(_covered(piece, "quote") == [piece.text] for piece in pieces)


@pytest.mark.parametrize("character", ["👨‍👩‍👧‍👦", "🇩🇪", "é", "각"])
def test_a_character_is_not_broken(character: str) -> None:
    for longest in range(20, 40):
        for piece in split(parse(character * 50), longest=longest, measure=utf16):
            assert set(iter_graphemes(piece.text)) == {character}
            assert utf16(piece.text) <= longest


def test_a_character_longer_than_a_message_arrives_all_the_same() -> None:
    zalgo = "a" + "\u0301" * 5000
    pieces = split(parse(zalgo), longest=4096, measure=utf16)
    assert "".join(piece.text for piece in pieces) == zalgo


def test_a_change_of_direction_ends_with_its_message() -> None:
    pieces = split(parse("\u202e" + "abc " * 100), longest=200)
    assert pieces[0].text[-1] == "\u202c"
    assert "\u2069" in split(parse("say \u2067hello"), longest=200)[0].text


@pytest.mark.parametrize("text", ["a" * 1_000_000, "天" * 1_000_000, "```\n" + "x" * 1_000_000 + "\n```"])
@pytest.mark.parametrize("format", [Format.SPANS, Format.MARKDOWN])
def test_a_million_characters_without_a_space_take_seconds(text: str, format: Format) -> None:
    started = time.perf_counter()
    pieces = split(parse(text), longest=2000, measure=utf16, format=format)
    assert len(pieces) < 520
    assert time.perf_counter() - started < 10


documents = st.integers(0, 10**9).map(lambda seed: Author(seed).document(8)) | st.text(max_size=400)
limits = st.integers(1, 5000)


@settings(max_examples=50, deadline=None)
@given(documents, limits, st.sampled_from(Format))
def test_every_message_fits(text: str, longest: int, format: Format) -> None:
    for piece in split(parse(text), longest=longest, format=format):
        assert 0 < len(piece.text) <= longest


@settings(max_examples=50, deadline=None)
@given(documents, limits)
def test_all_is_said_once(text: str, longest: int) -> None:
    document = parse(text)
    dialect = Spans() if longest >= CRAMPED else Plain()
    lines = lay_out(document, adapt=dialect.adapt)
    said = together(split(document, longest=longest))
    for head in {line.repeated for line in lines if line.repeated}:
        repeated = visible("".join(line.text for line in head))
        said = said.replace(repeated, "", said.count(repeated) - 1)
    if not any(line.repeated for line in lines):
        assert said == visible("".join(line.marker + line.text for line in lines))
    else:
        assert len(said) <= len(visible("".join(line.marker + line.text for line in lines)))


@settings(max_examples=50, deadline=None)
@given(documents, st.integers(2, 5000))
def test_rules_of_entities_are_kept(text: str, longest: int) -> None:
    for piece in split(parse(text), longest=longest, measure=utf16):
        assert violations(piece.text, piece.spans) == []
        assert utf16(piece.text) <= longest


@settings(max_examples=40, deadline=None)
@given(documents, st.integers(CRAMPED, 5000))
def test_fences_are_closed_in_every_message(text: str, longest: int) -> None:
    for piece in split(parse(text), longest=longest, format=Format.MARKDOWN):
        assert piece.text.count("```") % 2 == 0


@settings(max_examples=40, deadline=None)
@given(st.text("ae\u0301\u200d👨👩🇩🇪각 \n", max_size=300), st.integers(20, 200))
def test_characters_are_whole_in_every_message(text: str, longest: int) -> None:
    document = parse(text)
    whole = {char for line in lay_out(document) for char in iter_graphemes(line.text)}
    if all(utf16(char) <= longest for char in whole):
        for piece in split(document, longest=longest, measure=utf16):
            assert set(iter_graphemes(piece.text)) <= whole | {"\n", " "}
