"""Modals of the Discord server: forms that a bot opens in answer to a command or a press, and people fill in.

https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-response-object-modal
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.servers.discord_checks import Form, Path

Json = dict[str, Any]
ROW, TEXT_INPUT = 1, 4
_FIELDS = {"type", "custom_id", "style", "label", "min_length", "max_length", "required", "value", "placeholder", "id"}
MOST_ROWS, MOST_SIGNS = 5, 4000


def check_modal(data: Any, *, strict: bool) -> Json:
    """The modal that an answer of type 9 opens; ApiError 50035 where Discord would refuse it."""
    form = Form({"data": data}, strict=strict)
    path: Path = ("data",)
    modal = form.fields(path, data, {"custom_id", "title", "components"}, required=("custom_id", "title", "components"))
    form.text((*path, "custom_id"), modal.get("custom_id"), least=1, most=100)
    form.text((*path, "title"), modal.get("title"), least=1, most=45)
    names: list[str] = []
    for place, row in enumerate(form.items((*path, "components"), modal.get("components"), least=1, most=MOST_ROWS)):
        names.append(_check_row(form, (*path, "components", place), row))
    if len(set(names)) < len(names):
        form.wrong((*path, "components"), "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
    form.finish()
    return modal


def _check_row(form: Form, path: Path, row: Any) -> str:
    body = form.fields(path, row, {"type", "components", "id"}, required=("type", "components"))
    form.choice((*path, "type"), body.get("type"), (ROW,))
    [part] = form.items((*path, "components"), body.get("components"), least=1, most=1)[:1] or [{}]
    inner: Path = (*path, "components", 0)
    field = form.fields(inner, part, _FIELDS, required=("type", "custom_id", "style", "label"))
    form.choice((*inner, "type"), field.get("type"), (TEXT_INPUT,))
    form.choice((*inner, "style"), field.get("style"), (1, 2))
    form.text((*inner, "label"), field.get("label"), least=1, most=45)
    most = (
        form.integer((*inner, "max_length"), field["max_length"], least=1, most=MOST_SIGNS)
        if "max_length" in field
        else MOST_SIGNS
    )
    if "min_length" in field:
        form.integer((*inner, "min_length"), field["min_length"], most=most)
    if field.get("value") is not None:
        form.text((*inner, "value"), field["value"], most=most)
    if field.get("placeholder") is not None:
        form.text((*inner, "placeholder"), field["placeholder"], most=100)
    if "required" in field:
        form.flag((*inner, "required"), field["required"])
    return form.text((*inner, "custom_id"), field.get("custom_id"), least=1, most=100)


def filled(modal: Json, values: Mapping[str, str]) -> Json:
    """What a person sends who filled in a modal.

    Args:
        modal: as the bot opened it.
        values: what is written, by custom_id or label; other fields keep what stands in them.

    Raises:
        LookupError: there is no such field, or one that must not stay empty does.
        ValueError: more is written than fits, or less than is asked for.
    """
    left, rows = dict(values), []
    for row in modal["components"]:
        [field] = row["components"]
        written = left.pop(field["custom_id"], None)
        written = left.pop(field["label"], written) if written is None else written
        value = field.get("value") or "" if written is None else written
        if not value and field.get("required", True):
            raise LookupError(f"{field['label']!r} must not be empty")
        if value and not field.get("min_length", 0) <= len(value) <= field.get("max_length", MOST_SIGNS):
            raise ValueError(f"{len(value)} characters do not fit into {field['label']!r}")
        sent = {"type": TEXT_INPUT, "custom_id": field["custom_id"], "value": value}
        rows.append({"type": ROW, "components": [sent]})
    if left:
        raise LookupError(f"the form has no {', '.join(left)}")
    return {"custom_id": modal["custom_id"], "components": rows}
