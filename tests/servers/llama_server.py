"""llama-server, as it is inside xllamacpp, in a process of its own: `llama_server(model)`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.servers.process import ServerProcess

KEY = "secret"
CONTEXT_TOKENS = 2048


def llama_server(model: Path) -> ServerProcess:
    """The server on a free port of the loopback, with one slot and a key."""
    return ServerProcess((sys.executable, __file__, str(model)), ready=r"listening at (\S+)")


def main() -> None:
    """Serve the model named on the command line until standard input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup = False
    params.verbosity = -1
    params.api_keys = [KEY]
    params.endpoint_slots = True
    server = xllamacpp.Server(params)
    sys.stdout.write(f"listening at {server.listening_address}\n")
    sys.stdin.read()


if __name__ == "__main__":
    sys.path.pop(0)  # this folder's modules are no top-level ones
    main()
