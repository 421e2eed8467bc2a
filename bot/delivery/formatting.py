"""From a reply in Markdown to messages as one channel takes them: the tree, split and written out as it declared."""

from __future__ import annotations

from bot.channel import Capabilities, Content
from bot.delivery.markup import Document, parse

ROOM = 120
"""Left free in each message for a remark on how it arrived; see `bot.delivery.outbox`."""
LEAST_LENGTH = 512
"""Below this there is no room for remarks."""


class Formatter:
    """Formats for one channel. Holds nothing but what the channel declared."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities
        longest = capabilities.longest
        self._longest = longest - ROOM if longest >= LEAST_LENGTH else longest

    def whole(self, markdown: str) -> list[Content]:
        """A reply that has ended, as the messages that show it; none where it shows nothing."""
        return self._split(parse(markdown))

    def partial(self, markdown: str) -> Content | None:
        """A reply in the making, as the message that its beginning will be; None as long as it shows nothing."""
        parts = self._split(parse(markdown, partial=True))
        return parts[0] if parts else None

    def _split(self, document: Document) -> list[Content]:
        from bot.delivery.splitting import split

        capabilities = self._capabilities
        parts = split(
            document,
            longest=self._longest,
            measure=capabilities.measure,
            format=capabilities.format,
            columns=capabilities.table_columns,
        )
        return [Content(part.text, part.spans) for part in parts]
