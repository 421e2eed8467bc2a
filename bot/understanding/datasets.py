"""Reads sets of labelled texts for training and measuring: CSV, TSV, JSON and JSON lines, recognised by what they hold.

A row is an object with a text and a label, or a pair of them; a JSON file may also map each label to its texts.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.errors import ConfigurationError
from bot.understanding.training import Labelled

TEXT_NAMES = ("text", "utterance", "sentence", "query", "message", "question")
LABEL_NAMES = ("label", "intent", "category", "class", "labels")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
LONGEST_FIELD = 10_000_000


def read_labelled(path: Path, *, needs_labels: bool = True) -> Labelled:
    """The texts and labels of a file, in its order.

    Args:
        path: the file; its ending tells the format: .csv, .tsv, .json or .jsonl.
        needs_labels: whether every text must have one; else a missing label is empty.

    Raises:
        ConfigurationError: the file cannot be read, or a row has no text or no label; names the line.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError("intents.data_encoding", path=path) from None
    except OSError as error:
        raise ConfigurationError("intents.data_unreadable", path=path, problem=error.strerror) from None
    texts, labels = [], []
    for line, row in _rows(path, content):
        text, label = _fields(row)
        if not text or (needs_labels and not label):
            names = f"{'/'.join(TEXT_NAMES)}; {'/'.join(LABEL_NAMES)}"
            raise ConfigurationError("intents.data_row", path=path, line=line, names=names)
        texts.append(text)
        labels.append(label)
    if not texts:
        raise ConfigurationError("intents.data_empty", path=path)
    return Labelled(tuple(texts), tuple(labels))


def _rows(path: Path, content: str) -> Iterator[tuple[int, Any]]:
    """The rows, and the line that each begins in (in a JSON file, its number)."""
    ending = path.suffix.lower()
    if ending in DELIMITERS:
        return _table(content, DELIMITERS[ending])
    if ending in (".jsonl", ".ndjson"):
        return _json_lines(path, content)
    if ending == ".json":
        return _json(path, content)
    raise ConfigurationError("intents.data_format", path=path)


def _table(content: str, delimiter: str) -> Iterator[tuple[int, Any]]:
    """Rows below a line of names, or, where the first line has no known name, pairs of text and label."""
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(content.splitlines(keepends=True), delimiter=delimiter)
    header: list[str] | None = None
    line = 1
    for row in reader:
        if header is None:
            names = [name.strip().lower() for name in row]
            header = names if set(names) & set(TEXT_NAMES) else []
            if not header and row:
                yield line, row
        elif row:
            yield line, dict(zip(header, row, strict=False)) if header else row
        line = reader.line_num + 1


def _json_lines(path: Path, content: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield number, _parsed(path, line, number)


def _json(path: Path, content: str) -> Iterator[tuple[int, Any]]:
    loaded = _parsed(path, content, 0)
    rows: Iterable[Any] = loaded if isinstance(loaded, list) else ()
    if isinstance(loaded, dict):
        rows = [(text, label) for label, texts in loaded.items() if isinstance(texts, list) for text in texts]
    yield from enumerate(rows, 1)


def _parsed(path: Path, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = error.msg
        raise ConfigurationError("intents.data_json", path=path, line=line or error.lineno, problem=problem) from None


def _fields(row: Any) -> tuple[str, str]:
    """Text and label; empty where there is none."""
    if isinstance(row, Mapping):
        named = {str(name).lower(): value for name, value in row.items()}
        return _first(named, TEXT_NAMES), _first(named, LABEL_NAMES)
    if isinstance(row, str):
        return row.strip(), ""
    if isinstance(row, (list, tuple)) and row:
        return str(row[0]).strip(), str(row[1]).strip() if len(row) > 1 else ""
    return "", ""


def _first(named: Mapping[str, Any], names: Iterable[str]) -> str:
    found = next((named[name] for name in names if named.get(name) is not None), "")
    return str(found).strip()
