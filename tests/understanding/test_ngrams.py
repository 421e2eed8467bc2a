"""Runs of characters and words as vectors."""

from __future__ import annotations

import numpy as np

from bot.understanding.ngrams import Ngrams

TEXTS = ["open the door", "close the door", "打开门"]


def test_each_block_has_length_one() -> None:
    ngrams = Ngrams.learn(TEXTS)
    lengths = np.sqrt(ngrams.matrix(TEXTS).power(2).sum(axis=1))
    assert np.allclose(lengths, np.sqrt(2))


def test_what_is_rare_counts_more() -> None:
    ngrams = Ngrams.learn(TEXTS)
    weight = dict(zip(ngrams.names, ngrams.rarity, strict=True))
    assert weight["\nopen"] > weight["\ndoor"]


def test_case_and_width_make_no_difference() -> None:
    ngrams = Ngrams.learn(TEXTS)
    (columns, values), (same_columns, same_values) = ngrams.vector("open the door"), ngrams.vector("ＯＰＥＮ The Door")
    assert columns.tolist() == same_columns.tolist()
    assert values.tolist() == same_values.tolist()


def test_a_chinese_character_is_a_word() -> None:
    assert {"\n门", "\n打 开"} <= set(Ngrams.learn(TEXTS).names)


def test_what_was_never_seen_gives_an_empty_vector() -> None:
    columns, values = Ngrams.learn(TEXTS).vector("😀")
    assert len(columns) == len(values) == 0
