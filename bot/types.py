"""The values that travel between adapters, engine, skills, generators and stores.

Frozen, compared by value, free of behaviour that needs anything but the standard library. Times are aware
datetimes; durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Evidence = Mapping[str, object]
"""Why an answer is as it is: a JSON-able mapping, stored with the turn and shown by `/why`."""


# -- who and where ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """A place where messages are exchanged: one chat (and thread) of one account on one channel."""

    channel: str
    chat: str
    account: str = ""
    thread: str = ""

    @property
    def key(self) -> str:
        """The address as one string, unique and stable, for settings and logs."""
        return "/".join((self.channel, self.account, self.chat, self.thread))


@dataclass(frozen=True, slots=True)
class Origin:
    """The message that a thread grew from."""

    address: Address
    id: str
    """The platform's id of it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who speaks, as the channel knows them."""

    id: str
    name: str = ""
    language: str = ""
    """An IETF language tag, or empty when the channel does not tell."""
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message or goes with a reply; its content is fetched through the adapter."""

    kind: str
    name: str
    media_type: str
    size_bytes: int
    reference: str
    """By which the channel gives the content; of one that is kept, its name among the kept ones."""

    @property
    def is_file(self) -> bool:
        """Whether it has a content, and is not said by its name alone, as a place or a contact is."""
        return self.kind not in ("location", "venue", "contact", "poll", "dice")


@dataclass(frozen=True, slots=True)
class Message:
    """What one person said once."""

    address: Address
    person: Person
    text: str
    at: datetime
    id: str = ""
    """The platform's id of the message; empty where it has none."""
    reply_to: str = ""
    attachments: tuple[Attachment, ...] = ()
    conversation_id: int | None = None
    """The conversation to speak in; None means the current one of the address."""
    is_private: bool = True
    """Whether only the person and the assistant read there."""
    is_addressed: bool = True
    """Whether it is meant for the assistant: always in private; in a group by mention, reply or command."""
    is_from_owner: bool = False
    """Whether the person may let others in, and the like."""
    quote: str = ""
    """What the message replies to says, where the platform tells."""
    after_turn_id: int | None = None
    """The turn to go on from, of whatever conversation; None means from where the conversation stands."""
    is_resumed: bool = False
    """Whether an earlier attempt to answer may have been interrupted, so that parts of it may be stored."""
    language: str = ""
    """What is spoken where it was said, where that is settled; empty leaves it to the person."""
    placeholder: str = ""
    """The platform's id of a message that holds the place of the answer, and is edited to it."""
    # in groups, where the platform tells
    server: str = ""
    """The community that the place belongs to."""
    roles: tuple[str, ...] = ()
    """The names of the person's roles there."""
    is_from_admin: bool = False
    """Whether the person may change the settings of the place."""
    grew_from: Origin | None = None
    """Where the thread began that this was said in; whoever reads the thread must be able to read there, too.

    What its first message said is then the `quote`, unless the message replies to another, or the assistant said that.
    """


# -- what is remembered -------------------------------------------------------------------------------------


class Role(StrEnum):
    """Who speaks in a turn or in one message of a prompt."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class TurnState(StrEnum):
    """How a turn ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    """Cut short by the person; what was said until then is kept."""
    FAILED = "failed"
    """Cut short by a failure; what was said until then is kept."""
    LENGTH = "length"
    """Cut short by the length limit."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of talk. Its turns form a tree; `head_id` is the newest turn of the path the model sees."""

    id: int
    address: Address
    created_at: datetime
    updated_at: datetime
    name: str = ""
    head_id: int | None = None
    persona: str = ""
    """Empty means the configured persona."""
    model: str = ""
    """Empty means the configured model."""
    window_start_id: int | None = None
    """The oldest turn that the prompt still holds; None means the first."""
    origin_id: int | None = None
    """The turn of another conversation from which this one went on: that and what led to it is inherited."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one generation."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """How many of `prompt_tokens` were taken from the KV cache."""
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of one turn: waiting for its turn, until the first text, and in all (waiting included)."""

    queue_seconds: float = 0.0
    first_seconds: float = 0.0
    total_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TurnDraft:
    """A turn that is not stored yet; the fields are those of `Turn`."""

    conversation_id: int
    role: Role
    text: str
    at: datetime
    state: TurnState = TurnState.COMPLETE
    author: Person | None = None
    speaker: str = ""
    """What the author is called in prompts; empty in private, and in turns of the assistant."""
    platform_id: str = ""
    """The platform's id of the message that holds the turn."""
    model: str = ""
    generator: str = ""
    usage: Usage = Usage()
    timings: Timings = Timings()
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn(TurnDraft):
    """A stored turn."""

    id: int = 0
    parent_id: int | None = None


# -- what was understood ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message asks for: a command, a trained intent, or `chat` when it is for the model."""

    name: str
    confidence: float
    """0 to 1, calibrated."""
    slots: Mapping[str, object] = field(default_factory=dict)
    alternatives: tuple[tuple[str, float], ...] = ()
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """What was done or asked for, as programs read it. Times in slots are ISO 8601 with offset."""

    name: str
    slots: Mapping[str, object] = field(default_factory=dict)


# -- what a model is asked, and how it answers --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of a prompt."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a generator is given. `cache_key` names the conversation, so that its KV cache can be found again."""

    messages: tuple[PromptMessage, ...]
    cache_key: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: one set of settings for every generator; None leaves it to the model or is no limit."""

    temperature: float = 0.7
    """0 means greedy."""
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    """Strings that end the reply; they are not part of it."""
    logprobs: bool = False
    """Whether each token's log-probability is wanted."""


class EndReason(StrEnum):
    """Why a generation ended."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """A piece of text as it is generated: whole characters, never half of one; usually one token."""

    text: str
    logprobs: tuple[float, ...] = ()
    reasoning: bool = False
    """Set where the generator itself tells reasoning from the answer."""


@dataclass(frozen=True, slots=True)
class GenerationEnd:
    """The last event of a generation."""

    reason: EndReason
    usage: Usage


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for others, before any text: its place (1 is next), and the seconds that may take."""

    position: int
    seconds: float
    """0 where nothing is known yet."""


GenerationEvent = Queued | GeneratedText | GenerationEnd


# -- what a reply is made of --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text to be added to the reply: Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """What the model thinks before it answers: shown only where it was asked for, never part of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file that belongs to the reply."""

    attachment: Attachment


@dataclass(frozen=True, slots=True)
class Choices:
    """Answers a person can pick from: (what is shown, what is sent back)."""

    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """News about the reply that is not part of it, in the person's language: loading, queue, left out."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is whole, or was cut short as `state` says. What is known of its making."""

    state: TurnState = TurnState.COMPLETE
    understanding: Understanding | None = None
    act: Act | None = None
    generator: str = ""
    model: str = ""
    usage: Usage = Usage()
    timings: Timings = Timings()
    turn_id: int | None = None
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The reply broke off. `text` tells the person what is wrong and what to do; what was said before is kept."""

    text: str
    timings: Timings = Timings()
    turn_id: int | None = None


ReplyEvent = TextDelta | ReasoningDelta | Media | Choices | Status | Finished | Failed
