"""Sets up `.venv` and the default model in this folder, tells what it does, and does nothing twice.

Run through scripts/setup.sh by a Python of the machine; needs the standard library and `bot.texts` alone. What was
done is written down only when it is done, so an interrupted run is simply repeated.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.texts import Texts, system_language  # noqa: E402 - found through the line above; nothing is installed yet

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "parley-setup.json"
LOG = VENV / "setup.log"
MODELS = {"smollm2-135m-instruct": "SmolLM2-135M-Instruct*", "all-minilm-l6-v2": "all-minilm-l6-v2/model.safetensors"}
"""What talks, and what turns sentences into vectors; and where each lies in the folder of models."""
HOME_VARIABLES = ("PARLEY_HOME", "XDG_DATA_HOME", "HOME")
"""What decides where the data folder, and so the model, lies."""

texts = Texts(system_language())


@dataclass(frozen=True, slots=True)
class Profile:
    """What is installed for one purpose. `free_bytes` is what must be free on the disk before it begins."""

    name: str
    requirement: str
    free_bytes: int


PROFILES = {
    "chat": Profile("chat", ".", 1_200_000_000),
    "test": Profile("test", ".[transformers,openai,hub,telegram,discord,dev]", 3_000_000_000),
}


class SetupError(Exception):
    """What is missing and what to do, in one sentence."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(texts.get(f"setup.{key}", **values))


# -- what was done ------------------------------------------------------------------------------------------


def digest(python_version: str) -> str:
    """What an installation depends on, as one string."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*parts, python_version.encode()])).hexdigest()


def read_stamp() -> dict[str, Any]:
    """What was done in `.venv`; empty where nothing was, or not in this folder."""
    try:
        stamp: dict[str, Any] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if stamp.get("folder") == str(ROOT) else {}


def write_stamp(**news: object) -> None:
    """Add to what was done, whole or not at all."""
    draft = STAMP.with_suffix(".part")
    draft.write_text(json.dumps({**read_stamp(), "folder": str(ROOT), **news}, indent=2), encoding="utf-8")
    draft.replace(STAMP)


def has_packages(profile: Profile, stamp: dict[str, Any], python_version: str) -> bool:
    """Whether the packages are installed as the project's files now ask."""
    wanted = digest(python_version)
    return any(stamp.get(name) == wanted for name in (profile.name, "test"))


def has_model(stamp: dict[str, Any]) -> bool:
    """Whether the default models are where this user's data lies."""
    recorded = stamp.get("model", {})
    same_user = recorded.get("variables") == [os.environ.get(name, "") for name in HOME_VARIABLES]
    return same_user and all(any(Path(recorded["folder"]).glob(files)) for files in MODELS.values())


def is_ready(profile: Profile) -> bool:
    """Whether nothing is left to do; asked with the environment's own Python."""
    stamp = read_stamp()
    return has_packages(profile, stamp, short_version(sys.version_info)) and has_model(stamp)


def short_version(version: tuple[Any, ...]) -> str:
    """Such as `3.11`."""
    return f"{version[0]}.{version[1]}"


# -- telling ------------------------------------------------------------------------------------------------


def say(key: str, **values: object) -> None:
    """One line for the person, on standard error: standard output belongs to the chat."""
    print(texts.get(f"setup.{key}", **values), file=sys.stderr, flush=True)


@contextmanager
def progress() -> Iterator[list[str]]:
    """A line that tells the last item of the list and the seconds since the start; nothing where nobody watches."""
    steps: list[str] = []
    done = threading.Event()

    def keep_telling() -> None:
        start = time.monotonic()
        while not done.wait(0.5):
            line = f"  {time.monotonic() - start:4.0f} s  {steps[-1] if steps else ''}"
            sys.stderr.write("\r\033[K" + line[: shutil.get_terminal_size().columns - 1])
            sys.stderr.flush()
        sys.stderr.write("\r\033[K")

    teller = threading.Thread(target=keep_telling)
    if sys.stderr.isatty():
        teller.start()
    try:
        yield steps
    finally:
        done.set()
        if teller.ident is not None:
            teller.join()


# -- steps --------------------------------------------------------------------------------------------------


