"""Changes single keys of `parley.toml` and leaves the rest, comments included, as the person wrote it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bot.errors import ConfigurationError
from bot.folders import make_private_folder


def set_values(path: Path, values: Mapping[str, str | None]) -> None:
    """Set dotted keys; the file is created where it is missing, and is at no moment half written.

    Args:
        path: the file; of a link, what it points to is changed.
        values: dotted key (`model.name`) to value; None removes the key.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    import tomlkit

    path = path.resolve()
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8-sig")) if path.exists() else tomlkit.document()
        for key, value in values.items():
            section, _, name = key.rpartition(".")
            _set(document, section, name, value)
        _write(path, tomlkit.dumps(document))
    except OSError as error:
        raise ConfigurationError("models.config_not_written", path=path, problem=error.strerror or error) from error


def _set(document: dict[str, object], section: str, key: str, value: str | None) -> None:
    import tomlkit

    table = document.get(section)
    if not isinstance(table, dict):
        if value is None:
            return
        table = document[section] = tomlkit.table()
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _write(path: Path, text: str) -> None:
    make_private_folder(path.parent)
    mode = path.stat().st_mode if path.exists() else 0o600  # it may come to hold tokens
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        new.chmod(mode & 0o777)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
