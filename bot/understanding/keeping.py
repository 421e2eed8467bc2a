"""Keeps trained classifiers in the data folder, each under the hash of what it was trained on and how."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from bot.folders import make_private_folder
from bot.understanding.classifier import Calibration, Classifier, Fusion, Meaning, Parts, Wording
from bot.understanding.encoder import FORM
from bot.understanding.heads import Array
from bot.understanding.ngrams import Ngrams
from bot.understanding.scope import Landscape, Scale
from bot.understanding.training import Labelled

METHOD = 2
"""Counts the changes of the training; what an older one made is trained again."""
KEPT = 3
"""Classifiers that stay; older ones make room."""


def content_key(examples: Labelled) -> str:
    """Changes with every example, and with the way of training."""
    content = json.dumps([FORM, METHOD, sorted(zip(examples.texts, examples.labels, strict=True))])
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def load_classifier(folder: Path, examples: Labelled) -> Classifier | None:
    """The kept classifier of these examples; None where there is none that can be read."""
    path = _path(folder, examples)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = _classifier({name: archive[name] for name in archive.files})
        path.touch()
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return found


def keep_classifier(folder: Path, examples: Labelled, classifier: Classifier) -> None:
    """Keep it, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    make_private_folder(folder)
    path = _path(folder, examples)
    draft = path.with_suffix(f".{os.getpid()}.part")
    with draft.open("wb") as file:
        np.savez(file, allow_pickle=False, **_arrays(classifier))
    draft.replace(path)
    kept = sorted(folder.glob("intents-*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in kept[KEPT:]:
        old.unlink(missing_ok=True)


def _path(folder: Path, examples: Labelled) -> Path:
    return folder / f"intents-{content_key(examples)}.npz"


def _arrays(classifier: Classifier) -> dict[str, Array]:
    parts, chosen = classifier.parts, classifier.calibration
    arrays = {f"landscape.{part.name}": getattr(parts.landscape, part.name) for part in fields(Landscape)}
    arrays |= {f"meaning.{part.name}": getattr(parts.meaning, part.name) for part in fields(Meaning)}
    return arrays | {
        "intents": _packed(classifier.intents),
        "examples": _packed(classifier.examples),
        "token_rarity": classifier.rarity,
        "names": _packed(parts.wording.ngrams.names),
        "rarity": parts.wording.ngrams.rarity,
        "wording": parts.wording.weights,
        "calibration": np.array([*astuple(chosen.fusion), chosen.threshold]),
        "centres": chosen.scale.centres,
        "spreads": chosen.scale.spreads,
    }


def _classifier(arrays: Mapping[str, Array]) -> Classifier:
    weight, is_standardized, sharpness, threshold = (float(value) for value in arrays["calibration"])
    fusion = Fusion(weight, bool(is_standardized), sharpness)
    parts = Parts(
        meaning=Meaning(**{part.name: arrays[f"meaning.{part.name}"] for part in fields(Meaning)}),
        wording=Wording(Ngrams(_unpacked(arrays["names"]), arrays["rarity"]), arrays["wording"]),
        landscape=Landscape(**{part.name: arrays[f"landscape.{part.name}"] for part in fields(Landscape)}),
    )
    calibration = Calibration(fusion, Scale(arrays["centres"], arrays["spreads"]), threshold)
    named = _unpacked(arrays["intents"]), _unpacked(arrays["examples"])
    return Classifier(*named, arrays["token_rarity"], parts, calibration)


def _packed(texts: tuple[str, ...]) -> Array:
    """Texts as bytes: NumPy's own arrays of texts take the length of the longest for each."""
    return np.frombuffer(json.dumps(texts).encode(), np.uint8)


def _unpacked(packed: Array) -> tuple[str, ...]:
    return tuple(json.loads(packed.tobytes()))
