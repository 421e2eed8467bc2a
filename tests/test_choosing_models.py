"""Choosing a model in a conversation: who may choose what, and that the choice goes on holding."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import App, open_app
from bot.config import load
from bot.types import Address, Message, Person, TextDelta
from tests.generation.gguf_files import write_gguf

HERE = Address("test", "1")
ANN = Person("ann", "Ann")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEFAULT = "smollm2-135m-instruct"


@pytest.fixture
async def app(home: Path, default_model: Path) -> AsyncIterator[App]:
    """Everything over the real models folder, with the default model; nothing is loaded."""
    (home / "models").mkdir(parents=True)
    (home / "models" / default_model.name).symlink_to(default_model)
    async with open_app(load(), warm=False) as app:
        yield app


async def say(app: App, text: str, *, owner: bool) -> str:
    """All that is answered."""
    message = Message(HERE, ANN, text, NOON, is_from_owner=owner)
    return "".join([event.text async for event in app.engine.respond(message) if isinstance(event, TextDelta)])


async def chosen(app: App) -> str:
    """What the conversation keeps."""
    return (await app.engine.current_conversation(HERE)).model


@pytest.mark.parametrize("place", ["/etc/passwd", "/etc", "/nowhere/at/all", "~", "../x.gguf", "http://127.0.0.1:1"])
async def test_nobody_but_an_owner_learns_what_lies_on_the_disk(app: App, place: str) -> None:
    refusal = f"You can choose among these: {', '.join(f'`{name}`' for name in app.models.names())}."
    assert (await say(app, f"/model {place}", owner=False)).startswith(refusal)
    assert await chosen(app) == ""


async def test_anybody_may_choose_what_is_installed(app: App) -> None:
    assert f"`{DEFAULT}`" in await say(app, f"/model {DEFAULT.upper()}", owner=False)
    assert await chosen(app) == DEFAULT


@pytest.mark.parametrize("way", [str, lambda path: path.name], ids=["whole", "relative"])
async def test_an_owners_path_is_kept_whole_and_told_short(
    app: App, tmp_path: Path, way: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gguf(tmp_path / "mine.gguf")
    assert await say(app, f"/model {way(path)}", owner=True) == "This conversation now uses `mine`."
    assert await chosen(app) == str(path)
    monkeypatch.chdir("/")
    assert app.models.check(await chosen(app)) == str(path)
    assert "uses `mine`" in await say(app, "/model", owner=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "HTTPS://example.org/a.gguf"])
async def test_a_server_is_no_choice_of_a_conversation(app: App, url: str) -> None:
    assert f"parley models use {url}" in await say(app, f"/model {url}", owner=True)
    assert await chosen(app) == ""


@pytest.mark.parametrize("name", ["~nobody-of-that-name/x", "x" * 300])
async def test_a_path_that_the_system_refuses_is_told(app: App, name: str) -> None:
    assert "cannot be read" in await say(app, f"/model {name}", owner=True)


async def test_an_answer_is_not_repeated_with_a_model_that_may_not_be_chosen(home: Path) -> None:
    home.mkdir()
    (home / "parley.toml").write_text('[model]\ngenerator = "echo"\n', encoding="utf-8")
    async with open_app(load(), warm=False) as app:
        assert await say(app, "hello", owner=False) == "hello"
        assert "hello" not in await say(app, "/retry /etc/passwd", owner=False)
        assert await chosen(app) == ""
        assert await say(app, f"/retry {DEFAULT}", owner=False) == "hello"
