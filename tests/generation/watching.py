"""A watcher of installations that remembers."""

from __future__ import annotations

from bot.errors import ModelError


class Notebook:
    """Everything that an installation told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.values: list[dict[str, object]] = []
        self.failures: list[ModelError] = []
        self.steps: list[tuple[int, int | None]] = []

    def news(self, key: str, /, **values: object) -> None:
        """Keep the key and its values."""
        self.told.append(key)
        self.values.append(values)

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """Keep the step."""
        self.steps.append((done_bytes, total_bytes))

    def failure(self, error: ModelError) -> None:
        """Keep the failure."""
        self.failures.append(error)
