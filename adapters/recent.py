"""A mapping that forgets what was put into it the longest ago."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


class Recent(dict[str, T]):
    """Holds at most `most` values, in the order in which they were put in last."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: str, value: T) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        if len(self) > self._most:
            del self[next(iter(self))]
