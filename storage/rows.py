"""Between the rows of tables and the values of `bot.types`; knows no SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from bot.types import Address, Conversation, Person, Role, Timings, Turn, TurnDraft, TurnState, Usage


def conversation_of(row: Row[Any]) -> Conversation:
    """The conversation that a row of `conversations` holds."""
    return Conversation(
        id=row.id,
        address=Address(row.channel, row.chat, row.account, row.thread),
        created_at=row.created_at,
        updated_at=row.updated_at,
        name=row.name,
        head_id=row.head_id,
        persona=row.persona,
        model=row.model,
        window_start_id=row.window_start_id,
        origin_id=row.origin_id,
    )


def turn_of(row: Row[Any]) -> Turn:
    """The turn that a row of `turns` holds."""
    return Turn(
        id=row.id,
        parent_id=row.parent_id,
        conversation_id=row.conversation_id,
        role=Role(row.role),
        text=row.text,
        at=row.at,
        state=TurnState(row.state),
        author=None if row.author_id is None else Person(row.author_id, row.author_name, row.author_language),
        speaker=row.speaker or "",
        platform_id=row.platform_id,
        model=row.model,
        generator=row.generator,
        usage=Usage(row.prompt_tokens, row.cached_tokens, row.completion_tokens),
        timings=Timings(row.queue_seconds, row.first_seconds, row.total_seconds),
        evidence=row.evidence,
    )


def row_of(draft: TurnDraft, parent_id: int | None) -> dict[str, object]:
    """The columns of `turns` for a turn that comes after `parent_id`."""
    author = draft.author
    return {
        "parent_id": parent_id,
        "conversation_id": draft.conversation_id,
        "role": draft.role.value,
        "author_id": author.id if author else None,
        "author_name": author.name if author else None,
        "author_language": author.language if author else None,
        "speaker": draft.speaker or None,
        "platform_id": draft.platform_id,
        **answer_of(draft),
    }


def answer_of(draft: TurnDraft) -> dict[str, object]:
    """The columns of `turns` that another answer in the same place changes."""
    return {
        "text": draft.text,
        "at": draft.at,
        "state": draft.state.value,
        "model": draft.model,
        "generator": draft.generator,
        "prompt_tokens": draft.usage.prompt_tokens,
        "cached_tokens": draft.usage.cached_tokens,
        "completion_tokens": draft.usage.completion_tokens,
        "queue_seconds": draft.timings.queue_seconds,
        "first_seconds": draft.timings.first_seconds,
        "total_seconds": draft.timings.total_seconds,
        "evidence": dict(draft.evidence),
    }
