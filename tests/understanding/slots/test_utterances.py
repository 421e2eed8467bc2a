"""Phrases of time, quantity and names, in English and Chinese, mean what the tables say."""

from __future__ import annotations

import time

import pytest

from bot.understanding.slots.extract import extract
from bot.understanding.slots.values import SlotKind
from tests.understanding.slots.table import NOW, ZONE, Line, found, lines


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: f"{line.language}-{line.number}-{line.text[:40]}")
def test_a_phrase_means_what_the_table_says(line: Line) -> None:
    value, rest = found(line)
    assert value == line.value
    assert line.rest in (None, rest)


def test_the_tables_are_as_large_as_they_should_be() -> None:
    count = {language: sum(line.language == language for line in lines()) for language in ("en", "zh")}
    assert count["en"] >= 250
    assert count["zh"] >= 150


def test_a_message_is_read_within_two_milliseconds() -> None:
    wanted = [SlotKind.RECURRENCE, SlotKind.DATETIME, SlotKind.TEXT]
    texts = [line.text for line in lines()]
    for text in texts:
        extract(text, wanted, now=NOW, zone=ZONE)  # what is made once
    spent = []
    for text in texts:
        begun = time.process_time()
        extract(text, wanted, now=NOW, zone=ZONE)
        spent.append(time.process_time() - begun)
    assert sorted(spent)[int(len(spent) * 0.95)] < 0.002
