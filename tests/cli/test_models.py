"""`parley models` lists, adds, chooses and removes models, and says what it did."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from bot.cli import main
from bot.generation.catalog import DEFAULT_MODEL
from tests.cli.program import PARLEY, parley
from tests.generation.gguf_files import sha256_of, write_gguf
from tests.servers.files_server import Fault, FilesServer

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def server() -> Iterator[FilesServer]:
    """Serves a small model."""
    with FilesServer() as server:
        yield server


@pytest.fixture
def models(home: Path) -> Path:
    """The models folder, with an own catalogue that knows one small model."""
    folder = home / "models"
    folder.mkdir(parents=True)
    path = write_gguf(folder / "original.bin")
    content = path.read_bytes()
    path.rename(home / "original.gguf")
    (folder / "catalog.toml").write_text(
        f"""
        [[models]]
        name = "tiny"
        title = "Tiny"
        format = "gguf"
        file = "tiny.gguf"
        licence = "CC0-1.0"
        size_bytes = {len(content)}
        sha256 = "{sha256_of(content)}"
        languages = ["en"]
        sources = [{{ path = "../original.gguf" }}]
        """,
        encoding="utf-8",
    )
    return folder


def damage(path: Path) -> None:
    """Turn bits in the middle; the file's size and time stay."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def configuration_of(path: Path) -> dict[str, dict[str, str]]:
    """A parley.toml as it stands."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_adding_installs_and_adding_again_says_so(models: Path, capsys: Captured) -> None:
    assert main(["models", "add", "tiny"]) == 0
    assert capsys.readouterr().out == f"tiny is installed: {models / 'tiny.gguf'}\n"
    assert main(["models", "add", "tiny"]) == 0
    assert "already" in capsys.readouterr().out


def test_adding_without_a_name_installs_the_configured_model(
    models: Path, default_model: Path, capsys: Captured
) -> None:
    shutil.copyfile(default_model, models / FILE)
    assert main(["models", "add"]) == 0
    assert f"{DEFAULT_MODEL} is installed already" in capsys.readouterr().out


def test_adding_again_replaces_a_file_that_was_damaged_unnoticed(models: Path, home: Path, capsys: Captured) -> None:
    """Size, time and record are as they were, as when a disk fails."""
    main(["models", "add", "tiny"])
    damage(models / "tiny.gguf")
    capsys.readouterr()
    assert main(["models", "add", "tiny"]) == 0
    said = capsys.readouterr()
    assert "to see whether it is whole" in said.err
    assert "not as it should be" in said.err
    assert "tiny is installed:" in said.out
    assert (models / "tiny.gguf").read_bytes() == (home / "original.gguf").read_bytes()


def test_a_damaged_file_from_an_address_is_known_by_its_record(
    server: FilesServer, models: Path, home: Path, capsys: Captured
) -> None:
    url = f"{server.url}/my.gguf"
    server.files["/my.gguf"] = (home / "original.gguf").read_bytes()
    main(["models", "add", url])
    damage(models / "my.gguf")
    assert main(["models", "add", url]) == 0
    assert "not as it should be" in capsys.readouterr().err
    assert (models / "my.gguf").read_bytes() == server.files["/my.gguf"]


def test_a_damaged_file_stays_where_it_cannot_be_fetched_again_and_is_not_taken_for_whole_later(
    models: Path, home: Path, capsys: Captured
) -> None:
    main(["models", "add", "tiny"])
    damage(models / "tiny.gguf")
    (home / "original.gguf").rename(home / "away.gguf")
    for _ in range(2):
        assert main(["models", "add", "tiny"]) == 1
    assert (models / "tiny.gguf").is_file()
    (home / "away.gguf").rename(home / "original.gguf")
    assert main(["models", "add", "tiny"]) == 0
    assert "tiny is installed:" in capsys.readouterr().out


@pytest.mark.usefixtures("models")
def test_progress_is_lines_of_percent_where_there_is_no_terminal(capsys: Captured) -> None:
    main(["models", "add", "tiny"])
    assert "100 %" in capsys.readouterr().err


def test_an_unknown_model_brings_the_nearest(capsys: Captured) -> None:
    assert main(["models", "add", "smolm2"]) == 1
    assert DEFAULT_MODEL in capsys.readouterr().err


def test_adding_from_an_address_and_choosing_it(server: FilesServer, models: Path, home: Path) -> None:
    server.files["/files/my.gguf"] = (home / "original.gguf").read_bytes()
    assert main(["models", "add", f"{server.url}/files/my.gguf"]) == 0
    assert main(["models", "use", "my"]) == 0
    assert configuration_of(home / "parley.toml") == {"model": {"name": "my"}}


def test_a_served_model_needs_no_installing(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("PARLEY_MODEL__BASE_URL", "http://localhost:1/v1")
    assert main(["models", "add"]) == 1
    assert "http://localhost:1/v1" in capsys.readouterr().err


# -- choosing -----------------------------------------------------------------------------------------------


def test_choosing_installs_what_is_missing_first(models: Path, home: Path, capsys: Captured) -> None:
    assert main(["models", "use", "tiny"]) == 0
    said = capsys.readouterr()
    assert "installing it first" in said.err
    assert "tiny answers from now on" in said.out
    assert "llama.cpp" in said.out
    assert (models / "tiny.gguf").is_file()
    assert configuration_of(home / "parley.toml")["model"]["name"] == "tiny"


@pytest.mark.usefixtures("models")
def test_choosing_leaves_the_rest_of_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "parley.toml"
    before = '# mine\nlanguage = "en"\n\n[model] # which\nname = "old" # once\nslots = 3\n\n[chat]\npersona = "tutor"\n'
    file.write_text(before, encoding="utf-8")
    file.chmod(0o640)
    assert main(["models", "use", "tiny"]) == 0
    assert file.read_text(encoding="utf-8") == before.replace('"old"', '"tiny"')
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.usefixtures("models")
def test_choosing_a_local_model_leaves_the_server_and_a_generator_that_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "parley.toml"
    file.write_text('[model]\nname = "x"\nbase_url = "http://localhost:1/v1"\ngenerator = "openai"\n', encoding="utf-8")
    assert main(["models", "use", "tiny"]) == 0
    assert configuration_of(file) == {"model": {"name": "tiny"}}


def test_a_model_that_cannot_talk_is_not_even_installed(home: Path, capsys: Captured) -> None:
    assert main(["models", "use", "all-minilm-l6-v2"]) == 1
    assert "compares texts" in capsys.readouterr().err
    assert not (home / "models").exists()


def test_choosing_a_file_writes_its_full_path(home: Path, tmp_path: Path) -> None:
    write_gguf(tmp_path / "mine.gguf")
    assert main(["models", "use", "./mine.gguf"]) == 0
    assert configuration_of(home / "parley.toml")["model"]["name"] == str(tmp_path / "mine.gguf")


def test_choosing_what_does_not_exist_writes_nothing(home: Path, capsys: Captured) -> None:
    assert main(["models", "use", "./none.gguf"]) == 1
    assert "none.gguf" in capsys.readouterr().err
    assert not (home / "parley.toml").exists()


@pytest.mark.usefixtures("models")
def test_a_variable_that_outweighs_the_file_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("PARLEY_MODEL__NAME", "another")
    assert main(["models", "use", "tiny"]) == 0
    assert "PARLEY_MODEL__NAME" in capsys.readouterr().out


def use_from_hub(server: FilesServer, reference: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program, for which the server is the hub; the hub's library reads its variables once a process."""
    hub = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": "hf",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "*",
    }
    return parley("models", "use", reference, variables={"PARLEY_MODEL__GENERATOR": "auto", **hub, **variables})


