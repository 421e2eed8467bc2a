"""What inbox and outbox hold comes out as it was put in, also when another version of the program wrote it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bot.channel import Content, Span, Update, UpdateKind
from bot.types import Attachment, Message, Person
from storage.payloads import content_of, payload_of_content, payload_of_update, update_of
from tests.storage.values import CHAT, NOON, arrived

FULL = Update(
    UpdateKind.CHOICE,
    Message(
        CHAT,
        Person("42", "Åsa 🗼", "sv", is_bot=True),
        "héllo\x00 there",
        datetime(2026, 3, 4, 12, 0, 0, 123456, UTC),
        id="7",
        reply_to="6",
        attachments=(Attachment("photo", "a.jpg", "image/jpeg", 12, "ref"),),
        conversation_id=3,
        is_private=False,
        is_addressed=False,
        quote="what?",
        after_turn_id=9,
        is_resumed=True,
    ),
    id="u7",
    detail="retry",
)


def test_an_update_comes_back_as_it_was() -> None:
    payload = json.loads(json.dumps(payload_of_update(FULL)))
    assert update_of(payload, CHAT) == FULL
    assert "-100" not in json.dumps(payload)


def test_a_content_comes_back_as_it_was() -> None:
    content = Content("🗼 hi", (Span("link", 2, 4, "https://a.example"),), (("Stop", "stop"), ("Why", "why")), "7")
    assert content_of(json.loads(json.dumps(payload_of_content(content)))) == content


def test_what_a_later_version_added_is_passed_over() -> None:
    payload = payload_of_update(FULL)
    payload["mood"] = "good"
    payload["message"]["person"]["pronouns"] = ["she"]
    payload["message"]["attachments"][0]["seconds"] = 3.5
    assert update_of(payload, CHAT) == FULL
    assert content_of({"text": "hi", "voice": {"id": 1}}) == Content("hi")


def test_what_an_earlier_version_did_not_know_is_empty() -> None:
    payload = {"kind": "message", "message": {"at": NOON.isoformat(), "text": "hi", "attachments": [{"name": "a"}]}}
    update = update_of(payload, CHAT)
    assert update.message == Message(CHAT, Person(""), "hi", NOON, attachments=(Attachment("", "a", "", 0, ""),))
    assert content_of({}) == Content("")


def test_what_was_forgotten_is_empty() -> None:
    assert content_of(None) == Content("")


def test_half_of_a_surrogate_pair_becomes_one_sign_so_that_spans_still_fit() -> None:
    payload = payload_of_content(Content("a\ud83d b", (Span("bold", 3, 4),)))
    assert content_of(payload) == Content("a\ufffd b", (Span("bold", 3, 4),))


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"kind": "message"},
        {"kind": "telepathy", "message": {"at": NOON.isoformat()}},
        {"kind": "message", "message": {"at": "noon"}},
        {"kind": "message", "message": {"at": NOON.isoformat(), "text": 7}},
        {"kind": "message", "message": {"at": NOON.isoformat(), "attachments": 7}},
        {"kind": "message", "message": "hello"},
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        update_of(broken, CHAT)


def test_every_kind_of_update_comes_back() -> None:
    for number, kind in enumerate(UpdateKind):
        update = arrived("hi", number, kind=kind)
        assert update_of(payload_of_update(update), CHAT) == update
