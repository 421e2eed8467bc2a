"""What the tables of adapters' accounts have in common. Knows no platform."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Account(BaseModel):
    """The table of a channel; the platform's own page tells what the keys mean."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True)
    token: SecretStr = Field(min_length=1)
    names: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    longest_download_bytes: int = Field(20_000_000, ge=1)
    proxy: str = Field("", pattern=r"^(https?://.+)?$")
