"""The real encoder, and a classifier that was trained on the examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import home_folder
from bot.understanding.classifier import Classifier
from bot.understanding.encoder import SentenceEncoder, has_encoder
from bot.understanding.training import train
from tests.understanding.examples import EXAMPLES, labelled

_MODELS = home_folder() / "models"


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """Where the real encoder lies, as `make` installs it."""
    if not has_encoder(_MODELS):
        pytest.fail(f"the encoder is not in {_MODELS}: run `make model`")
    return _MODELS


@pytest.fixture(scope="session")
def encoder(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    """The real encoder, its graph written afresh."""
    return SentenceEncoder.open(models_folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def classifier(encoder: SentenceEncoder) -> Classifier:
    """What training makes of the examples."""
    return train(labelled(EXAMPLES), encoder)
