"""A retriever for LangChain (extra `[langchain]`)."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from searchkit.errors import UsageError
from searchkit.integrations.passages import Found, Passages, Wish
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.types import SearchMode

try:
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from pydantic import ConfigDict, Field, PrivateAttr, field_validator
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "The retriever for LangChain needs the package langchain-core: pip install 'searchkit[langchain]'",
        name=error.name,
    ) from error


class SearchkitRetriever(BaseRetriever):
    """Retrieves passages of what is indexed, for use in any chain, from any thread.

    Each is a document with the passage's text, its id, and where it stands in the metadata (docs/integrations.md). `k`: how
    many at most; `collections`: the only ones to search, none named: all; `mode`: hybrid, semantic or lexical; `filters`:
    which documents, besides what the query itself says; `min_score`: leaves out what is less likely about the query (of 0 to
    1; 0.5 leaves out weak matches). `library`: an open one, which stays the caller's; else one over `home`, the user's own data
    directory unless given.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    k: int = Field(default=4, ge=1)
    collections: list[str] = Field(default_factory=list)
    mode: SearchMode | str = SearchMode.HYBRID
    filters: Filters | None = None
    min_score: float = Field(default=0.0, ge=0, le=1)
    home: Path | None = None
    library: Library | None = Field(default=None, exclude=True, repr=False)
    _passages: Passages = PrivateAttr()

    @field_validator("collections", mode="before")
    @classmethod
    def _names(cls, given: object) -> object:
        if isinstance(given, str):
            raise ValueError(f"collections is a list of names: collections=[{given!r}]")
        return given

    def model_post_init(self, context: Any, /) -> None:
        """Open the library."""
        super().model_post_init(context)
        self._wish({})  # refuses what cannot be meant
        self._passages = Passages(self.library, self.home)

    def close(self) -> None:
        """Let go of what is open; this happens by itself once the retriever is not used any more."""
        self._passages.close()

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 (LangChain's signature)
        **options: Any,
    ) -> list[Document]:
        return [_document(found) for found in self._passages.search(query, self._wish(options))]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        **options: Any,
    ) -> list[Document]:
        return [_document(found) for found in await self._passages.search_later(query, self._wish(options))]

    def _wish(self, options: Mapping[str, Any]) -> Wish:
        """`options`: of one call, in place of the retriever's own. Raises UsageError for one that there is not."""
        wish = Wish(self.k, self.collections, self.mode, self.filters, self.min_score)
        names = [field.name for field in fields(Wish)]
        for name in options:
            if name not in names:
                raise UsageError(f"A retriever has no option {name!r}. There are: {', '.join(names)}.")
        return replace(wish, **options)


def _document(found: Found) -> Document:
    return Document(found.text, id=found.id, metadata=dict(found.metadata))
