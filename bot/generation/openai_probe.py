"""Finds out what a compatible server is: where its API begins, its models, its window, and how it counts tokens.

There is no standard for any of these but the list of models, so each is asked for in the ways of the common servers
(vLLM, llama-server, Ollama, hosted ones), and the first that answers is believed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.generation.openai_client import Connection
from bot.generation.openai_errors import UNAVAILABLE, Kind, ServerTrouble
from bot.generation.openai_stream import estimate_prompt
from bot.types import PromptMessage

logger = logging.getLogger(__name__)

ASSUMED_WINDOW_TOKENS = 4096
OLLAMA_WINDOW_TOKENS = 4096
"""What Ollama gives a model whose `num_ctx` nobody set."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """Where a server's API begins, and the models it lists; some list none."""

    url: str
    models: tuple[Json, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The models' names."""
        return tuple(str(entry["id"]) for entry in self.models)

    @property
    def root(self) -> str:
        """Where the server's own methods begin."""
        return self.url.removesuffix("/v1")

    def entry(self, model: str) -> Json:
        """What is listed of the model; Ollama's names may leave `:latest` out."""
        return next((entry for entry in self.models if entry["id"] in (model, f"{model}:latest")), {})

    @property
    def is_ollama(self) -> bool:
        """Whether it is Ollama, which cuts a prompt that is too long without a word."""
        return any(entry.get("owned_by") == "library" for entry in self.models)


# -- where the API begins -----------------------------------------------------------------------------------


async def find_api(connection: Connection, url: str) -> Api:
    """Where the API begins: at `url`, with or without `/v1`.

    Raises:
        ServerTrouble: the server cannot be reached, refuses the key, or has no such API.
    """
    silent: dict[int, str] = {}  # an API may be there and yet not list its models
    for candidate in _candidates(url):
        try:
            models = _models(await connection.get(f"{candidate}/models"))
        except ServerTrouble as trouble:
            if trouble.status not in (400, 404, 405, 500, 501):
                raise
            if trouble.problem:
                silent.setdefault(trouble.status, candidate)
            continue
        if models is not None:
            return Api(candidate, models)
    if not silent:
        raise ServerTrouble(Kind.NOT_COMPATIBLE)
    # transformers serve answers 500 on a machine without a model cache; 404 says least
    return Api(silent[max(silent)])


def _candidates(url: str) -> tuple[str, str]:
    return (url, url.removesuffix("/v1")) if url.endswith("/v1") else (f"{url}/v1", url)


def _models(answer: object) -> tuple[Json, ...] | None:
    """The listed models, each with its `id`; None where the answer is no such list."""
    listed = answer
    if isinstance(answer, dict):
        listed = answer.get("data", answer.get("models"))
        if listed is None and answer.get("object") == "list":
            return ()  # Ollama without models
    if not isinstance(listed, list):
        return None
    named = ({**entry, "id": entry.get("id") or entry.get("name")} for entry in listed if isinstance(entry, dict))
    return tuple(entry for entry in named if entry["id"])


# -- how long its window is ---------------------------------------------------------------------------------


async def find_window(connection: Connection, api: Api, model: str) -> int | None:
    """Tokens of the model's window, as the server has it; None where it does not tell."""
    entry = api.entry(model)
    return (
        _listed_window(entry)
        or await _llama_window(connection, api)
        or await _ollama_window(connection, api, model)
        or _count((entry.get("meta") or {}).get("n_ctx_train"))
    )


def _listed_window(entry: Json) -> int | None:
    """vLLM and SGLang; llama-server; OpenRouter and Together; Groq; Mistral."""
    fields = ("max_model_len", "context_length", "context_window", "max_context_length")
    meta = entry.get("meta") or {}
    return next(filter(None, (_count(value) for value in (meta.get("n_ctx"), *map(entry.get, fields)))), None)


async def _llama_window(connection: Connection, api: Api) -> int | None:
    answer = await _answer(connection.get(f"{api.root}/props"))
    settings = answer.get("default_generation_settings")
    return _count(settings.get("n_ctx")) if isinstance(settings, dict) else None


async def _ollama_window(connection: Connection, api: Api, model: str) -> int | None:
    """Ollama's: of the loaded model, else its `num_ctx`, else the default; the model's own length is only a bound."""
    shown = await _answer(connection.post(f"{api.root}/api/show", {"model": model}))
    info = shown.get("model_info")
    if not isinstance(info, dict):
        return None
    running = Api("", _models(await _answer(connection.get(f"{api.root}/api/ps"))) or ())
    loaded = running.entry(model).get("context_length")
    configured = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters", "")), re.MULTILINE)
    trained = next((_count(value) for name, value in info.items() if name.endswith(".context_length")), None)
    window = _count(loaded) or (int(configured[1]) if configured else OLLAMA_WINDOW_TOKENS)
    return min(window, trained) if trained else window


async def _answer(request: Awaitable[object]) -> Json:
    """The object that is answered; empty where there is none."""
    try:
        answer = await request
    except ServerTrouble:
        return {}
    return answer if isinstance(answer, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


# -- how it counts tokens -----------------------------------------------------------------------------------


class TokenCounter:
    """Counts the tokens of prompts with the server's own tokenizer where it has one, else by estimate."""

    def __init__(self, connection: Connection, api: Api, model: str | None) -> None:
        self._connection = connection
        self._api = api
        self._model = {"model": model} if model else {}
        self._ways: tuple[_Way, ...] = (self._ask_llama, self._ask_vllm, self._ask_old_llama)
        self._proven = False

    async def count(self, messages: Sequence[PromptMessage]) -> tuple[int, bool]:
        """Tokens of the prompt, chat template included, and whether they are exact."""
        body: Json = {"messages": chat_messages(messages), **self._model}
        for way in self._ways:
            try:
                tokens = await way(body)
            except ServerTrouble as trouble:
                if self._proven or trouble.kind in UNAVAILABLE:
                    break  # not the way's fault
                continue
            if tokens is not None:
                self._ways, self._proven = (way,), True
                return tokens, True
        else:
            self._ways = ()
            logger.debug("the server has no tokenizer to ask; tokens are estimated")
        return estimate_prompt(messages), False

    async def _ask_llama(self, body: Json) -> int | None:
        return await self._number(f"{self._api.url}/chat/completions/input_tokens", body, "input_tokens")

    async def _ask_vllm(self, body: Json) -> int | None:
        return await self._number(f"{self._api.root}/tokenize", body, "count")

    async def _ask_old_llama(self, body: Json) -> int | None:
        """llama-server before it had `input_tokens`."""
        answer = await self._connection.post(f"{self._api.root}/apply-template", {"messages": body["messages"]})
        if not isinstance(answer, dict) or not isinstance(prompt := answer.get("prompt"), str):
            return None
        content = {"content": prompt, "add_special": True, "parse_special": True}
        answer = await self._connection.post(f"{self._api.root}/tokenize", content)
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        return len(tokens) if isinstance(tokens, list) else None

    async def _number(self, url: str, body: Json, field: str) -> int | None:
        answer = await self._connection.post(url, body)
        return _count(answer.get(field)) if isinstance(answer, dict) else None


_Way = Callable[[Json], Awaitable[int | None]]


def chat_messages(messages: Sequence[PromptMessage]) -> list[dict[str, str]]:
    """The messages as servers want them. Lone surrogates, which JSON cannot carry as UTF-8, become `?`."""
    return [
        {"role": message.role.value, "content": message.content.encode("utf-8", "replace").decode()}
        for message in messages
    ]