@pytest.mark.parametrize(("reference", "file"), [("org/name", "name-Q4_K_M.gguf"), ("org/name:Q8_0", "name-Q8_0.gguf")])
def test_choosing_a_hubs_model_fetches_it_first(
    server: FilesServer, home: Path, models: Path, reference: str, file: str
) -> None:
    content = (home / "original.gguf").read_bytes()
    server.publish("org/name", {"name-Q8_0.gguf": content, "name-Q4_K_M.gguf": content})
    done = use_from_hub(server, reference)
    assert done.returncode == 0, done.stderr
    assert f"{reference} is not installed yet; installing it first." in done.stderr.decode()
    assert "100 %" in done.stderr.decode()
    assert f"{reference} answers from now on" in done.stdout.decode()
    assert (models / "org--name" / file).read_bytes() == content
    assert configuration_of(home / "parley.toml")["model"]["name"] == reference
    asked = len(server.requests)
    assert use_from_hub(server, reference).returncode == 0
    assert len(server.requests) == asked, "what is there needs no hub"


def test_choosing_a_hubs_model_offline_says_what_to_do_and_writes_nothing(server: FilesServer, home: Path) -> None:
    done = use_from_hub(server, "org/name", HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert "HF_HUB_OFFLINE" in done.stderr.decode()
    assert not server.requests
    assert not (home / "parley.toml").exists()


def test_choosing_a_model_that_the_hub_lacks_is_told(server: FilesServer, home: Path) -> None:
    done = use_from_hub(server, "org/none")
    assert done.returncode == 1
    assert "org/none" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert not (home / "parley.toml").exists()


def test_where_a_server_is_configured_a_hub_id_is_the_servers_model(server: FilesServer, home: Path) -> None:
    _serve_models(server, "org/name")
    done = use_from_hub(server, "org/name", PARLEY_MODEL__BASE_URL=f"{server.url}/v1")
    assert done.returncode == 0, done.stderr
    assert not (home / "models").exists()


def test_choosing_a_file_at_an_address_fetches_it_first(server: FilesServer, models: Path, home: Path) -> None:
    server.files["/my.gguf"] = (home / "original.gguf").read_bytes()
    url = f"{server.url}/my.gguf"
    assert main(["models", "use", url]) == 0
    assert (models / "my.gguf").read_bytes() == server.files["/my.gguf"]
    assert configuration_of(home / "parley.toml")["model"]["name"] == url


def _serve_models(server: FilesServer, *names: str) -> None:
    listing = {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
    server.files["/v1/models"] = json.dumps(listing).encode()
    server.headers["/v1/models"] = {"Content-Type": "application/json"}


def test_choosing_a_server_with_one_model_takes_it(server: FilesServer, home: Path, capsys: Captured) -> None:
    _serve_models(server, "qwen3:4b")
    assert main(["models", "use", server.url]) == 0
    assert configuration_of(home / "parley.toml")["model"] == {"name": "qwen3:4b", "base_url": f"{server.url}/v1"}
    assert "qwen3:4b" in capsys.readouterr().out


def test_of_several_models_one_has_to_be_named(server: FilesServer, home: Path, capsys: Captured) -> None:
    _serve_models(server, "first", "second")
    assert main(["models", "use", server.url]) == 1
    assert "first, second" in capsys.readouterr().err
    assert main(["models", "use", server.url, "--model", "third"]) == 1
    assert "first, second" in capsys.readouterr().err
    assert main(["models", "use", server.url, "--model", "second"]) == 0
    assert main(["models", "use", "first"]) == 0
    assert configuration_of(home / "parley.toml")["model"]["name"] == "first"


def test_a_key_is_never_sent_to_another_server(server: FilesServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_MODEL__API_KEY", "sk-secret")
    _serve_models(server, "m")
    assert main(["models", "use", server.url]) == 0
    assert main(["models", "use", server.url]) == 0
    keys = [request.headers.get("authorization", "") for request in server.requests]
    assert ["sk-secret" in key for key in keys] == [False, True]


def test_a_server_that_is_not_there_is_told(home: Path, capsys: Captured) -> None:
    with FilesServer() as gone:
        url = gone.url
    assert main(["models", "use", url]) == 1
    assert url in capsys.readouterr().err
    assert not (home / "parley.toml").exists()


# -- removing and finding -----------------------------------------------------------------------------------


def test_removing_deletes_the_file(models: Path, capsys: Captured) -> None:
    main(["models", "add", "tiny"])
    assert main(["models", "remove", "tiny", "--yes"]) == 0
    assert "kB are free again" in capsys.readouterr().out
    assert not list(models.glob("tiny*"))


@pytest.mark.usefixtures("models")
def test_removing_asks_and_needs_somebody_to_answer(capsys: Captured) -> None:
    main(["models", "add", "tiny"])
    assert main(["models", "remove", "tiny"]) == 1
    assert "--yes" in capsys.readouterr().err


def test_the_model_in_use_is_removed_only_by_force(models: Path, capsys: Captured) -> None:
    main(["models", "use", "tiny"])
    assert main(["models", "remove", "tiny", "--yes"]) == 1
    assert "--force" in capsys.readouterr().err
    assert (models / "tiny.gguf").is_file()
    assert main(["models", "remove", "tiny", "--yes", "--force"]) == 0


def test_a_damaged_model_can_be_removed(models: Path) -> None:
    (models / "tiny.gguf").write_bytes(b"damaged")
    assert main(["models", "remove", "tiny", "--yes"]) == 0
    assert not (models / "tiny.gguf").exists()


@pytest.mark.parametrize(
    "reference",
    ["none", "..", "../original.gguf", ".", "/etc/hostname", "a/..", "org--a/..", "catalog.toml", ".installing"],
)
def test_nothing_outside_the_folder_is_ever_removed(models: Path, home: Path, reference: str, capsys: Captured) -> None:
    (models / "org--a").mkdir()
    write_gguf(models / "stray.gguf")
    assert main(["models", "remove", reference, "--yes", "--force"]) == 1
    assert capsys.readouterr().err
    assert (home / "original.gguf").is_file()
    assert (models / "catalog.toml").is_file()


def test_the_path_is_printed_alone(models: Path, capsys: Captured) -> None:
    main(["models", "use", "tiny"])
    capsys.readouterr()
    for arguments in ([], ["tiny"]):
        assert main(["models", "path", *arguments]) == 0
        assert capsys.readouterr().out == f"{models / 'tiny.gguf'}\n"


def test_the_path_of_what_is_not_installed_is_told(capsys: Captured) -> None:
    assert main(["models", "path"]) == 1
    assert f"parley models add {DEFAULT_MODEL}" in capsys.readouterr().err


# -- listing ------------------------------------------------------------------------------------------------


def test_the_list_is_one_json_object(models: Path, capsys: Captured) -> None:
    main(["models", "use", "tiny"])
    write_gguf(models / "stray.gguf")
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in listed["models"]}
    assert rows["tiny"]["in_use"]
    assert rows["tiny"]["path"] == str(models / "tiny.gguf")
    assert rows["stray"]["installed"]
    assert not rows[DEFAULT_MODEL]["installed"]
    assert rows[DEFAULT_MODEL]["licence"] == "Apache-2.0"
    assert all(row["why"] for row in rows.values() if row["fit"])
    assert sum(row["recommended"] for row in rows.values()) == 1
    assert listed["machine"]["cpu_cores"] >= 1


@pytest.mark.parametrize("name", ["ok", "org/thing", "missing", "tiny"])
def test_the_list_marks_the_model_in_use_wherever_it_lies(
    name: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (models / "org--thing").mkdir()
    write_gguf(models / "org--thing" / "thing.gguf")
    write_gguf(tmp_path / "ok.gguf")
    monkeypatch.setenv("PARLEY_MODEL__NAME", "./ok.gguf" if name == "ok" else name)
    assert main(["models", "list"]) == 0
    [marked] = [line for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith("*")][:-1]
    assert name in marked
    assert main(["models", "list", "--json"]) == 0
    [used] = [model for model in json.loads(capsys.readouterr().out)["models"] if model["in_use"]]
    assert used["installed"] == (name in ("ok", "org/thing"))


def test_the_list_keeps_models_that_cannot_talk_apart(capsys: Captured) -> None:
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    [heading] = [number for number, line in enumerate(lines) if line.startswith("Not to talk with")]
    [embedding] = [number for number, line in enumerate(lines) if "all-minilm" in line]
    chat = [number for number, line in enumerate(lines) if "-instruct" in line and "B" in line and "~" in line]
    assert max(number for number in chat if number < embedding) < heading < embedding


@pytest.mark.parametrize(("language", "word"), [("en_GB.UTF-8", "Recommended"), ("zh_CN.UTF-8", "推荐")])
def test_the_list_recommends_in_the_persons_language(
    models: Path, monkeypatch: pytest.MonkeyPatch, language: str, word: str, capsys: Captured
) -> None:
    monkeypatch.setenv("LANG", language)
    monkeypatch.delenv("LC_ALL", raising=False)
    (models / "catalog.toml").unlink()
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert word in shown
    assert "qwen3-4b" in shown
    assert all(len(line) <= 160 for line in shown.splitlines()[:18])


# -- the program as a whole ---------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="consoles send no such signal there")
def test_an_interrupted_download_is_kept_and_taken_up(server: FilesServer, home: Path) -> None:
    content = write_gguf(home.parent / "big.gguf").read_bytes()
    server.files["/big.gguf"] = content
    server.faults["/big.gguf"] = [Fault(hold_after=4000)]
    command = [PARLEY, "models", "add", f"{server.url}/big.gguf"]
    part = home / "models" / ".installing" / "big.gguf" / "big.gguf.part"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert server.holding.wait(60)
        while not part.exists() or part.stat().st_size < 4000:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
    server.release.set()
    assert process.returncode == 130
    assert "4.0 kB of big are kept" in said
    assert "Traceback" not in said
    assert subprocess.run(command, capture_output=True, check=True).stdout
    assert server.ranges("/big.gguf")[-1] == "bytes=4000-"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_a_person_is_asked_and_sees_a_bar(models: Path) -> None:
    terminal = pexpect.spawn(PARLEY, ["models", "add", "tiny"], encoding="utf-8", timeout=30)
    terminal.expect("tiny is installed")
    terminal.expect(pexpect.EOF)
    assert "100 %" not in (terminal.before or "")
    for answer, status in (("n", 1), ("y", 0)):
        terminal = pexpect.spawn(PARLEY, ["models", "remove", "tiny"], encoding="utf-8", timeout=30)
        terminal.expect("Delete tiny")
        terminal.sendline(answer)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == status
    assert not (models / "tiny.gguf").exists()
