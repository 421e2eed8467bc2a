"""How well and how fast memory finds what was said: `python -m benchmarks.recall FILE --json`.

FILE is in the form of LoCoMo (Maharana et al. 2024, https://arxiv.org/abs/2402.17753): conversations over months, with
questions and the turns that hold the evidence. They are said into a database of their own as two people would say them
in a group, read and embedded by the program's own parts, and each question is asked as the program would ask it.
Without FILE, or with `--turns`, it measures how long a question takes among that many made-up turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import report
from bot.config import load
from bot.memory.index import WIDTH, Embedder, Floats
from bot.memory.indexing import Indexer
from bot.memory.recall import Recall
from bot.types import Address, Person, Role, TurnDraft
from bot.understanding.embedding import SentenceEmbedder
from bot.understanding.encoder import MODEL, TOKENIZER, SentenceEncoder
from storage import Books, open_books

KINDS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
DEPTHS = (5, 10, 20)
DATE = "%I:%M %p on %d %B, %Y"
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
BATCH = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what came of it."""

    kind: str
    shares: tuple[float, ...]
    """Of its evidence that was found, for each depth."""
    seconds: float


# -- LoCoMo -------------------------------------------------------------------------------------------------


async def say(books: Books, sample: Mapping[str, Any]) -> tuple[int, dict[str, int]]:
    """Say a conversation; its id, and the turns' ids by the names that the file has for them."""
    conversation = sample["conversation"]
    begun = await books.store.create_conversation(Address("benchmark", str(sample["sample_id"])), at=BEGINNING)
    sessions = sorted(int(key.split("_")[1]) for key in conversation if re.fullmatch(r"session_\d+", key))
    ids = {}
    for session in sessions:
        at = datetime.strptime(conversation[f"session_{session}_date_time"], DATE).replace(tzinfo=UTC)
        for turn in conversation[f"session_{session}"]:
            draft = TurnDraft(
                conversation_id=begun.id,
                role=Role.USER,
                text=_text_of(turn),
                at=at,
                author=Person(turn["speaker"], turn["speaker"]),
                speaker=turn["speaker"],
            )
            ids[turn["dia_id"]] = (await books.store.append_turn(draft)).id
    return begun.id, ids


def _text_of(turn: Mapping[str, Any]) -> str:
    caption = turn.get("blip_caption")
    return f"[{caption}] {turn['text']}" if caption else str(turn["text"])


def evidence_of(question: Mapping[str, Any], ids: Mapping[str, int]) -> set[int]:
    """The turns that hold the answer. The file names some together, and a few in other ways."""
    named = re.findall(r"D:?(\d+):0*(\d+)", " ".join(question.get("evidence", ())))
    return {ids[name] for session, turn in named if (name := f"D{session}:{turn}") in ids}


async def ask_all(
    recall: Recall, sample: Mapping[str, Any], conversation_id: int, ids: Mapping[str, int]
) -> list[Asked]:
    """Ask every question that has evidence."""
    results = []
    for question in sample["qa"]:
        if not (evidence := evidence_of(question, ids)):
            continue
        started = time.perf_counter()
        hits = await recall.search(
            question["question"], audience={conversation_id}, now=datetime.now(UTC), limit=max(DEPTHS)
        )
        seconds = time.perf_counter() - started
        found = [hit.turn.id for hit in hits]
        shares = tuple(len(evidence & set(found[:depth])) / len(evidence) for depth in DEPTHS)
        results.append(Asked(KINDS[question["category"]], shares, seconds))
    return results


