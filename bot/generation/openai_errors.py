"""What goes wrong at a compatible server: from its answer to a kind, a pause before asking again, and words.

A `ServerTrouble` holds no exception, request or header of the client library, so that no key can travel with it.
Knows nothing of HTTP clients.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from bot.errors import GenerationError, GenerationFailed, GeneratorUnavailable, PromptTooLong

CONNECT_SECONDS = 10.0
RETRIES = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""A server that asks for a longer pause is not waited for: the person is told."""
LOADING_PAUSE_SECONDS = 2.0
LONGEST_PROBLEM = 240


class Kind(StrEnum):
    """What went wrong; the value is the key of the text that tells it."""

    KEY_MISSING = "openai.key_missing"
    KEY_REFUSED = "openai.key_refused"
    FORBIDDEN = "openai.forbidden"
    MODEL_UNKNOWN = "openai.model_unknown"
    PROMPT_TOO_LONG = "errors.prompt_too_long"
    REFUSED = "openai.refused"
    FILTERED = "openai.filtered"
    QUOTA = "openai.quota"
    RATE_LIMITED = "openai.rate_limited"
    LOADING = "openai.loading"
    SERVER_FAILED = "openai.server_failed"
    UNREACHABLE = "openai.unreachable"
    NO_CONNECTION = "openai.no_connection"
    NO_ADDRESS = "openai.no_address"
    NOT_TRUSTED = "openai.not_trusted"
    SILENT = "openai.silent"
    BROKE_OFF = "openai.broke_off"
    NOT_COMPATIBLE = "openai.not_compatible"
    NOT_JSON = "openai.not_json"


UNAVAILABLE = frozenset(
    {Kind.RATE_LIMITED, Kind.LOADING, Kind.SERVER_FAILED, Kind.UNREACHABLE, Kind.NO_CONNECTION,
     Kind.NO_ADDRESS, Kind.NOT_TRUSTED, Kind.SILENT, Kind.BROKE_OFF}
)  # fmt: skip
PASSING = frozenset({Kind.RATE_LIMITED, Kind.SERVER_FAILED, Kind.UNREACHABLE, Kind.NO_ADDRESS, Kind.BROKE_OFF})
"""Troubles that may be over in a moment."""


