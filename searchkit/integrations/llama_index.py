"""A retriever for LlamaIndex (extra `[llama-index]`)."""

from collections.abc import Sequence
from pathlib import Path

from searchkit.display.installation import Installation
from searchkit.integrations.retriever import PassageRetriever, RetrievedPassage, RetrieverOptions
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.types import SearchMode

try:
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"The retriever for LlamaIndex needs the package llama-index-core: {Installation.here().adding('llama-index')}",
        name=error.name,
    ) from error

_SHOWN = "title"  # the only metadata that a language model is shown: file, page and headings


class SearchkitRetriever(BaseRetriever):
    """Retrieves passages of what is indexed, for use in any query engine, from any thread.

    Each node has the passage's text, its id, and where it is from in the metadata (docs/integrations.md). `k`: how many at
    most; `collections`: the ones to search, none named means all; `mode`: hybrid, semantic or lexical; `filters`: must match
    in addition to those in the query; `min_score`: leaves out passages with a lower score (0 to 1; 0.5 leaves out weak
    matches). `library`: an open one, which stays the caller's; otherwise one is opened over `home`, by default the user's
    own data directory.
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
        self._options = RetrieverOptions(k, collections, mode, filters, min_score)
        self._retriever = PassageRetriever(library, home)

    def close(self) -> None:
        """Close what is open. This is automatic once nobody refers to the retriever."""
        self._retriever.close()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(found) for found in self._retriever.search(query_bundle.query_str, self._options)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = await self._retriever.asearch(query_bundle.query_str, self._options)
        return [_node(each) for each in found]


def _node(found: RetrievedPassage) -> NodeWithScore:
    metadata = dict(found.metadata)
    hidden = [name for name in metadata if name != _SHOWN]
    node = TextNode(
        id_=found.id,
        text=found.text,
        metadata=metadata,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
    )
    return NodeWithScore(node=node, score=found.score)