async def measure_quality(samples: Sequence[Mapping[str, Any]], embedder: Embedder) -> dict[str, object]:
    """Recall of evidence turns over all conversations, which lie in one database."""
    async with new_books() as (books, database):
        said = [await say(books, sample) for sample in samples]
        await index_all(Indexer(books.index, embedder))
        recall = Recall(books.index, embedder)
        by_name = {
            str(sample["sample_id"]): await ask_all(recall, sample, *place)
            for sample, place in zip(samples, said, strict=True)
        }
        turns = sum(len(ids) for _, ids in said)
        sizes = sizes_of(database, turns)
    everything = [asked for results in by_name.values() for asked in results]
    by_kind: defaultdict[str, list[Asked]] = defaultdict(list)
    for asked in everything:
        by_kind[asked.kind].append(asked)
    return {
        "turns": turns,
        "questions": len(everything),
        "all": percents(everything),
        "without adversarial": percents([asked for asked in everything if asked.kind != KINDS[5]]),
        "by kind": {kind: percents(by_kind[kind]) for kind in KINDS.values() if kind in by_kind},
        "by conversation": {name: percents(results) for name, results in by_name.items()},
        "milliseconds": milliseconds([asked.seconds for asked in everything]),
        **sizes,
    }


def percents(results: Sequence[Asked]) -> dict[str, float]:
    """The mean share of the evidence that was found, for each depth."""
    means = np.array([asked.shares for asked in results]).mean(axis=0) * 100
    return {f"R@{depth}": round(float(mean), 1) for depth, mean in zip(DEPTHS, means, strict=True)}


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {f"p{share}": round(float(np.percentile(seconds, share)) * 1000, 1) for share in (50, 95)}


# -- many turns ---------------------------------------------------------------------------------------------


class MadeUp:
    """An embedder that costs nothing: vectors by chance, the same for the same text."""

    name = "made-up/1"

    def embed(self, texts: Sequence[str]) -> Floats:
        """One row a text."""
        seeds = [int.from_bytes(text.encode()[-8:], "big") for text in texts]
        rows = np.stack([np.random.default_rng(seed).standard_normal(WIDTH, np.float32) for seed in seeds])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class Timed:
    """Embeds questions with the real encoder, so that its time counts, under the name of the made-up one."""

    name = MadeUp.name

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def embed(self, texts: Sequence[str]) -> Floats:
        """One row a text."""
        return self._embedder.embed(texts)


def made_up_texts(words: Sequence[str], count: int, *, seed: int, longest: int = 28) -> Iterator[str]:
    """Sentences of words as frequent as in speech (Zipf)."""
    chance = np.random.default_rng(seed)
    shares = 1 / np.arange(1, len(words) + 1) ** 1.05
    reached = np.cumsum(shares / shares.sum())
    for _ in range(count):
        numbers = np.searchsorted(reached, chance.random(int(chance.integers(6, longest))))
        yield " ".join(words[min(int(number), len(words) - 1)] for number in numbers)


