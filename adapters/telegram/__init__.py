"""A bot on Telegram. Importing this imports no other library; asking it for `TelegramAdapter` does."""

from typing import TYPE_CHECKING

from bot.errors import PluginError

if TYPE_CHECKING:
    from adapters.telegram.adapter import TelegramAdapter

__all__ = ["TelegramAdapter"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    try:
        from adapters.telegram.adapter import TelegramAdapter
    except ImportError as error:
        raise PluginError("telegram.not_installed", problem=error) from error
    return TelegramAdapter
