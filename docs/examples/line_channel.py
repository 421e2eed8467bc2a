"""An example of an adapter: a channel over TCP, to a hub that people are connected with.

Each question is a line of JSON, and so is its answer. "next" gives what happened, again and again until "forget".
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.channel import Capabilities, Content, Intake, PreviewStyle, Receipt, Update, UpdateKind
from bot.errors import Gone, OutcomeUnknown, RateLimited, Rejected, Unreachable
from bot.patience import Patience, Sleep
from bot.types import Address, Attachment, Message, Person

logger = logging.getLogger(__name__)


class LineChannel:
    class Config(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
        host: str = "127.0.0.1"
        port: int = Field(ge=1, le=65_535)
        token: SecretStr

    def __init__(self, config: Config, *, name: str, home: Path, sleep: Sleep = asyncio.sleep) -> None:
        self.name, self.account, self._config = name, "", config
        self.capabilities = Capabilities(can_edit=True, can_delete=True, private_preview=PreviewStyle.EDIT)
        self._patience = Patience(logger, "Receiving from the hub", sleep)

    async def __aenter__(self) -> Self:
        self.account = (await self._ask("hello"))["account"]
        return self

    async def __aexit__(self, *exception: object) -> None: ...

    def is_private(self, address: Address) -> bool:
        return not address.chat.startswith("#")

    async def run(self, intake: Intake) -> None:
        while True:
            if told := await self._patience.insist(partial(self._ask, "next")):
                await self._patience.insist(partial(intake.accept, self._read(told)))
                await self._patience.insist(partial(self._ask, "forget", update=told["update"]))  # only now

    def _read(self, told: dict[str, Any]) -> list[Update]:
        try:
            address, text = Address(self.name, told["chat"], self.account), str(told["text"])
            person, at = Person(told["person"], told["name"]), datetime.fromtimestamp(told["at"], UTC)
            private = self.is_private(address)
            for_me = private or f"@{self.account}" in text
            message = Message(address, person, text, at, told["message"], is_private=private, is_addressed=for_me)
            return [Update(UpdateKind(told["kind"]), message, told["update"], detail=told["update"])]
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            logger.warning("The hub tells something that cannot be read: %s", type(error).__name__)
            return []  # so that the hub is told to forget it, and goes on

    async def send(self, address: Address, content: Content) -> Receipt:
        return Receipt(address, (await self._ask("send", chat=address.chat, text=content.text))["message"])

    async def edit(self, receipt: Receipt, content: Content) -> None:
        await self._ask("edit", chat=receipt.address.chat, message=receipt.id, text=content.text)

    async def delete(self, receipt: Receipt) -> None:
        await self._ask("delete", chat=receipt.address.chat, message=receipt.id)

    async def _nothing(self, *_: Any, **__: Any) -> Any:
        return ()

    preview = typing = acknowledge = announce = remarks = keeper = _nothing  # what is not declared is not called

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        raise Rejected("there are no files here")

    async def _ask(self, do: str, **question: str) -> dict[str, Any]:
        question |= {"do": do, "token": self._config.token.get_secret_value()}
        try:
            reader, writer = await asyncio.open_connection(self._config.host, self._config.port, limit=1_000_000)
        except OSError as error:
            raise Unreachable(str(error)) from None  # nothing was sent, so nothing arrived
        try:
            writer.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(20):  # where nothing happens, "next" is answered with {} after ten
                answer = dict(json.loads(await reader.readline()))
        except (OSError, TypeError, ValueError) as error:
            raise OutcomeUnknown(type(error).__name__) from None
        finally:
            writer.close()
        if "seconds" in answer:
            raise RateLimited(answer["error"], retry_after=answer["seconds"])
        if "error" in answer:
            raise (Gone if answer["error"] == "gone" else Rejected)(answer["error"])
        return answer
