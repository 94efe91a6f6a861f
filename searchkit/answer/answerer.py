"""Answers questions from a library: finds sources, packs them into the model's window, and checks what the model writes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from searchkit.answer.context import Context, Window, pack
from searchkit.answer.grounding.answer_stream import AnswerStream, answer_from, nothing_relevant
from searchkit.answer.models.choose import ModelChoice, choose_model
from searchkit.answer.models.language_model import LanguageModel, Message, estimated_tokens
from searchkit.answer.prompt import as_one_text
from searchkit.answer.retrieve import find_sources
from searchkit.config import load_settings
from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.search.request import SearchRequest

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder

DEFAULT_K = 8
_TO_PASTE = 8000  # tokens of a context to paste elsewhere: what the smaller hosted models accept without trouble


class Answerer:
    """A library and a language model. `close` closes the model; the library stays the caller's."""

    def __init__(self, library: Library, model: LanguageModel) -> None:
        self._library = library
        self.model = model
        self._smaller_window = 0

    @property
    def name(self) -> str:
        """The language model's name."""
        return self.model.name

    @property
    def window(self) -> Window:
        """The model's context window, as far as it is known."""
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
        question = question or sources.query
        hits = find_sources(self._library, sources)
        if not hits:
            return nothing_relevant()
        context = pack(question, hits, self.window, history)

        def repack(window_tokens: int) -> Context:
            """Pack the sources that the reader has seen, or fewer of them, so that their numbers stay."""
            self._smaller_window = window_tokens
            return pack(question, context.sources, self.window, history)

        return answer_from(self.model, question, context, repack, self._embedder)

    def close(self) -> None:
        """Close the model."""
        self.model.close()

    def _embedder(self, collection: str) -> "Embedder | None":
        """The model that the collection is searched with; None if it is not installed, and only words can be compared."""
        try:
            return self._library.collection(collection).embedder()
        except ModelError:
            return None


def open_answerer(library: Library, *, llm: str = "", model: str = "") -> Answerer:
    """Open an answerer with the model that is named or found.

    `llm`: a server's address, a GGUF file, or "embedded"; "" for the configured one, or one that is found. `model`: its name
    on the server. Raises LlmNotFoundError, which says what was tried and what to do.
    """
    return Answerer(library, choose_model(load_settings(library.home).llm, ModelChoice(llm, model)))


def context_to_paste(library: Library, sources: SearchRequest) -> tuple[Context | None, str]:
    """The sources of an answer to the search's query, and the whole prompt as one text; None and "" if nothing is relevant."""
    hits = find_sources(library, sources)
    if not hits:
        return None, ""
    tokens = load_settings(library.home).llm.context or _TO_PASTE
    context = pack(sources.query, hits, Window(tokens, tokens, estimated_tokens))
    return context, as_one_text(sources.query, context.blocks)
