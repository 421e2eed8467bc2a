"""A reference is resolved to the model it names, quickly, or refused with what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import ModelError
from bot.generation.catalog import DEFAULT_MODEL
from bot.generation.model import ModelFormat, ResolvedModel
from bot.generation.resolve import choose_generator, resolve
from tests.generation.gguf_files import write_gguf

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """An empty models folder."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _no_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


def make_safetensors(folder: Path) -> Path:
    """A folder that looks like a saved model."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(bytes(100))
    return folder


def _refusal(reference: str, models: Path, **options: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        resolve(reference, models_folder=models, **options)
    return caught.value


def test_an_installed_model_of_the_catalogue_is_found(models: Path, default_model: Path) -> None:
    (models / FILE).symlink_to(default_model)
    expected = ResolvedModel(DEFAULT_MODEL, ModelFormat.GGUF, str(models / FILE), 98_362_432, 8192)
    assert resolve(DEFAULT_MODEL, models_folder=models) == expected
    assert resolve(DEFAULT_MODEL.upper(), models_folder=models) == expected


def test_a_model_that_is_not_installed_names_the_command(models: Path) -> None:
    assert f"parley models add {DEFAULT_MODEL}" in str(_refusal(DEFAULT_MODEL, models))
    assert "parley models add some/thing:Q4_0" in str(_refusal("some/thing:Q4_0", models))
    url = "https://example.org/a.gguf"
    assert f"parley models add {url}" in str(_refusal(url, models))


def test_half_a_model_of_the_catalogue_is_refused(models: Path) -> None:
    write_gguf(models / FILE)
    assert _refusal(DEFAULT_MODEL, models).key == "models.gguf_cut"


def test_an_unknown_name_brings_the_nearest(models: Path) -> None:
    error = _refusal("smollm2-135m", models)
    assert error.key == "models.unknown_near"
    assert DEFAULT_MODEL in str(error)


@pytest.mark.parametrize("name", ["foo", "b", "gpt-4o", "zzzzzz"])
def test_where_no_name_is_near_only_the_list_is_named(models: Path, name: str) -> None:
    told = str(_refusal(name, models))
    assert told.startswith(f"There is no model `{name}`. `parley models list` shows all")
    assert DEFAULT_MODEL not in told


def test_the_embedding_model_is_not_for_talking(models: Path) -> None:
    assert _refusal("all-minilm-l6-v2", models).key == "models.not_for_chat"


def test_a_gguf_file_is_found_by_path(models: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    expected = ResolvedModel("tiny", ModelFormat.GGUF, str(path), path.stat().st_size, 512)
    assert resolve(str(path), models_folder=models) == expected
    assert resolve("./tiny.gguf", models_folder=models).name == "tiny"


def test_a_file_that_is_no_gguf_or_half_of_one_is_refused(models: Path, tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "tiny.gguf").read_bytes()
    for content, key in ((b"text", "models.not_gguf"), (whole[:-9], "models.gguf_cut")):
        (tmp_path / "bad.gguf").write_bytes(content)
        assert _refusal(str(tmp_path / "bad.gguf"), models).key == key


def test_a_path_where_nothing_is_is_refused(models: Path) -> None:
    for reference in ("./none", "/none/at/all", "none.gguf", "~/none"):
        assert _refusal(reference, models).key == "models.file_missing"


def test_a_folder_of_safetensors_is_found(models: Path, tmp_path: Path) -> None:
    folder = make_safetensors(tmp_path / "mine")
    assert resolve(str(folder), models_folder=models) == ResolvedModel(
        "mine", ModelFormat.SAFETENSORS, str(folder), 100
    )


def test_a_folder_without_weights_is_refused(models: Path, tmp_path: Path) -> None:
    assert _refusal(str(tmp_path), models).key == "models.no_weights"


def test_an_installed_file_is_found_by_its_name(models: Path) -> None:
    write_gguf(models / "tiny.gguf")
    for reference in ("tiny", "tiny.gguf", "https://example.org/path/tiny.gguf?download=true"):
        assert resolve(reference, models_folder=models).location == str(models / "tiny.gguf")


def test_an_installed_repository_is_found_by_its_hub_id(models: Path) -> None:
    make_safetensors(models / "org--name")
    write_gguf(models / "org--name" / "name-Q4_0.gguf")
    write_gguf(models / "org--name" / "name-Q8_0.gguf")
    assert resolve("org/name", models_folder=models).format is ModelFormat.SAFETENSORS
    assert resolve("org/name:q8_0", models_folder=models).location.endswith("name-Q8_0.gguf")
    assert resolve("org/name/name-Q4_0.gguf", models_folder=models).location.endswith("name-Q4_0.gguf")
    assert _refusal("org/name:Q2_K", models).key == "models.not_installed"


def test_what_the_hubs_own_cache_holds_is_found(models: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hf" / "hub" / "models--org--cached"
    make_safetensors(repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc", encoding="utf-8")
    found = resolve("org/cached", models_folder=models)
    assert found == ResolvedModel("org/cached", ModelFormat.SAFETENSORS, str(repository / "snapshots" / "abc"), 100)


def test_a_servers_url_is_a_server(models: Path) -> None:
    found = resolve("http://localhost:8000/v1/", models_folder=models)
    assert found == ResolvedModel("", ModelFormat.SERVER, "http://localhost:8000/v1")


def test_with_a_base_url_the_reference_is_the_servers_name(models: Path) -> None:
    found = resolve("qwen3:4b", models_folder=models, base_url="http://host/v1/")
    assert found == ResolvedModel("qwen3:4b", ModelFormat.SERVER, "http://host/v1")


def test_a_generator_that_runs_here_never_means_a_server(models: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    found = resolve(str(path), models_folder=models, generator="llamacpp", base_url="http://host/v1")
    assert found.format is ModelFormat.GGUF


def test_the_echo_generator_needs_no_model(models: Path) -> None:
    assert resolve("whatever", models_folder=models, generator="echo").format is ModelFormat.ECHO


def test_a_plugins_generator_is_given_what_it_alone_understands(models: Path) -> None:
    found = resolve("plugin-model", models_folder=models, generator="plugin")
    assert (found.name, found.format) == ("plugin-model", ModelFormat.SERVER)


@pytest.mark.parametrize(
    ("model_format", "kind"),
    [
        (ModelFormat.GGUF, "llamacpp"),
        (ModelFormat.SAFETENSORS, "transformers"),
        (ModelFormat.SERVER, "openai"),
        (ModelFormat.ECHO, "echo"),
    ],
)
def test_the_generator_is_chosen_by_the_format(model_format: ModelFormat, kind: str) -> None:
    assert choose_generator(ResolvedModel("m", model_format, ""), "auto").kind == kind


def test_a_configured_generator_is_taken_where_it_fits() -> None:
    gguf = ResolvedModel("m", ModelFormat.GGUF, "")
    assert choose_generator(gguf, "transformers").kind == "transformers"
    assert choose_generator(gguf, "plugin").kind == "plugin"


def test_a_configured_generator_that_cannot_run_it_is_refused() -> None:
    for model_format, generator in ((ModelFormat.GGUF, "openai"), (ModelFormat.SAFETENSORS, "llamacpp")):
        with pytest.raises(ModelError) as caught:
            choose_generator(ResolvedModel("m", model_format, ""), generator)
        assert generator in str(caught.value)


def test_resolving_imports_nothing_heavy() -> None:
    """It stands at the start of every run."""
    heavy = "{'pydantic', 'httpx', 'huggingface_hub', 'torch', 'rich', 'psutil', 'numpy', 'sqlalchemy'}"
    code = f"import sys, bot.generation.resolve; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
