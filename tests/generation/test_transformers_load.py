"""What cannot be loaded is refused with a sentence that says what is wrong and what to do."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import ModelError
from bot.generation.model import GeneratorSettings, ModelFormat, ResolvedModel
from bot.generation.transformers import TransformersGenerator
from bot.generation.transformers_batching import BatchedRunner
from bot.generation.transformers_load import choose_device, choose_dtype
from bot.texts import Texts
from tests.generation.tiny_models import make_model, resolved

SETTINGS = GeneratorSettings(context_length=256, threads=1, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with nothing wrong."""
    return make_model(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


async def refusal(model: ResolvedModel, settings: GeneratorSettings = SETTINGS) -> str:
    """The sentence with which a model is refused."""
    with pytest.raises(ModelError) as caught:
        async with TransformersGenerator(model, settings):
            pass
    assert caught.value.told(Texts("zh")) != str(caught.value)
    return str(caught.value)


def cut(file: str, size: int) -> Callable[[Path], None]:
    def break_folder(folder: Path) -> None:
        (folder / file).write_bytes((folder / file).read_bytes()[:size])

    return break_folder


def remove(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def write(file: str, text: str) -> Callable[[Path], None]:
    def break_folder(folder: Path) -> None:
        (folder / file).write_text(text, encoding="utf-8")

    return break_folder


INDEX = json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}})


@pytest.mark.parametrize(
    ("break_folder", "sentence"),
    [
        (remove("config.json"), "it has no config.json"),
        (remove("model.safetensors"), "but no weights"),
        (cut("model.safetensors", 100_000), "is cut short: it has 100 kB of"),
        (cut("model.safetensors", 40), "is cut short: it has 40 B of"),
        (cut("model.safetensors", 3), "is not a safetensors file"),
        (write("model.safetensors", "<html>404 Not Found, or so</html>"), "is not a safetensors file"),
        (write("model.safetensors.index.json", INDEX), "model-00002-of-00002.safetensors is missing"),
        (write("model.safetensors.index.json", "{"), "cannot be read as JSON"),
        (write("config.json", "{"), "could not be loaded from"),
        (write("config.json", '{"model_type": "nobody-knows"}'), "could not be loaded from"),
        (remove("tokenizer.json"), "could not be loaded from"),
        (remove("chat_template.jinja"), "has no chat template"),
    ],
)
async def test_a_broken_folder_is_refused(break_folder: Callable[[Path], None], sentence: str, folder: Path) -> None:
    break_folder(folder)

    assert sentence in await refusal(resolved(folder))


async def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["num_hidden_layers"] = 3
    config.pop("layer_types", None)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    assert "lack 9 parts of tiny" in await refusal(resolved(folder))


async def test_a_place_without_anything_is_refused(tmp_path: Path) -> None:
    assert f"There is nothing at {tmp_path / 'gone'}" in await refusal(resolved(tmp_path / "gone"))


async def test_a_name_that_only_a_hub_could_know_is_refused_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = ResolvedModel("far", ModelFormat.SAFETENSORS, "nobody/far-away")

    assert "far could not be loaded from nobody/far-away" in await refusal(model)


async def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"<html>404 Not Found</html>")

    assert "could not be loaded from" in await refusal(ResolvedModel("tiny", ModelFormat.GGUF, str(file)))


async def test_a_model_over_the_memory_limit_is_refused_before_its_weights_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("the weights were read")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", read)

    sentence = await refusal(resolved(folder), replace(SETTINGS, memory_limit_bytes=10_000_000))

    assert "MB" in sentence
    assert "10 MB" in sentence


async def test_a_model_larger_than_the_free_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.generation.transformers_load.memory_bytes", lambda: (64_000_000, 32_000_000))

    assert "32 MB" in await refusal(resolved(folder))


def shrink_memory(monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    """Let the library see that much memory."""
    import torch

    monkeypatch.setattr(
        "transformers.generation.continuous_batching.cache.get_device_and_memory_breakdown",
        lambda: (torch.device("cpu"), size_bytes, 0, 0),
    )


async def test_a_window_that_does_not_fit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_memory(monkeypatch, 1_000_000)

    assert "but not the 256 tokens" in await refusal(resolved(folder))


async def test_finished_conversations_keep_no_cache_where_memory_is_short(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shrink_memory(monkeypatch, 60_000_000)

    async with TransformersGenerator(resolved(folder), SETTINGS) as generator:
        assert isinstance(generator.runner, BatchedRunner)
    assert "no room to keep the KV cache of finished conversations" in caplog.text


async def test_a_weights_file_stands_for_its_folder(folder: Path) -> None:
    async with TransformersGenerator(resolved(folder / "model.safetensors"), SETTINGS) as generator:
        assert generator.context_length == 256


@pytest.mark.parametrize("package", ["torch", "transformers"])
async def test_a_package_that_is_not_installed_is_named(
    package: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    assert '.venv/bin/pip install -e ".[transformers]"' in await refusal(resolved(folder))


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
async def test_a_device_that_is_not_there_is_refused(device: str, folder: Path) -> None:
    assert f"The device `{device}` cannot be used" in await refusal(resolved(folder), replace(SETTINGS, device=device))


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [({"avx2": True}, "float32"), ({"avx512_bf16": True}, "bfloat16"), ({"bf16": True}, "bfloat16")],
)
def test_a_cpu_gets_bfloat16_only_where_it_calculates_with_it(
    capabilities: dict[str, bool], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: capabilities)

    assert choose_dtype("auto", choose_device("cpu")) is getattr(torch, dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
async def test_a_type_that_is_named_is_taken_and_batched(dtype: str, folder: Path) -> None:
    async with TransformersGenerator(resolved(folder), replace(SETTINGS, dtype=dtype)) as generator:
        assert isinstance(generator.runner, BatchedRunner)
        assert str(generator.loaded.causal.dtype) == f"torch.{dtype}"


async def test_a_context_beyond_the_trained_one_is_cut(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with TransformersGenerator(resolved(folder), replace(SETTINGS, context_length=100_000)) as generator:
        assert generator.context_length == 512
    assert "tiny was trained for 512 tokens" in caplog.text


async def test_the_event_loop_runs_on_while_a_model_is_loaded(folder: Path) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async with TransformersGenerator(resolved(folder), SETTINGS):
        counting.cancel()
    assert turns > 100