def vocabulary(models_folder: Path) -> list[str]:
    """The whole words that the encoder knows, as frequent ones as rare ones."""
    vocabulary = json.loads((models_folder / MODEL / TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    return [word for word, _ in sorted(vocabulary.items(), key=lambda item: item[1]) if re.fullmatch("[a-z]{3,}", word)]


async def measure_speed(
    turns: int, embedder: Embedder, words: Sequence[str], *, questions: int = 200
) -> dict[str, object]:
    """How long questions take in one conversation of that many turns, and how long a turn takes to index."""
    async with new_books() as (books, database):
        begun = await books.store.create_conversation(Address("benchmark", "long"), at=BEGINNING)
        chance, started = random.Random(0), time.perf_counter()
        indexer, texts = Indexer(books.index, MadeUp()), made_up_texts(words, turns, seed=1)
        for start in range(0, turns, BATCH):
            fill(database, begun.id, start, [text for _, text in zip(range(BATCH), texts, strict=False)])
            await index_all(indexer)
        indexing = time.perf_counter() - started
        recall = Recall(books.index, Timed(embedder))
        started = time.perf_counter()
        await recall.catch_up()
        opening = time.perf_counter() - started
        asked = [
            f"When did the {text} in {chance.choice(['May', 'June'])}?"
            for text in made_up_texts(words, questions, seed=2, longest=12)
        ]
        times = [await _times(recall.search(text, audience={begun.id}, now=datetime.now(UTC))) for text in asked]
        writes = [await _times(_keep(books, indexer, begun.id, text)) for text in made_up_texts(words, 100, seed=3)]
        return {
            "turns": turns,
            "milliseconds": milliseconds([wall for wall, _ in times]),
            "milliseconds of processor": milliseconds([processor for _, processor in times]),
            "milliseconds to store and read a turn": milliseconds([wall for wall, _ in writes]),
            "the same of processor": milliseconds([processor for _, processor in writes]),
            "milliseconds to index a turn among many": round(indexing / turns * 1000, 3),
            "seconds to open": round(opening, 2),
            **sizes_of(database, turns),
        }


async def _times(doing: Awaitable[object]) -> tuple[float, float]:
    """Seconds that it takes, and seconds of processor, which others on the machine do not make longer."""
    started, processor = time.perf_counter(), time.process_time()
    await doing
    return time.perf_counter() - started, time.process_time() - processor


async def _keep(books: Books, indexer: Indexer, conversation_id: int, text: str) -> None:
    """Store a turn and read it for the index; its vectors come later."""
    await books.store.append_turn(TurnDraft(conversation_id, Role.USER, text, BEGINNING))
    await indexer.read()


def fill(database: Path, conversation_id: int, start: int, texts: Sequence[str]) -> None:
    """Put turns there past the store, which would take an hour for a million."""
    row = "'user', ?, ?, 'complete', '', '', '', 0, 0, 0, 0, 0, 0, '{}'"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO turns (conversation_id, parent_id, role, text, at, state, platform_id, model, generator,"
            " prompt_tokens, cached_tokens, completion_tokens, queue_seconds, first_seconds, total_seconds, evidence)"
            f" VALUES (?, ?, {row})",
            [
                (conversation_id, place or None, text, str(BEGINNING + timedelta(minutes=place))[:19])
                for place, text in enumerate(texts, start)
            ],
        )


# -- shared -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def new_books() -> AsyncIterator[tuple[Books, Path]]:
    """A database of its own, and where it is."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "parley.db"
        async with open_books(f"sqlite:///{database}") as books:
            yield books, database


async def index_all(indexer: Indexer) -> None:
    """Read and embed everything."""
    while await indexer.read(limit=BATCH):
        pass
    while await indexer.embed(limit=BATCH):
        pass


def sizes_of(database: Path, turns: int) -> dict[str, object]:
    """Mebibytes for 100,000 turns: of the turns themselves, and of each part of their index."""
    with closing(sqlite3.connect(database)) as connection:
        sizes = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    parts = {"turns": ("turns", "ix_turns"), "words": ("turn_words",), "vectors": ("turn_vectors",)}
    parts["entries"] = ("turn_index", "ix_turn_index", "sqlite_autoindex_turn_index")
    mebibytes = {
        part: sum(size for name, size in sizes.items() if name.startswith(names)) / turns * 100_000 / 2**20
        for part, names in parts.items()
    }
    return {"mebibytes for 100,000 turns": {part: round(size, 1) for part, size in mebibytes.items()}}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="conversations and questions in LoCoMo's form")
    parser.add_argument("--turns", type=int, action="append", default=[], help="also time questions among so many")
    parser.add_argument("--json", action="store_true", help="print one object")
    chosen = parser.parse_args()
    configuration = load()
    encoder = SentenceEncoder.open(configuration.models_folder, configuration.home / "cache")
    embedder = SentenceEmbedder(encoder)
    figures: dict[str, object] = {}
    if chosen.file:
        figures |= asyncio.run(measure_quality(json.loads(chosen.file.read_text(encoding="utf-8")), embedder))
    words = vocabulary(configuration.models_folder)
    for turns in chosen.turns or ([] if chosen.file else [6_000]):
        figures[f"among {turns} turns"] = asyncio.run(measure_speed(turns, embedder, words))
    report("recall", figures, as_json=chosen.json)


if __name__ == "__main__":
    main()