class ServerTrouble(Exception):
    """A request failed. Never leaves the generator: `failure` makes the error that does.

    Args:
        status: of the HTTP answer, or the code inside a stream; None where there was none.
        problem: the server's own words, shortened and without the key.
        retry_after_seconds: the pause it asked for.
        prompt_tokens, limit_tokens: what it said of its window.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        status: int | None = None,
        problem: str = "",
        retry_after_seconds: float | None = None,
        prompt_tokens: int | None = None,
        limit_tokens: int | None = None,
    ) -> None:
        super().__init__(kind, status, problem)
        self.kind = kind
        self.status = status
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds
        self.prompt_tokens = prompt_tokens
        self.limit_tokens = limit_tokens

    def pause_seconds(self, retries: int, *, timeout_seconds: float) -> float | None:
        """How long to wait before asking again after `retries` repeats; None gives up.

        Exponential with jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), never shorter than
        the server asks for. A server that still loads its model is asked until `timeout_seconds` have gone by.
        """
        if self.kind is Kind.LOADING:
            return LOADING_PAUSE_SECONDS if retries * LOADING_PAUSE_SECONDS < timeout_seconds else None
        if self.kind not in PASSING or self.status == 501 or retries >= RETRIES:
            return None
        asked = self.retry_after_seconds or 0.0
        if asked > LONGEST_PAUSE_SECONDS:
            return None
        own: float = FIRST_PAUSE_SECONDS * 2**retries * random.uniform(0.5, 1.0)
        return max(asked, own)

    def failure(self, *, url: str, model: str, models: str, timeout_seconds: float) -> GenerationError:
        """The error that tells a person; `models` are the names that the server lists."""
        if self.kind is Kind.PROMPT_TOO_LONG:
            return PromptTooLong(self.kind, tokens=self.prompt_tokens or "?", limit=self.limit_tokens or "?")
        waited_seconds = {Kind.SILENT: timeout_seconds, Kind.NO_CONNECTION: CONNECT_SECONDS}
        told = GeneratorUnavailable if self.kind in UNAVAILABLE else GenerationFailed
        return told(
            self.kind,
            url=url,
            model=model,
            models=models,
            status=self.status or "",
            problem=self.problem or f"HTTP {self.status}",
            seconds=round(waited_seconds.get(self.kind) or self.retry_after_seconds or 0),
        )


def trouble_of_answer(
    status: int, body: object, *, model: str = "", secret: str = "", headers: Mapping[str, str] | None = None
) -> ServerTrouble:
    """The trouble behind an error answer, whichever of the usual shapes it has.

    Args:
        status: the HTTP status, or the code inside a streamed error.
        body: decoded JSON (with or without its outer `error`), or text.
        model: the name that was asked for.
        secret: the key, to be taken out of the server's words.
        headers: of the answer, for the pause it asks for.
    """
    message, code = _words(body)
    prompt_tokens, limit_tokens = _window(body, message)
    return ServerTrouble(
        _kind(status, message, code, model),
        status=status,
        problem=_tidy(message, secret),
        retry_after_seconds=_retry_after(headers or {}),
        prompt_tokens=prompt_tokens,
        limit_tokens=limit_tokens,
    )


def refused_fields(trouble: ServerTrouble, sent: Mapping[str, object], extras: frozenset[str]) -> set[str]:
    """The fields of a request that the server does not know, as far as it says so.

    Args:
        sent: the request's body.
        extras: fields outside the standard; one of these that is merely named was refused, while a standard one
            must be called unknown or unsupported, since its value may be what is wrong.
    """
    if trouble.kind is not Kind.REFUSED or trouble.status not in (400, 422):
        return set()
    named = {name for name in sent if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", trouble.problem)}
    named -= {"messages", "model", "stream"}
    if not _UNKNOWN.search(trouble.problem):
        named &= extras
    if not named and (trouble.status == 422 or _UNKNOWN_FIELD.search(trouble.problem)):
        return set(extras & sent.keys())
    return named


# -- reading the answer -------------------------------------------------------------------------------------

_UNKNOWN = re.compile(
    r"unexpected|unknown|unrecogni[sz]ed|unsupported|not supported|does not support|not permitted|not allowed"
    r"|extra (?:input|field)|forbidden|no such (?:field|parameter)",
    re.IGNORECASE,
)
_UNKNOWN_FIELD = re.compile(rf"(?:{_UNKNOWN.pattern})\W.*(?:field|parameter|argument|propert)", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window).*?(?:exceed|maximum|only|too)|maximum context length"
    r"|(?:exceed|larger|longer|greater|more)\w*\s(?:\w+\s){0,6}context|`inputs` tokens|prompt is too long",
    re.IGNORECASE | re.DOTALL,
)
_LIMIT = (
    r"maximum context length (?:is|of)\D{0,3}(\d+)",
    r"context length is (?:only )?(\d+)",
    r"must be <= (\d+)",
    r"context (?:size|window|length)\D{0,12}(\d+)",
    r"(\d+) maximum context length",
)
_PROMPT = (
    r"(\d+) in the (?:messages|prompt)",
    r"(?<!at least )\b(\d+) input tokens",  # "at least" is where vLLM stopped counting
    r"[Pp]rompt contains (\d+) tokens",
    r"resulted in (\d+) tokens",
    r"Given: (\d+) `inputs`",
    r"request \((\d+) tokens\)",
)


def _words(body: object) -> tuple[str, str]:
    """The message and the code of an error, in the shapes that servers use."""
    if isinstance(body, str):
        return ("" if body.lstrip().startswith("<") else body), ""
    if isinstance(body, list):
        return "; ".join(filter(None, (_words(item)[0] for item in body))), ""
    if not isinstance(body, Mapping):
        return "", ""
    inner = next((body[name] for name in ("message", "detail", "error", "msg") if body.get(name)), "")
    message, code = _words(inner)
    where = body.get("param") or ".".join(map(str, body.get("loc") or ()))
    if where and str(where) not in message:
        message = f"{where}: {message}"
    return message, str(body.get("code") or body.get("type") or code)


def _kind(status: int, message: str, code: str, model: str) -> Kind:
    if code in ("context_length_exceeded", "exceed_context_size_error") or (status < 500 and _TOO_LONG.search(message)):
        return Kind.PROMPT_TOO_LONG
    if _is_about_model(status, message, code, model):
        return Kind.MODEL_UNKNOWN
    if status == 503 and "loading" in message.lower():
        return Kind.LOADING
    if code == "insufficient_quota":
        return Kind.QUOTA
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    return Kind.SERVER_FAILED if status >= 500 else Kind.REFUSED


_KIND_OF_STATUS = {
    401: Kind.KEY_REFUSED,
    402: Kind.QUOTA,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_COMPATIBLE,
    405: Kind.NOT_COMPATIBLE,
    408: Kind.SERVER_FAILED,
    409: Kind.SERVER_FAILED,
    429: Kind.RATE_LIMITED,
}


def _is_about_model(status: int, message: str, code: str, model: str) -> bool:
    if code == "model_not_found":
        return True
    named = bool(model) and re.search(rf"(?<!\w){re.escape(model)}(?!\w)", message) is not None
    return status in (400, 404) and named and bool(re.search(r"\bmodel\b|\bpinned\b", message, re.IGNORECASE))


def _window(body: object, message: str) -> tuple[int | None, int | None]:
    """Tokens of the prompt and of the window, where the server gives them."""
    if isinstance(body, Mapping) and isinstance(body.get("n_ctx"), int):
        prompt = body.get("n_prompt_tokens")
        return (prompt if isinstance(prompt, int) else None), body["n_ctx"]
    return _first_number(_PROMPT, message), _first_number(_LIMIT, message)


def _first_number(patterns: tuple[str, ...], text: str) -> int | None:
    return next((int(match[1]) for pattern in patterns if (match := re.search(pattern, text))), None)


def _tidy(message: str, secret: str) -> str:
    """One short line, without the key and without the input that validators like to quote."""
    if secret:
        message = message.replace(secret, "***")
    message = re.split(r"""['"]?input['"]?\s*[:=]\s*[\[{'"]""", message)[0]
    line = " ".join(message.split()).rstrip(".")
    return line if len(line) <= LONGEST_PROBLEM else line[: LONGEST_PROBLEM - 1] + "…"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3): a number, or a date."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):
            return None


def decode_answer(text: str) -> dict[str, Any]:
    """The JSON object that `text` is.

    Raises:
        ServerTrouble: it is none.
    """
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return answer
    if text.startswith('{"error"'):  # transformers serve does not escape what it quotes
        raise ServerTrouble(Kind.SERVER_FAILED, status=500)
    raise ServerTrouble(Kind.NOT_COMPATIBLE if text.lstrip().startswith("<") else Kind.NOT_JSON)
