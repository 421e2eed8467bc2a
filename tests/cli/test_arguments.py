"""What the program says of its arguments, in the person's language."""

from __future__ import annotations

import argparse
import inspect
import re

import pytest

from bot.cli.parsing import SENTENCES
from tests.cli.program import parley

CHINESE = {"LANG": "zh_CN.UTF-8"}
ENGLISH_SENTENCE = re.compile(r"\b(usage|arguments?|options|show|error|expected|required|invalid|choose)\b(?!=)")


def told(*arguments: str) -> tuple[int, str]:
    done = parley(*arguments, variables=CHINESE)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


@pytest.mark.parametrize("command", ["", "chat", "run", "init", "doctor", "models", "pair", "people", "db"])
def test_help_is_chinese_throughout(command: str) -> None:
    status, text = told(*filter(None, (command, "--help")))
    assert status == 0
    assert text.startswith("用法：parley") and "显示这份帮助并退出" in text
    assert not ENGLISH_SENTENCE.search(text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("chat", "--nonsense"), "parley：错误：无法识别的参数：--nonsense"),
        (("chat", "--tz"), "parley chat：错误：参数 --tz：需要一个值"),
        (("chat", "--new", "--continue"), "参数 --continue：不能与参数 --new 同时使用"),
        (("chat", "--json=yes"), "参数 --json：不接受值 'yes'"),
        (("people", "love"), "无效的选择 'love'"),
        (("models", "use"), "缺少必需的参数："),
    ],
)
def test_what_is_wrong_with_arguments_is_told_in_chinese(arguments: tuple[str, ...], sentence: str) -> None:
    status, text = told(*arguments)
    assert status == 2
    assert sentence in text
    assert not ENGLISH_SENTENCE.search(text)


def test_every_sentence_is_one_that_argparse_says() -> None:
    said = inspect.getsource(argparse)
    assert [sentence for sentence in SENTENCES if repr(sentence) not in said and f'"{sentence}"' not in said] == []
