"""What the outbox is to do, from the parts of a reply and what shows an earlier form of it."""

from __future__ import annotations

from bot.channel import Content, TextFile
from bot.delivery.parcels import drafts_of
from bot.ledger import Method, ParcelDraft
from bot.types import Address

HERE = Address("test", "1")


def told(drafts: list[ParcelDraft]) -> list[tuple[str, str, str]]:
    return [(draft.method.value, draft.target, draft.content.text) for draft in drafts]


def parts(*texts: str) -> list[Content]:
    return [Content(text) for text in texts]


def test_parts_are_sent_in_order() -> None:
    assert told(drafts_of(parts("a", "b"), HERE)) == [("send", "", "a"), ("send", "", "b")]


def test_parts_take_the_places_of_what_stands_there() -> None:
    drafts = drafts_of(parts("a", "b", "c"), HERE, targets=["7", "8"])
    assert told(drafts) == [("edit", "7", "a"), ("edit", "8", "b"), ("send", "", "c")]


def test_what_is_too_much_is_taken_away() -> None:
    drafts = drafts_of(parts("a"), HERE, targets=["7", "8"], can_delete=True)
    assert told(drafts) == [("edit", "7", "a"), ("delete", "8", "")]


def test_what_cannot_be_taken_away_is_emptied() -> None:
    assert told(drafts_of(parts("a"), HERE, targets=["7", "8"])) == [("edit", "7", "a"), ("edit", "8", "…")]


def test_only_the_first_part_replies_and_only_the_last_has_buttons() -> None:
    drafts = drafts_of(parts("a", "b"), HERE, reply_to="5", choices=[("Again", "retry:1")])
    assert [draft.content.reply_to for draft in drafts] == ["5", ""]
    assert [len(draft.content.choices) for draft in drafts] == [0, 1]


def test_a_file_is_never_an_edit() -> None:
    content = Content("beginning", file=TextFile("reply.md", "all of it"))
    drafts = drafts_of([content], HERE, targets=["7"], can_delete=True)
    assert [(draft.method, draft.target) for draft in drafts] == [(Method.SEND, ""), (Method.DELETE, "7")]


def test_only_what_is_sent_anew_can_be_a_repeat() -> None:
    assert [draft.is_repeat for draft in drafts_of(parts("a", "b"), HERE, is_repeat=True)] == [True, False]
    assert [draft.is_repeat for draft in drafts_of(parts("a"), HERE, targets=["7"], is_repeat=True)] == [False]
