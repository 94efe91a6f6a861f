"""A retriever for LangChain (extra `[langchain]`)."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from searchkit.display.installation import Installation
from searchkit.errors import UsageError
from searchkit.integrations.retriever import PassageRetriever, RetrievedPassage, RetrieverOptions
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
        f"The retriever for LangChain needs the package langchain-core: {Installation.here().adding('langchain')}",
        name=error.name,
    ) from error


class SearchkitRetriever(BaseRetriever):
    """Retrieves passages of what is indexed, for use in any chain, from any thread.

    Each document has the passage's text, its id, and where it is from in the metadata (docs/integrations.md). `k`: how many at
    most; `collections`: the ones to search, none named means all; `mode`: hybrid, semantic or lexical; `filters`: must match
    in addition to those in the query; `min_score`: leaves out passages with a lower score (0 to 1; 0.5 leaves out weak
    matches). `library`: an open one, which stays the caller's; otherwise one is opened over `home`, by default the user's
    own data directory.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    k: int = Field(default=4, ge=1)
    collections: list[str] = Field(default_factory=list)
    mode: SearchMode | str = SearchMode.HYBRID
    filters: Filters | None = None
    min_score: float = Field(default=0.0, ge=0, le=1)
    home: Path | None = None
    library: Library | None = Field(default=None, exclude=True, repr=False)
    _retriever: PassageRetriever = PrivateAttr()

    @field_validator("collections", mode="before")
    @classmethod
    def _names(cls, given: object) -> object:
        if isinstance(given, str):
            raise ValueError(f"collections is a list of names: collections=[{given!r}]")
        return given

    def model_post_init(self, context: Any, /) -> None:
        """Open the library."""
        super().model_post_init(context)
        self._options({})  # refuses impossible values
        self._retriever = PassageRetriever(self.library, self.home)

    def close(self) -> None:
        """Close what is open. This is automatic once nobody refers to the retriever."""
        self._retriever.close()

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 (LangChain's signature)
        **options: Any,
    ) -> list[Document]:
        return [_document(found) for found in self._retriever.search(query, self._options(options))]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        **options: Any,
    ) -> list[Document]:
        return [_document(found) for found in await self._retriever.asearch(query, self._options(options))]

    def _options(self, options: Mapping[str, Any]) -> RetrieverOptions:
        """Replace the retriever's own options by those of one call. Raises UsageError for an unknown one."""
        own = RetrieverOptions(self.k, self.collections, self.mode, self.filters, self.min_score)
        names = [field.name for field in fields(RetrieverOptions)]
        for name in options:
            if name not in names:
                raise UsageError(f"A retriever has no option {name!r}. Choose from: {', '.join(names)}.")
        return replace(own, **options)


def _document(found: RetrievedPassage) -> Document:
    return Document(found.text, id=found.id, metadata=dict(found.metadata))
