"""What a language model can do here, wherever it runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A turn of a conversation, as chat models take it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Reply(Protocol):
    """A reply as it is written. Going through it raises AnswerCutError where it breaks off, LlmError where none comes.

    `is_cut_short`: whether the limit of tokens ended it, known when it has ended.
    """

    is_cut_short: bool

    def __iter__(self) -> Iterator[str]:
        """Pieces of any length, each once."""
        ...

    def stop(self) -> None:
        """End it now, from any thread; a reply that is stopped ends without an error."""
        ...


class LanguageModel(Protocol):
    """A chat model on this machine, or on another that the user has named."""

    @property
    def name(self) -> str:
        """The model's name as its server or file has it."""
        ...

    @property
    def where(self) -> str:
        """The server's address, or what runs it here."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether text leaves this machine."""
        ...

    @property
    def is_small(self) -> bool:
        """Whether it is one of the smallest models, which must be asked otherwise: to copy, not to tell."""
        ...

    @property
    def window_tokens(self) -> int:
        """Tokens of prompt and reply together that it really takes in."""
        ...

    @property
    def comfortable_tokens(self) -> int:
        """Tokens of prompt beyond which it gets too slow to wait for; the window if there are none."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, rather too many than too few."""
        ...

    def reply(self, messages: Sequence[Message], max_tokens: int) -> Reply:
        """Begin a reply."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...
