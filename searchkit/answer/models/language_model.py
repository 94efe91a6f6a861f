"""The protocol of language models, wherever they run, and an estimate of tokens for those that cannot count."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A turn of a conversation, as chat models take it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Reply(Protocol):
    """A reply as it is written. Iterating raises AnswerCutError if it breaks off, LlmError if none comes.

    `is_cut_short`: True if the token limit ended it; known when it has ended.
    """

    is_cut_short: bool

    def __iter__(self) -> Iterator[str]:
        """Yield pieces of any length, each once."""
        ...

    def stop(self) -> None:
        """End it now, from any thread; a stopped reply ends without an error."""
        ...


class LanguageModel(Protocol):
    """A chat model, on this machine or on another that the user has named."""

    @property
    def name(self) -> str:
        """The model's name, as its server or file gives it."""
        ...

    @property
    def server(self) -> str:
        """The server's address, or what runs it here."""
        ...

    @property
    def remote(self) -> bool:
        """True if text leaves this machine."""
        ...

    @property
    def is_small(self) -> bool:
        """True for one of the smallest models, which must be asked to copy, not to answer in its own words."""
        ...

    @property
    def window_tokens(self) -> int:
        """The context window that is really served, in tokens of prompt and reply together."""
        ...

    @property
    def comfortable_tokens(self) -> int:
        """The longest prompt, in tokens, that a user will wait for; the whole window for a fast model."""
        ...

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text; if in doubt, too many rather than too few."""
        ...

    def reply(self, messages: Sequence[Message], max_tokens: int) -> Reply:
        """Start a reply."""
        ...

    def close(self) -> None:
        """Close connections and free memory."""
        ...


_PIECE = re.compile(r"[A-Za-z]+|[^\W_]|[^\w\s]|\n+|_", re.ASCII)
_FAR = 0x0900  # scripts of India, China, Japan and beyond: small vocabularies have two tokens for a sign
_LETTERS_PER_TOKEN = 2.7  # English has 4 to 5, German 3 with the smallest vocabularies


def estimated_tokens(text: str) -> int:
    """Estimate too many rather than too few: digits, signs and letters beyond ASCII count one or two each, words by length.

    For 4 of the 199 passages of `sample_docs`, in several languages, it is below the count of SmolLM2's tokenizer (small, and
    made for English), by 8 % at most; for half of them it is more than 1.4 times that count.
    """
    ascii_text = text.encode("ascii", "ignore").decode()
    beyond = [character for character in text if ord(character) > 127 and not character.isspace()]
    rare = sum(1 for character in beyond if ord(character) >= _FAR)
    return len(beyond) + rare + sum(_tokens(piece) for piece in _PIECE.findall(ascii_text))


def _tokens(piece: str) -> int:
    return max(1, round(len(piece) / _LETTERS_PER_TOKEN + 0.4)) if piece[0].isalpha() else 1


Produce = Callable[["BackgroundStream"], Iterator[str]]
_LOOK_SECONDS = 0.2  # how often a waiting reader checks for Ctrl-C, on systems that do not interrupt a wait


class BackgroundStream:
    """A `Reply` whose iterator runs in a thread of its own.

    `produce` is given this stream and yields the pieces; it should check `is_stopped` between them. `abort` wakes it when it is
    waiting.
    """

    def __init__(self, produce: Produce, abort: Callable[[], None]) -> None:
        self.is_cut_short = False
        self._produce = produce
        self._abort = abort
        self._stopped = threading.Event()
        self._queue: Queue[str | BaseException | None] = Queue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="searchkit-reply")
        self._thread.start()

    def is_stopped(self) -> bool:
        """True if no more pieces are wanted."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """See `Reply`."""
        self._stopped.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._abort()

    def __iter__(self) -> Iterator[str]:
        while not self.is_stopped():
            try:
                piece = self._queue.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            if piece is None or self.is_stopped():
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def _run(self) -> None:
        try:
            for piece in self._produce(self):
                self._queue.put(piece)
                if self.is_stopped():
                    return
            self._queue.put(None)
        except BaseException as error:  # noqa: BLE001 (raised where the pieces are read)
            self._queue.put(error)
