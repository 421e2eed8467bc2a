"""The `openai` generator where a server refuses a field, a length or a prompt, and may accept another request."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.errors import GenerationFailed, PromptTooLong
from bot.types import Prompt, PromptMessage, Role, Sampling
from tests.generation.openai_asking import QUESTION, ask, generator
from tests.servers.openai_server import Answer, OpenAIServer, json_answer, stream


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    """A server that answers `Hello you`."""
    async with OpenAIServer() as listening:
        yield listening


# -- fields that a server refuses ---------------------------------------------------------------------------

EXTRAS = {"top_k", "min_p", "repetition_penalty", "repeat_penalty"}
REFUSALS = {
    "transformers serve": (
        json_answer({"detail": "Unexpected fields in the request: {'repeat_penalty', 'min_p', 'top_k', "
                               "'repetition_penalty'}"}, 422), EXTRAS,
    ),
    "pydantic": (
        json_answer({"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not "
                                 "permitted", "input": 3}]}, 422), {"top_k"},
    ),
    "hosted": (
        json_answer({"error": {"message": "Unrecognized request argument supplied: min_p", "code": None}}, 400),
        {"min_p"},
    ),
    "without a name": (json_answer({"error": "unknown field in the request"}, 400), EXTRAS),
    "without a word": (json_answer({}, 422), EXTRAS),
    "stream_options": (
        json_answer({"error": {"message": "stream_options is not supported"}}, 400), {"stream_options"},
    ),
    "in the stream": (stream({"error": {"code": 400, "message": "unknown parameter: top_k"}}), {"top_k"}),
}  # fmt: skip
ALL_FIELDS = Sampling(0.5, None, 40, 0.05, 1.1, max_tokens=64)


@pytest.mark.parametrize(("refusal", "fields"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_refused_fields_are_left_out_and_remembered(
    server: OpenAIServer, refusal: Answer, fields: set[str]
) -> None:
    server.replies.append(refusal)
    async with generator(server.url) as model:
        assert (await ask(model, QUESTION, ALL_FIELDS)).text == "Hello you"
        await ask(model, QUESTION, ALL_FIELDS)
    first, second, third = server.chats
    assert first.keys() - second.keys() == fields
    assert third == second


async def test_the_newer_name_of_the_limit_is_found(server: OpenAIServer) -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    server.replies.append(json_answer({"error": {"message": message, "param": "max_tokens"}}, 400))
    async with generator(server.url) as model:
        await ask(model)
        await ask(model)
    assert [body.get("max_completion_tokens") for body in server.chats] == [None, 12, 12]
    assert "max_tokens" not in server.chats[1]


async def test_a_wrong_value_is_told_and_not_dropped(server: OpenAIServer) -> None:
    server.reply = json_answer({"error": {"message": "temperature must be at most 2.", "param": "temperature"}}, 400)
    async with generator(server.url) as model:
        with pytest.raises(GenerationFailed, match=r"refused the request: temperature must be at most 2\.$"):
            await ask(model, QUESTION, Sampling(temperature=5))
    assert len(server.chats) == 1


# -- the window ---------------------------------------------------------------------------------------------

TOO_MUCH = {
    "vLLM 0.6": "This model's maximum context length is 2048 tokens. However, you requested 2060 tokens (1548 in the "
    "messages, 512 in the completion). Please reduce the length of the messages or completion.",
    "vLLM 0.11": "'max_tokens' or 'max_completion_tokens' is too large: 512. This model's maximum context length is "
    "2048 tokens and your request has 1548 input tokens (512 > 2048 - 1548).",
    "vLLM, by another way": "You passed 1548 input tokens and requested 512 output tokens. However, the model's "
    "context length is only 2048 tokens, resulting in a maximum input length of 1536 tokens.",
    "text generation inference": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: "
    "1548 `inputs` tokens and 512 `max_new_tokens`",
}


@pytest.mark.parametrize("message", TOO_MUCH.values(), ids=TOO_MUCH.keys())
async def test_a_reply_that_does_not_fit_beside_its_prompt_is_made_shorter(server: OpenAIServer, message: str) -> None:
    server.replies.append(json_answer({"error": {"message": message, "type": "BadRequestError", "code": 400}}, 400))
    async with generator(server.url) as model:
        assert (await ask(model, QUESTION, Sampling(max_tokens=512))).text == "Hello you"
        assert model.context_length == 2048
    assert [body["max_tokens"] for body in server.chats] == [512, 500]


async def test_a_server_that_stopped_counting_is_asked_for_the_count(server: OpenAIServer) -> None:
    message = (
        "This model's maximum context length is 2048 tokens. However, you requested 512 output tokens and your prompt "
        "contains at least 1537 input tokens, for a total of at least 2049 tokens."
    )
    server.replies.append(json_answer({"error": {"message": message}}, 400))
    server.routes["/tokenize"] = json_answer({"count": 1700, "max_model_len": 2048, "tokens": []})
    async with generator(server.url) as model:
        await ask(model, QUESTION, Sampling(max_tokens=512))
    assert [body["max_tokens"] for body in server.chats] == [512, 348]


@pytest.mark.parametrize(
    ("error", "values"),
    [
        (
            {"message": "This model's maximum context length is 2048 tokens. However, your request has 3000 input "
             "tokens."},
            {"tokens": 3000, "limit": 2048},
        ),
        (
            {"type": "exceed_context_size_error", "message": "too big", "n_prompt_tokens": 3000, "n_ctx": 2048},
            {"tokens": 3000, "limit": 2048},
        ),
        (
            {"code": "context_length_exceeded", "message": "Your messages resulted in 3000 tokens."},
            {"tokens": 3000, "limit": 4096},
        ),
        (
            {"message": "the request exceeds the available context size, try increasing it"},
            {"tokens": 18, "limit": 4096},
        ),
    ],
    ids=["vLLM", "llama-server", "hosted", "llama-server before figures"],
)  # fmt: skip
async def test_a_prompt_beyond_the_window_is_too_long(
    server: OpenAIServer, error: dict[str, object], values: dict[str, int]
) -> None:
    server.reply = json_answer({"error": error}, 400)
    async with generator(server.url) as model:
        with pytest.raises(PromptTooLong) as caught:
            await ask(model)
    assert caught.value.values == values
    assert len(server.chats) == 1


async def test_what_still_does_not_fit_when_made_shorter_is_too_long(server: OpenAIServer) -> None:
    server.reply = json_answer({"error": {"message": TOO_MUCH["vLLM 0.6"]}}, 400)
    async with generator(server.url) as model:
        with pytest.raises(PromptTooLong):
            await ask(model, QUESTION, Sampling(max_tokens=512))
    assert len(server.chats) == 2


async def test_ollama_is_never_given_what_it_would_silently_cut(server: OpenAIServer) -> None:
    server.routes["/v1/models"] = json_answer({"data": [{"id": "tiny:latest", "owned_by": "library"}]})
    server.routes["/api/show"] = json_answer({"model_info": {"llama.context_length": 131072}, "parameters": ""})
    async with generator(server.url, name="tiny") as model:
        with pytest.raises(PromptTooLong) as caught:
            await ask(model, Prompt((PromptMessage(Role.USER, "word " * 3000),)))
    assert caught.value.values == {"tokens": 5008, "limit": 4096}
    assert server.chats == []
