"""Packs sources into a model's context window: best first, as many as fit, the last one cut at a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from searchkit.answer.models.language_model import Message
from searchkit.answer.prompt import messages_for, messages_for_small, new_mark, source_block
from searchkit.errors import WindowTooSmallError
from searchkit.search.results.highlights import sentence_bounds
from searchkit.types import Hit

CountTokens = Callable[[str], int]
_PER_MESSAGE = 12  # tokens of a chat template around a message; templates in use take 4 to 10
_LEAST_SOURCE = 60  # tokens; a shorter part of a passage is useless
_LEAST_REPLY, _MOST_REPLY = 128, 1024
_MOST_SMALL_REPLY = 160
_HISTORY_PART = 0.25


@dataclass(frozen=True, slots=True)
class Window:
    """A model's context window, in tokens of prompt and reply together, and how to count them.

    `comfortable`: the longest prompt, in tokens, that a user will wait for; the whole window for a fast model.
    """

    tokens: int
    comfortable: int
    count: CountTokens
    is_small_model: bool = False

    @property
    def reply_tokens(self) -> int:
        """Tokens kept free for the reply: a quarter, within bounds."""
        most = _MOST_SMALL_REPLY if self.is_small_model else _MOST_REPLY
        return min(most, max(_LEAST_REPLY, self.tokens // 4))


@dataclass(frozen=True, slots=True)
class Context:
    """The prompt of an answer. `sources[i]` has the number i + 1 and the text that the model sees."""

    sources: tuple[Hit, ...]
    blocks: tuple[str, ...]
    messages: tuple[Message, ...]
    tokens: int
    reply_tokens: int


def pack(question: str, hits: Sequence[Hit], window: Window, history: Sequence[Message] = ()) -> Context:
    """Pack as many of the hits as fit, in their order, after the last turns of the history.

    Raises WindowTooSmallError if not even a part of the best one fits.
    """
    mark = "" if window.is_small_model else new_mark()
    kept = recent(history, window)

    def messages(blocks: Sequence[str]) -> list[Message]:
        return messages_for_small(question, blocks) if window.is_small_model else messages_for(question, blocks, kept)

    fixed = message_tokens(messages(()), window.count)
    free = min(window.tokens - window.reply_tokens, max(window.comfortable, fixed + _LEAST_SOURCE)) - fixed
    sources: list[Hit] = []
    blocks: list[str] = []
    for hit in hits:
        fitting = _fitting(hit, len(sources) + 1, mark, free, window.count)
        if fitting is None:
            break
        source, block, cost = fitting
        sources.append(source)
        blocks.append(block)
        free -= cost
    if hits and not sources:
        raise WindowTooSmallError(
            f"The model's window of {window.tokens:,} tokens is too small for the question, a source and an answer.",
            remedy="Ask more briefly, start a new conversation, or give the model a larger window (docs/ask.md).",
        )
    prompt = tuple(messages(blocks))
    return Context(tuple(sources), tuple(blocks), prompt, message_tokens(prompt, window.count), window.reply_tokens)


def message_tokens(messages: Sequence[Message], count: CountTokens) -> int:
    """Count the tokens of messages, chat template included."""
    return sum(count(message.content) + _PER_MESSAGE for message in messages)


def recent(history: Sequence[Message], window: Window) -> list[Message]:
    """The last whole turns (question and answer) that fit into a quarter of the window."""
    room = int(window.tokens * _HISTORY_PART)
    start = len(history)
    while start >= 2:
        room -= message_tokens(history[start - 2 : start], window.count)
        if room < 0:
            break
        start -= 2
    return list(history[start:])


def _fitting(hit: Hit, number: int, mark: str, free: int, count: CountTokens) -> tuple[Hit, str, int] | None:
    """The hit, or the part around its snippet that fits, with its block and the tokens that it takes; None if nothing fits."""
    block = source_block(number, hit, mark)
    cost = count(block) + 2
    if cost <= free:
        return hit, block, cost
    around = count(source_block(number, replace(hit, text="", sentence=None), mark)) + 4
    text = _part(hit, free - around, count) if free - around >= _LEAST_SOURCE else ""
    if not text:
        return None
    cut = replace(hit, text=text, sentence=None, pages=_pages_of(hit, text))
    cut = cut.on_pages([part.page or 0 for part in cut.parts]) if cut.pages else cut
    block = source_block(number, cut, mark)
    cost = count(block) + 2
    return (cut, block, cost) if cost <= free else None


def _pages_of(hit: Hit, text: str) -> str:
    """Where the pages of a part of the hit's text begin in it."""
    start = hit.text.find(text)
    marks = [tuple(map(int, each.split(":"))) for each in hit.pages.split()]
    before = [page for offset, page in marks if offset <= start][-1:]
    within = [(offset - start, page) for offset, page in marks if start < offset < start + len(text)]
    return " ".join(f"{offset}:{page}" for offset, page in [*((0, page) for page in before), *within])


def _part(hit: Hit, room: int, count: CountTokens) -> str:
    """Whole sentences that fit into `room` tokens: from the snippet's first one on, then those before it."""
    bounds = sentence_bounds(hit.text)
    shown = max(0, hit.text.find(hit.snippet))
    first = max((i for i, (start, _) in enumerate(bounds) if start <= shown), default=0)
    last = first
    taken = ""
    while last < len(bounds) and count(text := hit.text[bounds[first][0] : bounds[last][1]]) <= room:
        taken, last = text, last + 1
    while taken and first > 0 and count(text := hit.text[bounds[first - 1][0] : bounds[last - 1][1]]) <= room:
        taken, first = text, first - 1
    return taken
