"""Everything that can go wrong and that a person can do something about.

    ParleyError
    ├── ConfigurationError
    ├── ModelError             missing, broken, too large, without a chat template, wrong hash
    │   └── DownloadError
    ├── GenerationError
    │   ├── PromptTooLong      the message alone does not fit the model's window
    │   ├── GeneratorUnavailable   cannot be reached, or died
    │   └── GenerationFailed   said so itself
    ├── StorageError           locked, corrupt, newer, read-only, disk full
    ├── Busy                   too many messages wait in this conversation
    └── PluginError

Each carries the key of a text in `prompts/languages/` and its values, so that it is told in the language of
whoever meets it; `str()` gives English. None of them may carry a secret or a message's text.
"""

from __future__ import annotations

from bot.texts import Texts


class ParleyError(Exception):
    """A failure whose text says what is wrong and what to do."""

    def __init__(self, key: str, /, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values

    def __str__(self) -> str:
        return self.told(Texts("en"))

    def told(self, texts: Texts) -> str:
        """The sentence in the language of `texts`."""
        return texts.get(self.key, **self.values)


class ConfigurationError(ParleyError):
    """The configuration is wrong."""


class ModelError(ParleyError):
    """A model cannot be used."""


class DownloadError(ModelError):
    """A model cannot be fetched."""


class GenerationError(ParleyError):
    """A reply cannot be generated."""


class PromptTooLong(GenerationError):
    """The prompt does not fit the model's window."""


class GeneratorUnavailable(GenerationError):
    """The generator cannot be reached, or died."""


class GenerationFailed(GenerationError):
    """The generator reported a failure."""


class StorageError(ParleyError):
    """The database cannot be used."""


class Busy(ParleyError):
    """Too many messages wait already."""


class PluginError(ParleyError):
    """A plugin is missing or unfit."""
