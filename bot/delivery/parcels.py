"""From the parts of a reply to what the outbox is to do: send, edit what stands there, take away what is too much."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from bot.channel import Content
from bot.ledger import Method, ParcelDraft
from bot.types import Address


def drafts_of(
    contents: Sequence[Content],
    address: Address,
    *,
    targets: Sequence[str] = (),
    can_delete: bool = False,
    reply_to: str = "",
    choices: Sequence[tuple[str, str]] = (),
    turn_id: int | None = None,
    arrival_id: int | None = None,
    is_repeat: bool = False,
    key: str = "",
) -> list[ParcelDraft]:
    """One draft a part, in order; parts take the places of `targets` as far as there are any.

    Args:
        contents: the parts of the reply.
        address: where they go.
        targets: the platform's ids of messages that show an earlier form of the reply.
        can_delete: whether messages can be taken away; those that are too many are edited to an ellipsis otherwise.
        reply_to: the message that the first part answers; every part, where it is the first of `targets`.
        choices: buttons under the last part.
        turn_id: the turn that they show.
        arrival_id: what they answer.
        is_repeat: whether an earlier form may stand there without its id being known.
        key: names that earlier form.
    """
    drafts = []
    free = deque(targets)
    for index, part in enumerate(contents):
        target = free.popleft() if free and part.file is None else ""
        content = replace(
            part,
            # what follows a message whose place was held must say so: only one person may read that
            reply_to=reply_to if index == 0 or reply_to in targets else "",
            choices=tuple(choices) if index == len(contents) - 1 else part.choices,
            key=key if index == 0 and not target else "",
        )
        drafts.append(
            ParcelDraft(
                address,
                content,
                Method.EDIT if target else Method.SEND,
                target,
                turn_id,
                arrival_id,
                is_repeat=is_repeat and index == 0 and not target,
            )
        )
    method, empty = (Method.DELETE, Content("")) if can_delete else (Method.EDIT, Content("…"))
    return drafts + [ParcelDraft(address, empty, method, target, turn_id, arrival_id) for target in free]
