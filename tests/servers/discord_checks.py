"""What Discord refuses about the form of a request, in its words; knows nothing of guilds, channels or sockets.

A refusal has a code and, for a form, an `errors` object that mirrors the body: the path of each wrong field ends in
`{"_errors": [{"code", "message"}]}`. Fields that Discord does not know are refused, too (`strict`): Discord ignores
them, but a client that sends one means something by it, and no test should pass over that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Path = tuple[str | int, ...]
SNOWFLAKE_LARGEST = 2**64


class ApiError(Exception):
    """An answer that refuses: the HTTP status, Discord's own code, its words and the errors of the form."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def wire(self) -> Json:
        """The body of the answer."""
        body: Json = {"message": self.message, "code": self.code}
        return body | {"errors": self.errors} if self.errors else body


_WORDS: Mapping[int, tuple[int, str]] = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    30032: (400, "Maximum number of application commands reached (100)"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50016: (
        400,
        "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages.",
    ),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50034: (400, "A message provided was too old to bulk delete"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    160002: (403, "Cannot reply without permission to read message history"),
    160004: (400, "A thread has already been created for this message"),
}


def refused(code: int) -> ApiError:
    """The refusal with this code."""
    status, words = _WORDS[code]
    return ApiError(status, code, words)


class Form:
    """A request's body under examination: notes what is wrong, by path; `finish` refuses if anything was."""

    def __init__(self, body: Any, *, strict: bool = True) -> None:
        self.body = body
        self.strict = strict
        self._errors: Json = {}

    def wrong(self, path: Path, code: str, message: str) -> None:
        """Note one error."""
        place = self._errors
        for step in path:
            place = place.setdefault(str(step), {})
        place.setdefault("_errors", []).append({"code": code, "message": message})

    def finish(self) -> None:
        """ApiError 50035 if anything was wrong."""
        if self._errors:
            raise ApiError(400, 50035, "Invalid Form Body", self._errors)

    # fields of one kind

    def fields(self, path: Path, value: Any, known: Collection[str], *, required: Collection[str] = ()) -> Json:
        """An object with no fields but those known; empty where it is none."""
        if not isinstance(value, dict):
            self.wrong(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            return {}
        for name in required:
            if name not in value:
                self.wrong((*path, name), "BASE_TYPE_REQUIRED", "This field is required")
        for name in value:
            if self.strict and name not in known:
                self.wrong((*path, name), "UNKNOWN_FIELD", "Discord has no such field, and ignores it")
        return value

    def text(self, path: Path, value: Any, *, least: int = 0, most: int | None = None) -> str:
        """A string of `least` to `most` characters; empty where it is none."""
        if not isinstance(value, str):
            self.wrong(path, "STRING_TYPE_CONVERT", f"Could not interpret {value!r} as string.")
            return ""
        text: str = value
        if least and not text:
            self.wrong(path, "BASE_TYPE_REQUIRED", "This field is required")
        elif least and most is not None and not least <= len(text) <= most:
            self.wrong(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
        elif most is not None and len(text) > most:
            self.wrong(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
        return text

    def integer(self, path: Path, value: Any, *, least: int = 0, most: int = 2**53) -> int:
        """A whole number between two bounds; the lower one where it is none."""
        if type(value) is not int:
            self.wrong(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
            return least
        if value < least:
            self.wrong(path, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {least}.")
        elif value > most:
            self.wrong(path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {most}.")
        return value

    def number(self, path: Path, value: Any) -> float:
        """Any number; 0 where it is none."""
        if type(value) not in (int, float):
            self.wrong(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not float.')
            return 0.0
        return float(value)

    def flag(self, path: Path, value: Any) -> bool:
        """A truth value."""
        if not isinstance(value, bool):
            self.wrong(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
        return value is True

    def snowflake(self, path: Path, value: Any) -> int:
        """An id, as a string or a number; 0 where it is none."""
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).isdecimal():
            if 0 < int(value) < SNOWFLAKE_LARGEST:
                return int(value)
            self.wrong(path, "NUMBER_TYPE_MAX", "snowflake value should be less than 2^64.")
            return 0
        self.wrong(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return 0

    def items(self, path: Path, value: Any, *, least: int = 0, most: int | None = None) -> Sequence[Any]:
        """A list of `least` to `most` values; empty where it is none."""
        if not isinstance(value, list):
            self.wrong(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return ()
        if len(value) < least or (most is not None and len(value) > most):
            self.wrong(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
        return value

    def choice(self, path: Path, value: Any, choices: Collection[Any]) -> None:
        """One of these values, of the same type."""
        if not any(type(value) is type(each) and value == each for each in choices):
            listed = ", ".join(str(each) for each in choices)
            self.wrong(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")
