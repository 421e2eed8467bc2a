"""What Parley is compared with: xllamacpp and nothing else. As a script: load, ask once, print, exit."""

from __future__ import annotations

import sys

import xllamacpp

PERSONA = "You are a helpful AI assistant named Parley. Use clear and simple language."


def ask(model: str, question: str, *, threads: int, context_tokens: int) -> str:
    """The model's greedy answer under the same standing prompt as Parley's."""
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = context_tokens
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.warmup = False
    params.verbosity = -1
    server = xllamacpp.Server(params)
    messages = [{"role": "system", "content": PERSONA}, {"role": "user", "content": question}]
    answer = server.handle_chat_completions({"messages": messages, "temperature": 0, "max_tokens": 256})
    return str(answer["choices"][0]["message"]["content"])


if __name__ == "__main__":
    print(ask(sys.argv[1], sys.argv[2], threads=int(sys.argv[3]), context_tokens=2048))
