"""A retriever for LlamaIndex (extra `[llama-index]`)."""

from collections.abc import Sequence
from pathlib import Path

from searchkit.integrations.passages import Found, Passages, Wish
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.types import SearchMode

try:
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "The retriever for LlamaIndex needs the package llama-index-core: pip install 'searchkit[llama-index]'",
        name=error.name,
    ) from error

_TOLD = "title"  # of the metadata, what a language model is told: file, page and headings


class SearchkitRetriever(BaseRetriever):
    """Retrieves passages of what is indexed, for use in any query engine, from any thread.

    Each is a node with the passage's text and where it stands (docs/integrations.md). `k`: how many at most; `collections`:
    the only ones to search, none named: all; `mode`: hybrid, semantic or lexical; `filters`: which documents, besides what the
    query itself says; `min_score`: leaves out what is less likely about the query (of 0 to 1; 0.5 leaves out weak matches).
    `library`: an open one, which stays the caller's; else one over `home`, the user's own data directory unless given.
    """

    def __init__(  # noqa: PLR0913 (what users of LlamaIndex expect: its own retrievers are made so)
        self,
        *,
        k: int = 4,
        collections: Sequence[str] = (),
        mode: SearchMode | str = SearchMode.HYBRID,
        filters: Filters | None = None,
        min_score: float = 0.0,
        library: Library | None = None,
        home: str | Path | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager=callback_manager)
        self._wish = Wish(k, collections, mode, filters, min_score)
        self._passages = Passages(library, home)

    def close(self) -> None:
        """Let go of what is open; this happens by itself once the retriever is not used any more."""
        self._passages.close()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(found) for found in self._passages.search(query_bundle.query_str, self._wish)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = await self._passages.search_later(query_bundle.query_str, self._wish)
        return [_node(each) for each in found]


def _node(found: Found) -> NodeWithScore:
    metadata = dict(found.metadata)
    kept_back = [name for name in metadata if name != _TOLD]
    node = TextNode(
        id_=found.id,
        text=found.text,
        metadata=metadata,
        excluded_llm_metadata_keys=kept_back,
        excluded_embed_metadata_keys=kept_back,
    )
    return NodeWithScore(node=node, score=found.score)
