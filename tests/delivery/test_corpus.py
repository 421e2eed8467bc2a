"""Five hundred documents, split and rendered: no rule of the platforms is broken, and nothing is lost."""

from __future__ import annotations

import re
import time

import pytest

from bot.channel import Format
from bot.delivery.layout import lay_out
from bot.delivery.markdown import Markdown, render_markdown
from bot.delivery.markup import Document, parse
from bot.delivery.rendering import Plain, Spans, render_spans
from bot.delivery.splitting import split
from tests.delivery.corpus import Author, documents
from tests.delivery.entity_rules import violations
from tests.delivery.reading import together, unrepeated, utf16, without_table_heads

TEXTS = documents()
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture(scope="module")
def parsed() -> list[Document]:
    return [parse(text) for text in TEXTS]


def test_there_are_five_hundred_different_documents() -> None:
    assert len(set(TEXTS)) == 500


def test_messages_of_every_document_keep_the_rules_of_entities(parsed: list[Document]) -> None:
    for document in parsed:
        for piece in split(document, longest=4096, measure=utf16):
            assert violations(piece.text, piece.spans) == []
            assert utf16(piece.text) <= 4096


def test_short_messages_of_every_document_keep_the_rules_of_entities(parsed: list[Document]) -> None:
    for document in parsed[::3]:
        for piece in split(document, longest=200, measure=utf16):
            assert violations(piece.text, piece.spans) == []
            assert utf16(piece.text) <= 200


@pytest.mark.parametrize("longest", [4096, 300, 40])
def test_messages_of_every_document_say_all_of_it(parsed: list[Document], longest: int) -> None:
    for document in parsed if longest == 4096 else parsed[::4]:
        dialect = Spans() if longest >= 128 else Plain()
        lines = lay_out(document, adapt=dialect.adapt)
        said = together(split(document, longest=longest, measure=utf16))
        assert without_table_heads(said, lines) == without_table_heads(unrepeated(lines), lines)


def test_a_whole_rendering_keeps_the_rules_but_for_the_number_of_spans(parsed: list[Document]) -> None:
    for document in parsed:
        formatted = render_spans(document)
        faults = violations(formatted.text, formatted.spans[:100]) if not document.is_empty else []
        assert faults == []


def test_markdown_of_every_document_fits_and_closes_its_fences(parsed: list[Document]) -> None:
    for document in parsed:
        for piece in split(document, longest=2000, format=Format.MARKDOWN):
            assert len(piece.text) <= 2000
            assert piece.text.count("```") % 2 == 0
            assert piece.spans == ()


def test_markdown_in_one_message_is_the_whole_rendering(parsed: list[Document]) -> None:
    for document in parsed[25::5]:
        whole = render_markdown(document)
        pieces = split(document, longest=1_000_000, format=Format.MARKDOWN)
        assert [piece.text for piece in pieces] == ([whole] if whole else [])


def test_every_beginning_of_a_document_can_be_shown() -> None:
    for text in TEXTS[25:500:9]:
        for end in range(0, len(text), max(1, len(text) // 12)):
            for piece in split(parse(text[:end], partial=True), longest=4096, measure=utf16):
                assert violations(piece.text, piece.spans) == []


def test_no_lone_surrogate_or_control_character_is_ever_sent(parsed: list[Document]) -> None:
    for document in parsed[::2]:
        for format in Format:
            for piece in split(document, longest=4000, format=format):
                piece.text.encode()
                assert CONTROLS.search(piece.text) is None


def test_twenty_thousand_characters_take_a_moment() -> None:
    text = Author(1).long(20_000)
    best = 10.0
    for _ in range(3):
        started = time.perf_counter()
        split(parse(text), longest=4096, measure=utf16)
        best = min(best, time.perf_counter() - started)
    assert best < 0.5


def test_markdown_writes_what_lines_say(parsed: list[Document]) -> None:
    for document in parsed[25::5]:
        lines = lay_out(document, adapt=Markdown().adapt)
        code = [line for line in lines if line.code and "```" not in line.text]
        source = render_markdown(document)
        assert all(line.text in source for line in code)
