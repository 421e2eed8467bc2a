"""The `openai` generator against what compatible servers leave out, add and put elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from bot.types import EndReason, Prompt, PromptMessage, Role, Sampling, Usage
from tests.generation.openai_asking import PLAIN, QUESTION, ask, generator
from tests.servers.openai_server import (
    REPLY,
    Answer,
    End,
    OpenAIServer,
    chunk,
    event,
    json_answer,
    stream,
    usage_chunk,
)

HELLO = (chunk(role="assistant"), chunk("Hello"), chunk(" you"))
COUNTS = {"usage": usage_chunk()["usage"]}
COUNTED = Usage(11, 0, 2)


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    """A server that answers `Hello you`."""
    async with OpenAIServer() as listening:
        yield listening


# -- what a stream may look like ----------------------------------------------------------------------------

SHAPES = {
    "as the standard has it": REPLY,
    "usage in the finish chunk, and no [DONE]": stream(*HELLO, chunk(finish="stop") | COUNTS),
    "usage after the finish, and no [DONE]": stream(*HELLO, chunk(finish="stop"), usage_chunk()),
    "usage in every chunk": stream(*(part | COUNTS for part in HELLO), chunk(finish="stop")),
    "finish_reason null at the end": stream(*HELLO, usage_chunk(), "[DONE]"),
    "neither a finish nor [DONE]": stream(*HELLO, usage_chunk()),
    "choices null with the usage": stream(*HELLO, chunk(finish="stop"), usage_chunk() | {"choices": None}, "[DONE]"),
    "empty choices first, as Azure": stream({"choices": []}, *HELLO, chunk(finish="stop"), usage_chunk(), "[DONE]"),
    "content null and empty": stream(
        chunk(role="assistant", content=None), chunk(""), *HELLO, chunk(finish="stop"), usage_chunk(), "[DONE]"
    ),
    "delta missing": stream(*HELLO, {"choices": [{"index": 0, "finish_reason": "stop"}]}, usage_chunk(), "[DONE]"),
    "content in typed parts": stream(
        {"choices": [{"delta": {"content": [{"type": "text", "text": "Hello you"}]}}]},
        chunk(finish="stop"), usage_chunk(), "[DONE]",
    ),
    "unknown fields and events": Answer(
        (b": ping\n\n", b"event: message\nid: 7\nretry: 10\n", *REPLY.pieces, b": bye\n\n")
    ),
    "lines that end in CR LF": Answer(tuple(piece.replace(b"\n", b"\r\n") for piece in REPLY.pieces)),
    "no empty lines, no space": Answer(
        tuple(piece.replace(b"\n\n", b"\n").replace(b": ", b":", 1) for piece in REPLY.pieces)
    ),
    "no line break at the end": Answer((*REPLY.pieces[:-1], b"data: [DONE]")),
    "everything in one write": Answer((b"".join(REPLY.pieces),)),
    "one byte a write": Answer(tuple(bytes([byte]) for byte in b"".join(REPLY.pieces))),
    "another content type": Answer(REPLY.pieces, content_type="application/octet-stream"),
    "no stream, but one completion": json_answer(
        {"choices": [{"message": {"content": "Hello you"}, "finish_reason": "stop"}]} | COUNTS
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
async def test_a_reply_arrives_whole_whatever_its_shape(server: OpenAIServer, shape: Answer) -> None:
    server.reply = shape
    async with generator(server.url) as model:
        said = await ask(model)
    assert said.text == "Hello you"
    assert (said.end.reason, said.end.usage) == (EndReason.STOP, COUNTED)


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (usage_chunk(prompt_tokens_details={"cached_tokens": 7}), Usage(11, 7, 2)),
        (usage_chunk(prompt_tokens_details=None), COUNTED),
        (usage_chunk() | {"timings": {"cache_n": 8, "prompt_n": 3, "predicted_n": 2}}, Usage(11, 8, 2)),
        ({"choices": [], "timings": {"cache_n": 8, "prompt_n": 3, "predicted_n": 2}}, Usage(11, 8, 2)),
    ],
    ids=["standard", "standard, null", "llama-server", "llama-server without usage"],
)
async def test_cached_tokens_are_told(server: OpenAIServer, counts: dict[str, object], usage: Usage) -> None:
    server.reply = stream(*HELLO, chunk(finish="stop"), counts, "[DONE]")
    async with generator(server.url) as model:
        assert (await ask(model)).end.usage == usage


async def test_tokens_are_estimated_where_the_server_does_not_count(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = stream(*HELLO, chunk(finish="length"), "[DONE]")
    with caplog.at_level(logging.DEBUG):
        async with generator(server.url) as model:
            said = await ask(model)
            assert said.end.usage == Usage(await model.count(QUESTION), 0, 4)
    assert said.end.reason is EndReason.LENGTH
    assert "estimated" in caplog.text


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_in_a_field_of_its_own_is_told_apart(server: OpenAIServer, field: str) -> None:
    thought = (chunk(**{field: "Hm. "}), chunk(**{field: "Ah."}), chunk("", **{field: None}))
    server.reply = stream(*thought, *HELLO, chunk(finish="stop"), usage_chunk(), "[DONE]")
    async with generator(server.url) as model:
        said = await ask(model)
    assert (said.reasoning, said.text) == ("Hm. Ah.", "Hello you")


async def test_characters_split_over_network_packets_stay_whole(server: OpenAIServer) -> None:
    text = "naïve 你好 👩‍👩‍👧 line\u2028separator\x85"
    whole = b"".join(event(part) for part in (chunk(text), chunk(finish="stop"), usage_chunk(), "[DONE]"))
    server.reply = Answer(tuple(whole[at : at + 3] for at in range(0, len(whole), 3)))
    async with generator(server.url) as model:
        assert (await ask(model)).text == text


async def test_a_server_that_never_ends_its_stream_does_not_hold_the_reply(server: OpenAIServer) -> None:
    server.reply = stream(*HELLO, chunk(finish="stop"), usage_chunk(), "[DONE]", end=End.OPEN)
    async with generator(server.url) as model:
        assert (await ask(model)).end.usage == COUNTED


async def test_usage_that_never_comes_does_not_hold_the_reply(server: OpenAIServer) -> None:
    server.reply = stream(*HELLO, chunk(finish="stop"), end=End.OPEN)
    async with generator(server.url) as model:
        assert (await ask(model)).text == "Hello you"


# -- stop strings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["one ", "two END"], "one two "),
        (["one E", "N", "D two"], "one "),
        (["one EN", "ough"], "one ENough"),
        (["one EN"], "one EN"),
        (["one EEND two"], "one E"),
    ],
)
async def test_a_stop_string_is_no_part_of_the_reply(server: OpenAIServer, pieces: list[str], text: str) -> None:
    server.reply = stream(*map(chunk, pieces), chunk(finish="stop"), usage_chunk(), "[DONE]")
    async with generator(server.url) as model:
        said = await ask(model, QUESTION, Sampling(stop=("END", "\n\n\n")))
    assert said.text == text
    assert server.chats[0]["stop"] == ["END", "\n\n\n"]


async def test_a_server_that_knows_no_stop_strings_is_left(server: OpenAIServer) -> None:
    server.reply = stream(chunk("one END"), chunk(" two"), end=End.HELD)
    async with generator(server.url) as model:
        said = await ask(model, QUESTION, Sampling(stop=("END",)))
        await asyncio.wait_for(server.hung_up.wait(), 10)
    assert said.text == "one "


# -- stopping -----------------------------------------------------------------------------------------------


async def test_closing_the_stream_hangs_up(server: OpenAIServer) -> None:
    server.reply = stream(*HELLO, end=End.HELD)
    async with generator(server.url) as model:
        async with aclosing(model.stream(QUESTION, PLAIN)) as events:
            await anext(events)
        await asyncio.wait_for(server.hung_up.wait(), 10)


async def test_cancelling_the_reader_hangs_up(server: OpenAIServer) -> None:
    server.reply = stream(chunk(role="assistant"), end=End.HELD)
    async with generator(server.url) as model:
        reader = asyncio.create_task(ask(model))
        while not server.chats:
            await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await asyncio.wait_for(server.hung_up.wait(), 10)


async def test_replies_stream_side_by_side(server: OpenAIServer) -> None:
    server.replies.append(stream(*HELLO, end=End.HELD))
    async with generator(server.url) as model, aclosing(model.stream(QUESTION, PLAIN)) as held:
        await anext(held)
        assert [said.text for said in await asyncio.gather(*(ask(model) for _ in range(8)))] == ["Hello you"] * 8


# -- what is sent -------------------------------------------------------------------------------------------


async def test_the_sampling_is_sent_as_it_was_set(server: OpenAIServer) -> None:
    sampling = Sampling(0.5, 0.9, 40, 0.05, 1.1, seed=7, max_tokens=64, stop=("END",), logprobs=True)
    async with generator(server.url, name="tiny") as model:
        await ask(model, Prompt((PromptMessage(Role.SYSTEM, "Be brief."), *QUESTION.messages)), sampling)
    assert server.chats == [
        {
            "model": "tiny",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is the capital of France?"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 40,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
            "repeat_penalty": 1.1,
            "seed": 7,
            "max_tokens": 64,
            "stop": ["END"],
            "logprobs": True,
        }
    ]


async def test_log_probabilities_come_with_their_text(server: OpenAIServer) -> None:
    parts = [chunk("one E"), chunk("N"), chunk("ough")]
    for part, logprob in zip(parts, (-0.5, -0.25, -0.125), strict=True):
        part["choices"][0]["logprobs"] = {"content": [{"token": "?", "logprob": logprob}]}
    server.reply = stream(*parts, chunk(finish="stop"), "[DONE]")
    async with generator(server.url) as model:
        said = await ask(model, QUESTION, Sampling(stop=("END",), logprobs=True))
    assert [(piece.text, piece.logprobs) for piece in said.pieces] == [("one ", (-0.5,)), ("ENough", (-0.25, -0.125))]


async def test_half_a_surrogate_pair_does_not_break_the_request(server: OpenAIServer) -> None:
    async with generator(server.url) as model:
        await ask(model, Prompt((PromptMessage(Role.USER, "cut \ud83d"),)))
    assert server.chats[0]["messages"][0]["content"] == "cut ?"
