"""Answers questions from a library: finds sources, packs them into the model's window, has it answer, checks what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from searchkit.answer.context import Context, Window, pack
from searchkit.answer.grounding.answer_stream import AnswerStream, answer_from, nothing_relevant
from searchkit.answer.grounding.checked_text import UNSUPPORTED
from searchkit.answer.grounding.citations import without_citations
from searchkit.answer.models.choose import Wanted, choose_model
from searchkit.answer.models.language_model import LanguageModel, Message, estimated_tokens
from searchkit.answer.prompt import as_one_text
from searchkit.answer.retrieve import NO_FILTERS, find_sources
from searchkit.answer.rewrite import standalone_question
from searchkit.config import load_settings
from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.search.query.filters import Filters

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder

DEFAULT_K = 8
_TO_PASTE = 8000  # tokens of a context to paste elsewhere: what the smaller hosted models take without trouble


@dataclass(frozen=True, slots=True)
class Scope:
    """Which passages may answer: at most `k`, of these collections (none named: all), that pass the filters."""

    collections: Sequence[str] = ()
    filters: Filters = NO_FILTERS
    k: int = DEFAULT_K


class Answerer:
    """A library and a language model. `close` lets the model go; the library stays the caller's."""

    def __init__(self, library: Library, model: LanguageModel) -> None:
        self._library = library
        self.model = model
        self._smaller_window = 0

    @property
    def name(self) -> str:
        """The language model's name."""
        return self.model.name

    def answer(self, question: str, collections: Sequence[str] = ()) -> AnswerStream:
        """Answer from these collections, from all if none is named. Raises what `Library.search` does, and LlmError."""
        return self.answer_within(question, Scope(collections))

    def answer_within(
        self, question: str, scope: Scope, *, search_for: str = "", history: Sequence[Message] = ()
    ) -> AnswerStream:
        """The same with filters. `search_for`: what to find sources by, instead of the question; `history`: turns before it.

        Nothing clearly relevant in the library: the stream says so, has no sources, and no model is asked.
        """
        hits = find_sources(self._library, search_for or question, scope.collections, scope.k, scope.filters)
        if not hits:
            return nothing_relevant()
        context = pack(question, hits, self.window, history)

        def repack(window_tokens: int) -> Context:
            """With the sources that the reader has been shown, or fewer: their numbers stay."""
            self._smaller_window = window_tokens
            return pack(question, context.sources, self.window, history)

        return answer_from(self.model, question, context, repack, self._embedder)

    @property
    def window(self) -> Window:
        """What the model takes in, as far as it has told."""
        tokens = min(self.model.window_tokens, self._smaller_window or self.model.window_tokens)
        comfortable = min(self.model.comfortable_tokens, tokens)
        return Window(tokens, comfortable, self.model.count_tokens, self.model.is_small)

    def close(self) -> None:
        """Let go of the model."""
        self.model.close()

    def _embedder(self, collection: str) -> "Embedder | None":
        """The model that the collection is searched with; None if it is not installed, and words alone are compared."""
        try:
            return self._library.collection(collection).embedder()
        except ModelError:
            return None


def open_answerer(library: Library, *, llm: str = "", model: str = "") -> Answerer:
    """An answerer with the model that is named or found.

    `llm`: a server's address, a GGUF file, or "embedded"; "" for what the settings say, else what is found. `model`: its name
    on the server. Raises LlmNotFoundError, which says what was tried and what to do.
    """
    return Answerer(library, choose_model(load_settings(library.home).llm, Wanted(llm, model)))


def context_to_paste(library: Library, question: str, scope: Scope) -> tuple[Context | None, str]:
    """The sources that an answer would rest on, and the whole prompt as one text; None and "" if nothing is relevant."""
    hits = find_sources(library, question, scope.collections, scope.k, scope.filters)
    if not hits:
        return None, ""
    tokens = load_settings(library.home).llm.context or _TO_PASTE
    context = pack(question, hits, Window(tokens, tokens, estimated_tokens))
    return context, as_one_text(question, context.blocks)


@dataclass
class Conversation:
    """Turns with one answerer. `searched_for`: what the last question's sources were found by."""

    answerer: Answerer
    scope: Scope
    history: list[Message] = field(default_factory=list)
    searched_for: str = ""

    def ask(self, question: str) -> AnswerStream:
        """The answer; note it with `remember` when it has ended."""
        self.searched_for = standalone_question(self.answerer.model, self.answerer.window, question, self.history)
        return self.answerer.answer_within(question, self.scope, search_for=self.searched_for, history=self.history)

    def remember(self, question: str, stream: AnswerStream) -> None:
        """Take an answer into the history, as far as it came. One that found nothing is no part of it."""
        report = stream.report
        if report and report.text and report.ending != "not_found":
            said = without_citations(report.text).replace(f" {UNSUPPORTED}", "")  # numbers of sources that come no more
            self.history += [Message("user", question), Message("assistant", said)]

    def begin_anew(self) -> None:
        """Forget what was said."""
        self.history.clear()
        self.searched_for = ""
