"""What a check of `parley doctor` is: it looks at one thing, and says what it found, why it is so, and how to mend it.

A check returns a Finding; a ParleyError that it raises is a finding too. Knows nothing of how findings are shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from bot.config import Configuration
from bot.errors import ConfigurationError, ParleyError
from bot.generation.model import ResolvedModel
from bot.texts import Texts

logger = logging.getLogger(__name__)


class Status(StrEnum):
    """How things are, best first."""

    OK = "ok"
    WARNING = "warning"
    """It works, and something about it should be known."""
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in the person's language."""

    found: str
    why: str = ""
    """What was chosen and by which rule; empty where nothing was."""
    mend: str = ""
    status: Status = Status.OK


@dataclass(frozen=True)
class Patient:
    """What is looked at."""

    configuration: Configuration
    texts: Texts
    environment: Mapping[str, str]
    error: ConfigurationError | None = None
    """Why the configuration could not be read; `configuration` holds the defaults then."""
    shows_progress: bool = False
    """Whether somebody watches what takes long."""

    def tell(self, key: str, /, **values: object) -> str:
        """The text in the person's language."""
        return self.texts.get(key, **values)

    @cached_property
    def model(self) -> ResolvedModel | None:
        """The configured model; None where it cannot be used, which the check of the model tells."""
        from bot.app import resolve_model

        try:
            return resolve_model(self.configuration, self.configuration.settings.model.name)
        except ParleyError:
            return None

    def unchecked(self) -> Finding:
        """The finding of a check that needs the model, where that is broken."""
        return Finding(self.tell("doctor.unchecked"), mend=self.tell("doctor.unchecked_mend"), status=Status.WARNING)


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `name` stands in `--json` and is the key of its title and of its general remedy."""

    name: str
    look: Callable[[Patient], Finding]
    quick: bool = True
    """Whether it is cheap enough to be repeated every minute, and leaves every other machine alone."""

    def run(self, patient: Patient) -> Finding:
        """Look; whatever goes wrong is found to be broken."""
        try:
            return self.look(patient)
        except ParleyError as error:
            told = error.told(patient.texts)
        except Exception as error:
            logger.exception("the check %s failed", self.name)
            told = patient.tell("doctor.check_failed", problem=f"{type(error).__name__}: {error}")
        return Finding(told, mend=patient.tell(f"doctor.mend_{self.name}"), status=Status.BROKEN)
