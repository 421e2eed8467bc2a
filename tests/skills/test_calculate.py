"""`/calc` in a conversation: no model is asked."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from bot.skills.arithmetic.units import registry
from bot.texts import Texts
from tests.channels.memory import MemoryAdapter, talking


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("/calc 2 * 3 * 4", "24"),
        ("/calc", Texts("en").get("arithmetic.nothing")[:20]),
        ("/calc 1/0", Texts("en").get("arithmetic.divided_by_zero")),
        ("/calc two apples", "I cannot read apples as a sum"),
        ("/calc 5公里等于多少英里?", "5公里等于多少英里 ≈ 3.10686 mi"),
        ("/calc 10000000 km in miles", "≈ 6,213,712 mi"),
        ("/calc 2 litres in ml", "2000 ml"),
    ],
)
async def test_it_says_what_a_sum_comes_to_or_why_it_does_not(command: str, answer: str, home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said(command)])
        await adapter.until(answer)


def test_units_are_loaded_without_a_word_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    fresh = registry.__wrapped__()
    assert fresh.parse_units("litres") == fresh.parse_units("liter")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_programs_read_what_was_worked_out(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from bot.cli import main

    assert main(["chat", "--json", "/calc 15% of 80"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["act"] == {"name": "calculate", "slots": {"sum": "15% of 80", "result": "12"}}


def test_a_pipe_gets_an_answer_without_markup(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from bot.cli import main

    assert main(["chat", "/calc 15% of 80"]) == 0
    assert capfd.readouterr().out == "15% of 80 = 12\n"
    assert main(["chat", "/help calc"]) == 0
    assert "`" not in capfd.readouterr().out
