"""A download survives what networks do, and takes up where it broke off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import DownloadError, ModelError
from bot.generation.download import ATTEMPTS, Target, download, host_of
from bot.generation.install import describe, install
from tests.generation.gguf_files import sha256_of, write_gguf
from tests.generation.watching import Notebook
from tests.servers.files_server import Fault, FilesServer

CONTENT = bytes(range(256)) * 2000
PATH = "/model.bin"


@pytest.fixture
def server() -> Iterator[FilesServer]:
    """Serves `CONTENT`."""
    with FilesServer({PATH: CONTENT}) as server:
        yield server


class Fetching:
    """One download into a folder, with its watcher and the pauses that it made."""

    def __init__(self, server: FilesServer, folder: Path, path: str = PATH, sha256: str = "") -> None:
        self.target = Target(f"{server.url}{path}", folder / "model.bin", sha256=sha256)
        self.notebook = Notebook()
        self.pauses: list[float] = []

    def run(self, free_bytes: int = 10**12) -> bytes:
        """The downloaded bytes."""
        fetched = download(self.target, watcher=self.notebook, free_bytes=lambda _: free_bytes, wait=self.pauses.append)
        assert fetched.sha256 == sha256_of(fetched.path.read_bytes())
        return fetched.path.read_bytes()

    def refusal(self, free_bytes: int = 10**12) -> DownloadError:
        """The error it ends in."""
        with pytest.raises(DownloadError) as caught:
            self.run(free_bytes)
        return caught.value


@pytest.fixture
def fetching(server: FilesServer, tmp_path: Path) -> Fetching:
    """A download from the server."""
    return Fetching(server, tmp_path)


def test_a_file_arrives_with_its_progress(fetching: Fetching) -> None:
    assert fetching.run() == CONTENT
    assert fetching.notebook.steps[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in fetching.target.path.parent.glob("model*")] == ["model.bin"]


def test_a_server_that_drops_twice_is_asked_for_the_rest(server: FilesServer, fetching: Fetching) -> None:
    server.faults[PATH] = [Fault(drop_after=100_000), Fault(drop_after=50_000)]
    assert fetching.run() == CONTENT
    assert server.ranges(PATH) == [None, "bytes=100000-", "bytes=150000-"]
    assert fetching.notebook.told == ["models.retrying"] * 2


def test_a_later_run_takes_up_what_an_earlier_one_left(server: FilesServer, tmp_path: Path) -> None:
    server.faults[PATH] = [Fault(drop_after=100_000), *[Fault(status=503)] * (ATTEMPTS - 1)]
    first = Fetching(server, tmp_path)
    assert first.refusal().key == "models.broke_off"
    assert first.target.part.stat().st_size == 100_000
    server.requests.clear()
    assert Fetching(server, tmp_path).run() == CONTENT
    assert server.ranges(PATH) == ["bytes=100000-"]


def test_a_file_that_changed_in_between_is_fetched_anew(server: FilesServer, tmp_path: Path) -> None:
    server.faults[PATH] = [Fault(drop_after=100_000), *[Fault(status=503)] * (ATTEMPTS - 1)]
    Fetching(server, tmp_path).refusal()
    server.files[PATH] = CONTENT[::-1]
    assert Fetching(server, tmp_path).run() == CONTENT[::-1]


def test_a_part_whose_version_nobody_knows_is_not_trusted(server: FilesServer, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(b"something else")
    assert Fetching(server, tmp_path).run() == CONTENT
    assert server.ranges(PATH) == [None]


def test_a_part_is_trusted_where_the_hash_will_tell(server: FilesServer, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT[:1000])
    assert Fetching(server, tmp_path, sha256=sha256_of(CONTENT)).run() == CONTENT
    assert server.ranges(PATH) == ["bytes=1000-"]


def test_a_server_that_ignores_ranges_starts_from_the_beginning(server: FilesServer, fetching: Fetching) -> None:
    server.faults[PATH] = [Fault(drop_after=100_000), Fault(ignore_range=True)]
    assert fetching.run() == CONTENT


def test_a_part_that_is_whole_already_is_taken(server: FilesServer, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT)
    assert Fetching(server, tmp_path, sha256=sha256_of(CONTENT)).run() == CONTENT


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: FilesServer, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT + b"more")
    assert Fetching(server, tmp_path, sha256=sha256_of(CONTENT)).run() == CONTENT


def test_a_server_that_promises_more_than_it_sends_is_asked_again(server: FilesServer, fetching: Fetching) -> None:
    server.faults[PATH] = [Fault(extra_length=1000)]
    assert fetching.run() == CONTENT


def test_a_server_that_promises_less_than_it_sends_is_caught_by_the_hash(server: FilesServer, tmp_path: Path) -> None:
    server.faults[PATH] = [Fault(extra_length=-1000)]
    fetching = Fetching(server, tmp_path, sha256=sha256_of(CONTENT))
    assert fetching.refusal().key == "models.wrong_hash"
    assert not fetching.target.part.exists()


def test_a_busy_server_is_given_the_time_that_it_asks_for(server: FilesServer, fetching: Fetching) -> None:
    server.faults[PATH] = [Fault(status=503), Fault(status=429, headers={"Retry-After": "7"})]
    assert fetching.run() == CONTENT
    assert fetching.pauses == [0.5, 7.0]


def test_a_server_that_stays_broken_is_given_up(server: FilesServer, fetching: Fetching) -> None:
    server.faults[PATH] = [Fault(status=500)] * 10
    assert fetching.refusal().key == "models.url_unreachable"
    assert len(fetching.pauses) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (Fault(status=404), "models.url_missing"),
        (Fault(status=401), "models.url_refused"),
        (Fault(status=403), "models.url_refused"),
        (Fault(status=418), "models.url_odd"),
        (Fault(headers={"Content-Type": "text/html; charset=utf-8"}), "models.url_is_page"),
    ],
)
def test_a_refusal_is_final_and_told(server: FilesServer, fetching: Fetching, fault: Fault, key: str) -> None:
    server.faults[PATH] = [fault]
    assert fetching.refusal().key == key
    assert len(server.requests) == 1


def test_a_redirect_is_followed_and_its_hash_checked(server: FilesServer, tmp_path: Path) -> None:
    headers = {"Location": PATH, "X-Linked-Etag": f'"{"0" * 64}"'}
    server.faults["/moved"] = [Fault(status=302, headers=headers)]
    assert Fetching(server, tmp_path, "/moved").refusal().key == "models.wrong_hash"


def test_a_full_disk_is_refused_with_figures(fetching: Fetching) -> None:
    error = fetching.refusal(free_bytes=300_000)
    assert error.key == "models.disk_full"
    assert "538 kB" in str(error)
    assert "300 kB" in str(error)


def test_only_what_is_missing_needs_space(server: FilesServer, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT[:-1000])
    assert Fetching(server, tmp_path, sha256=sha256_of(CONTENT)).run(free_bytes=2000) == CONTENT


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with FilesServer() as gone:
        fetching = Fetching(gone, tmp_path)
    assert fetching.refusal().key == "models.url_unreachable"


def test_a_secret_in_an_address_is_not_told() -> None:
    url = "https://user:password@example.org:8443/a/b.gguf?token=secret"
    assert host_of(url) == "https://example.org:8443/a/b.gguf"


def test_a_gguf_is_installed_from_its_address_under_its_name(server: FilesServer, tmp_path: Path) -> None:
    server.files["/tiny.gguf"] = write_gguf(tmp_path / "original.gguf").read_bytes()
    installed = install(describe(f"{server.url}/tiny.gguf", tmp_path), tmp_path / "models")
    assert installed.path == tmp_path / "models" / "tiny.gguf"


def test_what_is_no_gguf_is_not_installed(server: FilesServer, tmp_path: Path) -> None:
    server.files["/text.gguf"] = b"hello"
    with pytest.raises(ModelError) as caught:
        install(describe(f"{server.url}/text.gguf", tmp_path), tmp_path / "models")
    assert caught.value.key == "models.not_gguf"
    assert not list((tmp_path / "models").rglob("*.gguf"))


def test_what_a_killed_process_had_fetched_is_taken_up(server: FilesServer, tmp_path: Path) -> None:
    content = write_gguf(tmp_path / "original.gguf").read_bytes()
    server.files["/tiny.gguf"] = content
    server.faults["/tiny.gguf"] = [Fault(hold_after=5000)]
    url, models = f"{server.url}/tiny.gguf", tmp_path / "models"
    code = (
        "import sys; from pathlib import Path; from bot.generation.install import describe, install;"
        "url, folder = sys.argv[1:]; install(describe(url, Path(folder)), Path(folder))"
    )
    part = models / ".installing" / "tiny.gguf" / "tiny.gguf.part"
    with subprocess.Popen([sys.executable, "-c", code, url, str(models)]) as process:
        assert server.holding.wait(60)
        while not part.exists() or part.stat().st_size < 5000:
            assert process.poll() is None
        process.kill()
    server.release.set()
    assert install(describe(url, tmp_path), models).path.read_bytes() == content
    assert server.ranges("/tiny.gguf") == [None, "bytes=5000-"]