@contextmanager
def alone() -> Iterator[None]:
    """Keep a second set-up in this folder waiting until the first is through."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def check_disk(profile: Profile) -> None:
    """Raises SetupError where the installation cannot fit."""
    free = shutil.disk_usage(ROOT).free
    if free < profile.free_bytes:
        raise SetupError("disk_full", folder=ROOT, free=_gigabytes(free), needed=_gigabytes(profile.free_bytes))


def usable_venv() -> str:
    """The version of `.venv`'s Python; empty where it is missing, dead, too old or was made for another place."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2] if sys.version_info >= (3, 11) else '')"
    try:
        answer = subprocess.run([str(PYTHON), "-c", ask], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    version = answer.stdout.strip()
    # After an upgrade of the system's Python the link works, but leads to another version than the packages' one.
    is_at_home = (VENV / "lib" / f"python{version}" / "site-packages").is_dir()
    is_in_place = bool(read_stamp()) or not STAMP.exists()
    return version if version and is_at_home and is_in_place else ""


def make_venv() -> str:
    """Make `.venv` afresh; returns the version of its Python."""
    if VENV.exists():
        say("venv_remade")
        _remove_venv()
    try:
        import ensurepip  # noqa: F401 - Debian keeps both in a package of their own
        import venv  # noqa: F401
    except ImportError:
        raise SetupError("no_venv", version=short_version(sys.version_info)) from None
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode:
        lines = (made.stdout + made.stderr).strip().splitlines() or [f"exit {made.returncode}"]
        raise SetupError("venv_failed", folder=VENV, problem=lines[-1])
    write_stamp()
    return short_version(sys.version_info)


def _remove_venv() -> None:
    if VENV.is_symlink() or not (VENV / "pyvenv.cfg").is_file():
        raise SetupError("venv_foreign", folder=VENV)
    shutil.rmtree(VENV)


def install_packages(profile: Profile, python_version: str) -> None:
    """Install the pinned packages; the whole of pip's output is kept in LOG."""
    say("installing", log=LOG.relative_to(ROOT))
    options = ["--disable-pip-version-check", "--no-input", "-c", "constraints.txt", "-e", profile.requirement]
    command = [str(PYTHON), "-m", "pip", "install", *options]
    with (
        LOG.open("w", encoding="utf-8") as log,
        progress() as steps,
        subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip,
    ):
        assert pip.stdout is not None
        for line in pip.stdout:
            log.write(line)
            steps += re.findall(r"^\s*((?:Collecting|Downloading|Installing|Building) .*)", line)
    if pip.returncode:
        key, values = explain(LOG.read_text(encoding="utf-8"))
        raise SetupError(key, log=LOG.relative_to(ROOT), command=profile.name, version=python_version, **values)
    check_libraries()
    compile_ourselves()
    write_stamp(**{profile.name: digest(python_version)})


def compile_ourselves() -> None:
    """Compile our modules as pip does everybody else's: environments that forbid it at run time start slower."""
    subprocess.run([str(PYTHON), "-m", "compileall", "-q", "bot", "adapters", "storage"], cwd=ROOT, check=False)


def check_libraries() -> None:
    """Raises SetupError where the system lacks what llama.cpp was linked with: a minimal system has no OpenMP."""
    tried = subprocess.run([str(PYTHON), "-c", "import xllamacpp"], capture_output=True, text=True, check=False)
    if tried.returncode:
        problem = tried.stderr.strip().splitlines()[-1:] or [f"exit {tried.returncode}"]
        raise SetupError("no_openmp" if "libgomp" in tried.stderr else "llamacpp_dead", problem=problem[0])


CAUSES = (
    ("pip_disk_full", r"No space left on device"),
    ("pip_denied", r"Permission denied: ?(?P<path>.*)"),
    (
        "no_registry",
        r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Network is unreachable"
        r"|from versions: none|Max retries exceeded|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Connection refused"
        r"|ConnectionResetError",
    ),
    ("no_package", r"No matching distribution found for (?P<package>\S+)"),
    ("pip_failed", r"ERROR: (?P<problem>.*)"),
)
"""What pip's output shows, the commonest cause of a later one first."""


def explain(log: str) -> tuple[str, dict[str, str]]:
    """The text that tells why pip failed, and its values."""
    for key, pattern in CAUSES:
        if match := re.search(pattern, log):
            return key, match.groupdict()
    return "pip_failed", {"problem": (log.strip().splitlines() or ["?"])[-1]}


def install_models() -> None:
    """Install the default models into the user's data folder through the program itself."""
    for model in MODELS:
        if subprocess.run([str(VENV / "bin" / "parley"), "models", "add", model], stdout=sys.stderr).returncode:
            raise SetupError("no_model", model=model)
    ask = "from bot.config import load; print(load().models_folder)"
    folder = subprocess.run([str(PYTHON), "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    write_stamp(model={"folder": folder.strip(), "variables": [os.environ.get(name, "") for name in HOME_VARIABLES]})


def set_up(profile: Profile) -> None:
    """Do what is not done yet."""
    with alone():
        version = usable_venv()
        if not version or not has_packages(profile, read_stamp(), version):
            check_disk(profile)
            install_packages(profile, version or make_venv())
        if not has_model(read_stamp()):
            install_models()


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f}"


def main(arguments: list[str]) -> int:
    """Set up the profile that is named, or only tell (`--ready`) whether it is."""
    profile = PROFILES[arguments[-1]]
    if "--ready" in arguments:
        return 0 if is_ready(profile) else 1
    try:
        set_up(profile)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped", command=profile.name)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
