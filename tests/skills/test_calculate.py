"""`/calc` in a conversation: no model is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.texts import Texts
from tests.channels.memory import MemoryAdapter, talking


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("/calc 2 * 3 * 4", "24"),
        ("/calc", Texts("en").get("arithmetic.nothing")[:20]),
        ("/calc 1/0", Texts("en").get("arithmetic.divided_by_zero")),
        ("/calc two apples", "two apples"),
    ],
)
async def test_it_says_what_a_sum_comes_to_or_why_it_does_not(command: str, answer: str, home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said(command)])
        await adapter.until(answer)


def test_programs_read_what_was_worked_out(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from bot.cli import main

    assert main(["chat", "--json", "/calc 15% of 80"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["act"] == {"name": "calculate", "slots": {"sum": "15% of 80", "result": "12"}}
