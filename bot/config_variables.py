"""Reads configured values from environment variables: which key each sets, and whether there is such a key.

A key `KEY` of table `[SECTION]` is the variable `PARLEY_SECTION__KEY`; `PARLEY_SECTION__KEY_FILE` names a file that
holds the value (container secrets). Knows nothing of what the values mean.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.config_errors import UnknownVariables
from bot.errors import ConfigurationError

PREFIX = "PARLEY_"
FILE_SUFFIX = "_FILE"
OWN_VARIABLES = ("PARLEY_HOME", "PARLEY_CONFIG")
CUSTOMARY_VARIABLES = {
    "OPENAI_API_KEY": ("model", "api_key"),
    "OPENAI_BASE_URL": ("model", "base_url"),
    "TELEGRAM_BOT_TOKEN": ("channels", "telegram", "token"),
    "DISCORD_BOT_TOKEN": ("channels", "discord", "token"),
}
"""Variables that other programs know too, and the keys they set where nothing of ours does."""
CHANNELS = "channels"
"""The table whose keys only the adapters know."""


@dataclass(frozen=True, slots=True)
class _Variable:
    """One of ours."""

    name: str
    bare: str
    """Without the `_FILE` that says where its value stands."""
    keys: tuple[str, ...]

    def is_among(self, known: Container[str]) -> bool:
        return self.keys[0] == CHANNELS or ".".join(self.keys) in known


def values_of(variables: Mapping[str, str], known: Iterable[str]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Keys, value and variable name, least important first.

    Args:
        variables: the environment.
        known: the dotted keys that may be set, besides those of channels.

    Raises:
        ConfigurationError: a variable is none of ours, or the file that one names cannot be read.
    """
    known = frozenset(known)
    for name, keys in CUSTOMARY_VARIABLES.items():
        if value := _value(variables, name):
            yield keys, value, name
    ours = [_variable(name, known) for name in sorted(variables) if name.startswith(PREFIX)]
    ours = [each for each in ours if each.name not in OWN_VARIABLES]
    if unknown := [each for each in ours if not each.is_among(known)]:
        raise UnknownVariables({each.name: _nearest(each.bare, known) for each in unknown})
    for each in ours:
        found = _value(variables, each.bare)
        # Compose passes a secret that nobody set as an empty variable
        is_unset = each.bare != each.name and not variables[each.name]
        if found is not None and not is_unset:
            yield each.keys, found, each.name


def _variable(name: str, known: Container[str]) -> _Variable:
    names_file = name.endswith(FILE_SUFFIX) and ".".join(_keys(name)) not in known
    bare = name.removesuffix(FILE_SUFFIX) if names_file else name
    return _Variable(name, bare, _keys(bare))


def _keys(name: str) -> tuple[str, ...]:
    return tuple(name.removeprefix(PREFIX).lower().split("__"))


def _value(variables: Mapping[str, str], name: str) -> str | None:
    if path := variables.get(f"{name}{FILE_SUFFIX}"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError("errors.config_secret_unreadable", name=f"{name}_FILE", path=path) from None
    return variables.get(name)


def _nearest(name: str, known: Iterable[str]) -> str:
    candidates = [PREFIX + key.upper().replace(".", "__") for key in sorted(known)] + list(OWN_VARIABLES)
    return next(iter(difflib.get_close_matches(name, candidates, 1, 0.5)), "")
