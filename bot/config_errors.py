"""Tells what is wrong with configured values: all of it, in the person's language, and never the value of a secret.

Knows the shape of pydantic's complaints, and nothing of what the values are used for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.errors import ConfigurationError
from bot.texts import Texts

SECRETS = ("key", "token", "secret", "password", "url")
"""Ends of keys whose values are not shown; a database's URL may hold its password."""
LONGEST_SHOWN = 40
EXPECTED = {
    "int_type": "whole_number",
    "int_parsing": "whole_number",
    "int_parsing_size": "whole_number",
    "int_from_float": "whole_number",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "bool_type": "true_or_false",
    "bool_parsing": "true_or_false",
    "string_type": "text",
    "tuple_type": "list",
    "list_type": "list",
    "dict_type": "table",
    "model_type": "table",
    "literal_error": "one_of",
    "greater_than": "more_than",
    "greater_than_equal": "at_least",
    "less_than": "less_than",
    "less_than_equal": "at_most",
    "size": "size",
    "zone": "zone",
    "hours": "hours",
    "person": "person",
    "person_or_chat": "person_or_chat",
    "place": "place",
    "channel": "channel",
}
"""The kind of a complaint to the name of the text that says what the value must be. Source:
https://docs.pydantic.dev/latest/errors/validation_errors/; those of `OWN_KINDS` are our own."""
OWN_KINDS = ("size", "zone", "hours", "person", "person_or_chat", "place", "channel")
KEY_ITSELF = "[key]"
"""What pydantic puts at the end of a place where a key is wrong, and not what stands under it."""
BOUNDS = ("ge", "gt", "le", "lt")
HEADER = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+\s*(?:#.*)?")
ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_.\"'\s-]+?)\s*=")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    key: str
    """Dotted, as in the file."""
    kind: str
    """As pydantic names it."""
    message: str
    """Pydantic's own words, for a kind that we have none for."""
    origin: str
    """The file or variable that set it."""
    line: int | None
    """In the file, where that is certain."""
    limits: Mapping[str, str]
    given: object
    """What stands there; None where that must not be shown."""
    hint: str
    """The nearest right key, where there is no such key."""

    def told(self, texts: Texts) -> str:
        """The sentence."""
        origin = texts.get("errors.config_line", path=self.origin, line=self.line) if self.line else self.origin
        if self.kind == "extra_forbidden":
            return texts.get("errors.config_key_unknown", key=self.key, origin=origin, hint=self.hint)
        if self.kind == "missing":
            return texts.get("errors.config_key_missing", key=self.key, origin=origin)
        name = EXPECTED.get(self.kind)
        if name is None:
            return texts.get("errors.config_value_wrong", key=self.key, origin=origin, problem=self.message)
        expected = texts.get(f"errors.config_must_{name}", **self.limits)
        if self.given is None:
            return texts.get("errors.config_value_must", key=self.key, origin=origin, expected=expected)
        given = _shown(self.given, texts)
        return texts.get("errors.config_value_must_not", key=self.key, origin=origin, expected=expected, given=given)


class WrongValues(ConfigurationError):
    """Values or keys that are wrong; tells each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("errors.config_several", count=len(problems))
        self.problems = tuple(problems)

    def told(self, texts: Texts) -> str:
        """The one sentence, or one a line below a heading."""
        return _listed(super().told(texts), [problem.told(texts) for problem in self.problems])


class UnknownVariables(ConfigurationError):
    """Variables that are none of ours, each with the nearest that is; tells each."""

    def __init__(self, nearest: Mapping[str, str]) -> None:
        super().__init__("errors.config_several", count=len(nearest))
        self.nearest = dict(nearest)

    def told(self, texts: Texts) -> str:
        """The one sentence, or one a line below a heading."""
        told = [
            texts.get("errors.config_variable_unknown", name=name, hint=hint) for name, hint in self.nearest.items()
        ]
        return _listed(super().told(texts), told)


def _listed(heading: str, told: Sequence[str]) -> str:
    return told[0] if len(told) == 1 else "\n".join([heading, *(f"- {one}" for one in told)])


def explain(
    error: ValidationError, origins: Mapping[str, str], *, default_origin: str, nearest_key: Callable[[str], str]
) -> WrongValues:
    """Everything that pydantic complains of.

    Args:
        error: the complaint.
        origins: dotted key to the file or variable that set it.
        default_origin: told where `origins` does not know.
        nearest_key: the right key that is most like a wrong one; empty where none is.
    """
    return WrongValues(list(_problems(error, origins, default_origin, nearest_key)))


def _problems(
    error: ValidationError, origins: Mapping[str, str], default_origin: str, nearest_key: Callable[[str], str]
) -> Iterator[Problem]:
    seen = set()
    for one in error.errors(include_url=False):
        key = ".".join(part for part in one["loc"] if isinstance(part, str) and part != KEY_ITSELF)
        is_item = isinstance(one["loc"][-1], int) and one["type"] not in OWN_KINDS
        kind = "list_type" if is_item else one["type"]
        if (kind, key) in seen:  # of several wrong items of a list the first
            continue
        seen.add((kind, key))
        origin = _origin(key, origins) or default_origin
        yield Problem(
            key=key,
            kind=kind,
            message=one["msg"].removeprefix("Value error, "),
            origin=origin,
            line=_line_of(key, origin),
            limits=_limits(one.get("ctx", {})),
            given=_given(key, kind, one.get("input")),
            hint=nearest_key(key) if kind == "extra_forbidden" else "",
        )


def _origin(key: str, origins: Mapping[str, str]) -> str:
    return next((where for name, where in origins.items() if name == key or name.startswith(f"{key}.")), "")


def _limits(context: Mapping[str, Any]) -> dict[str, str]:
    """The values of the text that says what is expected."""
    limits = {}
    if bound := next((name for name in BOUNDS if name in context), None):
        limits["limit"] = _number(context[bound])
    if "expected" in context:
        limits["choices"] = str(context["expected"]).replace(" or ", ", ").replace("'", '"')
    return limits


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _given(key: str, kind: str, value: object) -> object:
    """What may be shown: never what stands where a secret or a table belongs, as anything may be in there."""
    is_table = EXPECTED.get(kind) == "table"
    return None if is_table or key.endswith(SECRETS) or key.startswith("channels") else value


def _shown(value: object, texts: Texts) -> str:
    """As TOML writes it, cut where it is long."""
    if isinstance(value, Mapping):
        return texts.get("errors.config_a_table")
    if isinstance(value, Iterable) and not isinstance(value, str):
        return texts.get("errors.config_a_list")
    if isinstance(value, str) and len(value) > LONGEST_SHOWN:
        value = f"{value[:LONGEST_SHOWN]}…"
    return json.dumps(value, ensure_ascii=False, default=str)


# -- lines --------------------------------------------------------------------------------------------------


def _line_of(key: str, origin: str) -> int | None:
    """The line of `origin`, if that is a file, on which the key stands; None where that is not certain."""
    try:
        lines = Path(origin).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = [number for number, written in _written_keys(lines) if written == key]
    return found[0] if len(found) == 1 else None


def _written_keys(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Number and dotted key of each line that sets one or begins a table."""
    section = ""
    for number, line in enumerate(lines, 1):
        if header := HEADER.fullmatch(line):
            section = _plain(header[1])
            yield number, section
        elif assignment := ASSIGNMENT.match(line):
            name = _plain(assignment[1])
            yield number, f"{section}.{name}" if section else name


def _plain(key: str) -> str:
    """A key without quotes and spaces."""
    return re.sub(r"[\"'\s]", "", key)
