"""Models come from a hub through its own library, whose variables hold; each test asks a hub of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import DownloadError
from bot.generation import hub
from tests.generation.gguf_files import write_gguf
from tests.servers.files_server import COMMIT, Fault, FilesServer

PROGRAM = """
import json, sys
from pathlib import Path
from bot.errors import ModelError
from bot.generation.install import describe, install
from tests.generation.watching import Notebook
reference, folder = sys.argv[1], Path(sys.argv[2])
try:
    installed = install(describe(reference, folder), folder, watcher=Notebook())
    print(json.dumps({"path": str(installed.path), "already": installed.already}))
except ModelError as error:
    print(json.dumps({"error": error.key, "told": str(error)}))
"""
"""The library reads its variables once, when it is imported: each installation has a process of its own."""


@pytest.fixture
def server() -> Iterator[FilesServer]:
    """A hub without models."""
    with FilesServer() as server:
        yield server


class Hub:
    """Installs from a hub, with a cache of its own."""

    def __init__(self, server: FilesServer, folder: Path) -> None:
        self.models = folder / "models"
        self.cache = folder / "hf"
        self._variables = {"HF_ENDPOINT": server.url, "HF_HOME": str(self.cache), "HF_HUB_DISABLE_TELEMETRY": "1"}

    def install(self, reference: str, **variables: str) -> dict[str, str]:
        """What the program said."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {**self._variables, **variables, "NO_PROXY": "*", "PYTHONWARNINGS": "error"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, reference, str(self.models)],
            env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return answer


@pytest.fixture
def hub_at(server: FilesServer, tmp_path: Path) -> Hub:
    """Installs from the server."""
    return Hub(server, tmp_path)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A small model."""
    return write_gguf(tmp_path / "original.gguf").read_bytes()


def test_the_usual_quantisation_is_chosen_and_verified(server: FilesServer, hub_at: Hub, content: bytes) -> None:
    server.publish("org/name", {"name-Q8_0.gguf": b"x", "name-Q4_K_M.gguf": content, "mmproj-Q4_K_M.gguf": b"x"})
    path = Path(hub_at.install("org/name")["path"])
    assert path == hub_at.models / "org--name" / "name-Q4_K_M.gguf"
    assert path.read_bytes() == content
    assert hub_at.install("org/name")["already"]


def test_a_quantisation_can_be_asked_for(server: FilesServer, hub_at: Hub, content: bytes) -> None:
    server.publish("org/name", {"name-Q8_0.gguf": content, "name-Q4_K_M.gguf": b"x"})
    assert hub_at.install("org/name:q8_0")["path"].endswith("name-Q8_0.gguf")
    answer = hub_at.install("org/name:Q2_K")
    assert answer["error"] == "models.hub_no_file"
    assert "name-Q4_K_M.gguf" in answer["told"]


def test_what_differs_from_the_hubs_own_hash_is_refused(server: FilesServer, hub_at: Hub, content: bytes) -> None:
    server.publish("org/name", {"name.gguf": content})
    for path in [path for path in server.files if path.endswith("name.gguf")]:
        server.files[path] = content[:-1] + b"?"
    assert hub_at.install("org/name")["error"] == "models.wrong_hash"


def test_safetensors_come_with_what_belongs_to_them(server: FilesServer, hub_at: Hub) -> None:
    files = {"config.json": b"{}", "model.safetensors": b"weights", "tokenizer.json": b"{}", "pytorch_model.bin": b"x"}
    server.publish("org/name", {**files, "original/model.safetensors": b"x"})
    path = Path(hub_at.install("org/name")["path"])
    assert {file.name for file in path.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}


def test_the_users_hub_cache_is_used_without_the_network(server: FilesServer, hub_at: Hub, content: bytes) -> None:
    repository = hub_at.cache / "hub" / "models--Qwen--Qwen3-4B-GGUF"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    (snapshot / "Qwen3-4B-Q4_K_M.gguf").write_bytes(content)
    assert hub_at.install("qwen3-4b", HF_HUB_OFFLINE="1")["path"] == str(hub_at.models / "Qwen3-4B-Q4_K_M.gguf")
    assert not server.requests


def test_a_file_that_is_damaged_in_the_hubs_cache_is_fetched_anew(
    server: FilesServer, hub_at: Hub, content: bytes
) -> None:
    server.publish("org/name", {"m.gguf": content})
    folder = hub_at.cache / "hub" / "models--org--name"
    for part in ("refs", f"snapshots/{COMMIT}"):
        (folder / part).mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT / "m.gguf").write_bytes(content[:-1] + b"?")
    answer = hub_at.install("org/name")
    assert "path" in answer, answer
    assert Path(answer["path"]).read_bytes() == content


def test_offline_is_told(server: FilesServer, hub_at: Hub, content: bytes) -> None:
    server.publish("org/name", {"name.gguf": content})
    answer = hub_at.install("org/name", HF_HUB_OFFLINE="1")
    assert answer["error"] == "models.hub_offline"
    assert not server.requests


def test_a_token_is_sent_and_a_gated_model_told(server: FilesServer, hub_at: Hub) -> None:
    gated = Fault(status=403, headers={"X-Error-Code": "GatedRepo"})
    server.faults["/api/models/org/name"] = [gated]
    answer = hub_at.install("org/name", HF_TOKEN="hf_secret")
    assert answer["error"] == "models.hub_gated"
    assert "hf_secret" not in answer["told"]
    assert server.requests[0].headers["authorization"] == "Bearer hf_secret"


def test_a_repository_that_is_not_there_is_told(server: FilesServer, hub_at: Hub) -> None:
    server.faults["/api/models/org/none"] = [Fault(status=404, headers={"X-Error-Code": "RepoNotFound"})]
    assert hub_at.install("org/none")["error"] == "models.hub_missing"


def test_a_repository_without_weights_is_told(server: FilesServer, hub_at: Hub) -> None:
    server.publish("org/name", {"README.md": b"", "model-00001-of-00002.gguf": b""})
    assert hub_at.install("org/name")["error"] == "models.hub_no_weights"


def test_a_hub_that_cannot_be_reached_is_told(hub_at: Hub) -> None:
    answer = hub_at.install("org/name", HF_ENDPOINT="http://127.0.0.1:9")
    assert answer["error"] == "models.hub_unreachable"
    assert "refused" in answer["told"]


def test_without_the_library_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError) as caught:
        hub.inspect("org/name")
    assert '.venv/bin/pip install -e ".[hub]"' in str(caught.value)
