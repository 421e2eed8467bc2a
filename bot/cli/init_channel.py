"""Asks on which channel Parley should answer besides the terminal, and for the key to an account there.

Knows no platform: what can be offered is what there are texts for. A key is never shown, and is tried out where the
platform can be reached.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from getpass import getpass

from bot.channel import called
from bot.cli.asking import Option, Question, ask
from bot.cli.checks_channels import CONNECT_SECONDS
from bot.config import Configuration
from bot.errors import ChannelError, PluginError, Rejected
from bot.texts import Texts

NO_CHANNEL = "none"


@dataclass(frozen=True, slots=True)
class ChosenChannel:
    """A channel and the key to an account there."""

    name: str
    token: str


def ask_channel(configuration: Configuration, texts: Texts) -> ChosenChannel | None:
    """The channel that the person wants; None where they want none.

    Raises:
        ChannelError: the platform refuses the key, and there is nobody to ask again.
        ConfigurationError: an answer makes no sense, and there is nobody to ask again.
    """
    offered = [Option(name, texts.get(f"init.channel_{name}")) for name in _names(configuration, texts)]
    if not offered:
        return None
    none = Option(NO_CHANNEL, texts.get("init.no_channel"))
    name = ask(Question(texts.get("init.ask_channel"), [none, *offered], NO_CHANNEL), texts)
    return None if name == NO_CHANNEL else _ask_token(name, configuration, texts)


def _names(configuration: Configuration, texts: Texts) -> list[str]:
    """The channels that can be added; of one that a variable configures already there is nothing to ask."""
    from bot import plugins

    known = [name for name in plugins.names("adapters") if texts.find(f"init.channel_{name}")]
    return [name for name in known if not _has_variable(name, configuration)]


def _has_variable(name: str, configuration: Configuration) -> bool:
    """Whether a variable gives the key; one in the file that was read goes with that."""
    origin = configuration.origins.get(f"channels.{name}.token")
    return origin not in (None, str(configuration.file))


def _ask_token(name: str, configuration: Configuration, texts: Texts) -> ChosenChannel | None:
    refusal: Rejected | None = None
    print(texts.get(f"init.token_{name}"))
    while token := _read_token(texts.get("init.token_prompt"), refusal):
        channel = ChosenChannel(name, token)
        try:
            print(_tried(channel, configuration, texts))
        except Rejected as error:
            refusal = error
            print(error.told(texts))
        else:
            return channel
    print(texts.get("init.skipped"))
    return None


def _read_token(prompt: str, refusal: Rejected | None) -> str:
    """What is typed, which nobody sees; empty at the end of the answers, unless one was refused before."""
    try:
        return (getpass(prompt) if sys.stdin.isatty() else input(prompt)).strip()
    except EOFError:
        print()
        if refusal:
            raise refusal from None
        return ""


def _tried(channel: ChosenChannel, configuration: Configuration, texts: Texts) -> str:
    """Connect with the key; what is to be said of it.

    Raises:
        Rejected: the platform refuses it.
    """
    try:
        account = asyncio.run(_account(channel, configuration))
    except Rejected:
        raise
    except (ChannelError, PluginError) as error:
        problem = error.told(texts)
    except TimeoutError:
        problem = texts.get("doctor.no_answer", seconds=round(CONNECT_SECONDS))
    else:
        return texts.get("init.token_good", account=account)
    return texts.get("init.token_untried", problem=problem)


async def _account(channel: ChosenChannel, configuration: Configuration) -> str:
    from bot.channels import plan_channels

    table = {**configuration.settings.channels.get(channel.name, {}), "token": channel.token}
    settings = configuration.settings.model_copy(update={"channels": {channel.name: table}})
    [plan] = plan_channels(replace(configuration, settings=settings), (channel.name,))
    async with asyncio.timeout(CONNECT_SECONDS), plan.open() as adapter:
        return called(adapter)
