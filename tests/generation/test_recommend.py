"""What is recommended fits the machine, is fast enough to talk with, and speaks the language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.generation.catalog import DEFAULT_MODEL, load_catalogue
from bot.generation.hardware import Gpu, Machine
from bot.generation.recommend import Fit, Recommendation, recommend
from bot.texts import LANGUAGES, Texts

GB = 10**9
SMALL = Machine(cpu_cores=2, memory_total_bytes=8 * GB, memory_available_bytes=6 * GB, disk_free_bytes=50 * GB)
STRONG = replace(SMALL, cpu_cores=32, memory_total_bytes=64 * GB, memory_available_bytes=60 * GB)


def ranked(machine: Machine, language: str = "en", *, gpu_runs_gguf: bool = True) -> dict[str, Recommendation]:
    """The judgements by name, best first."""
    judged = recommend(machine, load_catalogue().entries.values(), language, gpu_runs_gguf=gpu_runs_gguf)
    return {judgement.entry.name: judgement for judgement in judged}


def test_the_default_model_is_estimated_as_it_was_measured() -> None:
    assert ranked(SMALL)[DEFAULT_MODEL].tokens_per_second == pytest.approx(133, rel=0.05)


def test_two_cores_get_a_model_that_they_can_run_at_reading_speed() -> None:
    best = next(iter(ranked(SMALL).values()))
    assert best.fit is Fit.GOOD
    assert best.tokens_per_second >= 8
    assert ranked(SMALL)["qwen3-8b"].fit is not Fit.GOOD


def test_more_cores_get_a_better_model() -> None:
    assert next(iter(ranked(STRONG).values())).entry.quality > next(iter(ranked(SMALL).values())).entry.quality


def test_what_does_not_fit_the_memory_comes_last() -> None:
    tight = replace(SMALL, memory_available_bytes=GB // 2)
    judged = list(ranked(tight).values())
    assert judged[0].entry.name == DEFAULT_MODEL
    assert judged[-1].fit is Fit.TOO_LARGE


def test_a_graphics_card_gets_the_best_model_only_if_llama_cpp_can_use_it() -> None:
    card = replace(SMALL, gpus=(Gpu("card", 24 * GB, 23 * GB),))
    assert next(iter(ranked(card))) == "qwen3-8b"
    assert next(iter(ranked(card, gpu_runs_gguf=False))) == next(iter(ranked(SMALL)))


def test_chinese_gets_models_that_speak_it() -> None:
    judged = ranked(SMALL, "zh")
    assert "zh" in next(iter(judged.values())).entry.languages
    assert judged[DEFAULT_MODEL].fit is Fit.FOREIGN


def test_embedding_models_are_not_recommended() -> None:
    assert "all-minilm-l6-v2" not in ranked(SMALL)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fit", list(Fit))
def test_every_judgement_is_told_with_figures(language: str, fit: Fit) -> None:
    tight = replace(SMALL, memory_available_bytes=5 * GB)
    judged = [*ranked(tight, language).values(), *ranked(tight, "zh").values()]
    why = next(judgement for judgement in judged if judgement.fit is fit).why(Texts(language))
    assert "{" not in why
    assert fit is Fit.FOREIGN or any(sign.isdigit() for sign in why)
