"""Answers questions from a library: finds sources, packs them into the model's window, and checks what the model writes.

Without a model the sources answer in their own words.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from searchkit.answer.context import Context, Window, pack
from searchkit.answer.follow_ups import goes_on
from searchkit.answer.grounding.answer_stream import AnswerStream, answer_from, nothing_relevant
from searchkit.answer.models.choose import ModelChoice, model_or_reason
from searchkit.answer.models.language_model import LanguageModel, Message, estimated_tokens
from searchkit.answer.prompt import as_one_text
from searchkit.answer.quotations import quote
from searchkit.answer.retrieve import find_passages, find_sources
from searchkit.config import load_settings
from searchkit.display import GET_A_MODEL
from searchkit.errors import LlmNotFoundError, ModelError
from searchkit.library import Library
from searchkit.search.request import SearchRequest

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder

DEFAULT_K = 8
_TO_PASTE = 8000  # tokens of a context to paste elsewhere: what the smaller hosted models accept without trouble


class Answerer:
    """A library and a language model, None to answer by quotations. `close` closes the model; the library stays the caller's.

    `missing`: why the model that is set up is not there.
    """

    def __init__(self, library: Library, model: LanguageModel | None, missing: LlmNotFoundError | None = None) -> None:
        self._library = library
        self.model = model
        self._missing = missing
        self._smaller_window = 0

    @property
    def name(self) -> str:
        """The language model's name; "" without one."""
        return self.model.name if self.model else ""

    @property
    def server(self) -> str:
        """The language model's server, or what runs it here; "" without one."""
        return self.model.server if self.model else ""

    @property
    def remote(self) -> bool:
        """True if text leaves this machine."""
        return self.model is not None and self.model.remote

    @property
    def advice(self) -> str:
        """One line: what would answer in words of its own; "" with a model."""
        if self.model:
            return ""
        return f"{self._missing} Until it is there, sources are quoted." if self._missing else GET_A_MODEL

    @property
    def window(self) -> Window:
        """The model's context window, as far as it is known; without a model, of no tokens."""
        if self.model is None:
            return Window(0, 0, estimated_tokens)
        tokens = min(self.model.window_tokens, self._smaller_window or self.model.window_tokens)
        comfortable = min(self.model.comfortable_tokens, tokens)
        return Window(tokens, comfortable, self.model.count_tokens, self.model.is_small)

    def answer(self, question: str, collections: Sequence[str] = ()) -> AnswerStream:
        """Answer from these collections, from all if none is named. Raises what `Library.search` raises, and LlmError."""
        return self.answer_from(SearchRequest(question, DEFAULT_K, collections=tuple(collections)))

    def answer_from(
        self, sources: SearchRequest, *, question: str = "", history: Sequence[Message] = ()
    ) -> AnswerStream:
        """Answer from the passages that a search finds.

        `question`: the question, if it is not the search's query. `history`: the turns before it. If nothing in the library is
        clearly relevant, the stream says so and has no sources, and no model is asked.
        """
        if self.model is None:
            said = [turn.content for turn in history if turn.role == "assistant"] if goes_on(question) else []
            return quote(sources.query, find_passages(self._library, sources), self._embedder, said)
        question = question or sources.query
        hits = find_sources(self._library, sources)
        if not hits:
            return nothing_relevant()
        context = pack(question, hits, self.window, history)

        def repack(window_tokens: int) -> Context:
            """Pack the sources that the reader has seen, or fewer of them, so that their numbers stay."""
            self._smaller_window = window_tokens
            return pack(question, context.sources, self.window, history)

        return answer_from(self.model, sources.query, context, repack, self._embedder)

    def close(self) -> None:
        """Close the model."""
        if self.model:
            self.model.close()

    def _embedder(self, collection: str) -> "Embedder | None":
        """The model that the collection is searched with; None if it is not installed, and only words can be compared."""
        try:
            return self._library.collection(collection).embedder()
        except ModelError:
            return None


def open_answerer(library: Library, *, llm: str = "", model: str = "") -> Answerer:
    """Open an answerer with the model that is named or found; if none is found, sources are quoted.

    `llm`: a server's address, a GGUF file, or "embedded"; "" for the configured one, or one that is found. `model`: its name
    on the server. Raises LlmNotFoundError, which says what was tried and what to do, if one that is named is not there.
    """
    return Answerer(library, *model_or_reason(load_settings(library.home).llm, ModelChoice(llm, model)))


def context_to_paste(library: Library, sources: SearchRequest) -> tuple[Context | None, str]:
    """The sources of an answer to the search's query, and the whole prompt as one text; None and "" if nothing is relevant."""
    hits = find_sources(library, sources)
    if not hits:
        return None, ""
    tokens = load_settings(library.home).llm.context or _TO_PASTE
    context = pack(sources.query, hits, Window(tokens, tokens, estimated_tokens))
    return context, as_one_text(sources.query, context.blocks)
