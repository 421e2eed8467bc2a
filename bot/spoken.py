"""Which language is spoken where, so that what is told there is told in it. Knows no platform."""

from __future__ import annotations

from bot.texts import Texts
from bot.types import Address, Message

KNOWN_LANGUAGES = 10_000


class Spoken:
    """Remembers the language of places; those where somebody spoke last, once there are too many."""

    def __init__(self, language: str) -> None:
        """`language` is spoken where nobody's is known."""
        self._language = language
        self._languages: dict[str, str] = {}

    def texts(self, message: Message) -> Texts:
        """In the language of the one who said it."""
        return Texts(message.language or message.person.language or self._language)

    def texts_at(self, address: Address) -> Texts:
        """In the language that was last spoken there."""
        return Texts(self._languages.get(address.key) or self._language)

    def remember(self, message: Message) -> None:
        """The language of the message is the one that is spoken there now."""
        self._languages.pop(message.address.key, None)
        self._languages[message.address.key] = message.language or message.person.language
        if len(self._languages) > KNOWN_LANGUAGES:
            del self._languages[next(iter(self._languages))]
