"""Which model a person may choose for a conversation, and how it is called in front of people.

Only an owner's words are looked up on the disk: anybody else would learn from the refusals what is there.
"""

from __future__ import annotations

from pathlib import PurePath

from bot.errors import ModelError
from bot.skills.context import SkillContext


def chosen_model(context: SkillContext, wanted: str) -> str:
    """The model that the person wants, by a name that goes on naming it.

    Raises:
        ModelError: it cannot be used, or not by this person.
    """
    names, folded = context.models.names(), wanted.lower()
    listed = next((name for name in names if folded in (name.lower(), short_name(name).lower())), None)
    if context.is_owner:
        return context.models.check(listed or wanted)
    if listed is None:
        ready = ", ".join(f"`{short_name(name)}`" for name in names)
        raise ModelError("commands.model_not_among", names=ready)
    return listed


def short_name(name: str) -> str:
    """What people read: of a path only the last part, since the rest is nobody's business."""
    path = PurePath(name)
    if not path.is_absolute():
        return name
    return path.stem if path.suffix.lower() == ".gguf" else path.name
