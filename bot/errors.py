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
    ├── ChannelError           a platform did not do what was asked
    │   ├── RateLimited            it names a time to wait
    │   ├── Rejected               it will not have it, now or later
    │   │   ├── AccountRefused         nor anything else from this account
    │   │   └── NotPermitted           until somebody grants a permission
    │   ├── Gone                   nobody is there any more: blocked, removed, deactivated
    │   ├── Moved                  the chat goes on under another id
    │   └── Unreachable            it surely did not arrive
    │       └── OutcomeUnknown     it may have arrived
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


class ChannelError(ParleyError):
    """A platform did not do what was asked. `reason` is its own word, for the log and `parley doctor`."""

    def __init__(self, reason: str, *, key: str = "errors.channel") -> None:
        super().__init__(key, problem=reason)
        self.reason = reason


class RateLimited(ChannelError):
    """The platform wants to be left alone for `retry_after` seconds, at this place or `everywhere`; None where it does
    not tell which."""

    def __init__(self, reason: str, *, retry_after: float, everywhere: bool | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.everywhere = everywhere


class Rejected(ChannelError):
    """The platform will not have it, now or later."""


class AccountRefused(Rejected):
    """The platform refuses the account: its token is wrong or revoked. What is to be sent waits until it is good."""


class NotPermitted(Rejected):
    """The account lacks a permission: `permission`, as the platform calls it, at `place`, as people there call it."""

    def __init__(self, reason: str, *, permission: str, place: str) -> None:
        super().__init__(reason)
        self.permission = permission
        self.place = place


class Gone(ChannelError):
    """Nobody is there any more."""


class Moved(ChannelError):
    """The chat goes on under another id, `chat`."""

    def __init__(self, reason: str, *, chat: str) -> None:
        super().__init__(reason)
        self.chat = chat


class Unreachable(ChannelError):
    """What was sent surely did not arrive."""


class OutcomeUnknown(Unreachable):
    """What was sent may have arrived."""


class PluginError(ParleyError):
    """A plugin is missing or unfit."""
