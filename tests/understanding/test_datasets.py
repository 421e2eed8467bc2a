"""Files of labelled texts: the usual formats are read, and everything else is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ConfigurationError
from bot.understanding.datasets import read_labelled

READABLE = {
    "a.jsonl": '{"text": "wake me", "label": "alarm"}\n\n{"text": "play, please", "label": "music"}\n',
    "b.json": '[{"utterance": "wake me", "intent": "alarm"}, {"utterance": "play, please", "intent": "music"}]',
    "c.json": '[["wake me", "alarm"], ["play, please", "music"]]',
    "d.json": '{"alarm": ["wake me"], "music": ["play, please"]}',
    "e.csv": 'text,category\nwake me,alarm\n"play, please",music\n',
    "f.csv": 'wake me,alarm\n"play, please",music\n',
    "g.tsv": "Label\tText\nalarm\twake me\nmusic\tplay, please\n",
    "h.csv": '\ufefftext,label\r\nwake me,alarm\r\n"play, please",music\r\n',
}


@pytest.mark.parametrize("name", READABLE)
def test_the_usual_formats_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(READABLE[name], encoding="utf-8", newline="")
    found = read_labelled(tmp_path / name)
    assert found.texts == ("wake me", "play, please")
    assert found.labels == ("alarm", "music")


UNREADABLE = {
    "a.txt": ("wake me", "Name it .csv"),
    "b.jsonl": ('{"text": "x", "label": "y"}\nno json\n', "line 2"),
    "c.json": ("[1,", "line 1"),
    "d.csv": ("text,label\nwake me,alarm\n,music\n", "row 3"),
    "e.jsonl": ('{"words": "wake me"}', "text/utterance"),
    "f.json": ("[]", "no texts"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    content, told = UNREADABLE[name]
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_labelled(tmp_path / name)
    assert told in str(caught.value)
    assert name in str(caught.value)


def test_a_missing_file_and_a_foreign_encoding_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be read"):
        read_labelled(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("text,label\ncafé,x\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"UTF-8"):
        read_labelled(tmp_path / "latin.csv")


def test_foreign_texts_need_no_labels(tmp_path: Path) -> None:
    (tmp_path / "foreign.csv").write_text("text\nwho are you\n", encoding="utf-8")
    assert read_labelled(tmp_path / "foreign.csv", needs_labels=False).texts == ("who are you",)
