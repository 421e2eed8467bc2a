"""Standing prompts are found, and read again when somebody has edited them."""

from __future__ import annotations

from pathlib import Path

from bot.skills.personas import REREAD_SECONDS, Personas


def test_a_prompt_that_is_edited_is_read_again_soon(tmp_path: Path) -> None:
    now = 0.0
    personas = Personas(tmp_path, seconds=lambda: now)
    file = tmp_path / "pirate.md"
    file.write_text("You are a pirate.", encoding="utf-8")
    assert personas.prompt("pirate", "en") == "You are a pirate."
    file.write_text("You are a captain.", encoding="utf-8")
    now = REREAD_SECONDS
    assert personas.prompt("pirate", "en") == "You are a captain."


def test_each_language_has_a_prompt_of_its_own(tmp_path: Path) -> None:
    personas = Personas(tmp_path)
    (tmp_path / "pirate.md").write_text("Arr", encoding="utf-8")
    (tmp_path / "pirate.zh.md").write_text("啊", encoding="utf-8")
    assert [personas.prompt("pirate", language) for language in ("en", "zh", "en")] == ["Arr", "啊", "Arr"]
