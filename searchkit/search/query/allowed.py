"""The chunks that may answer a query: those that its filters, phrases and exclusions leave, or all."""

from collections.abc import Iterable
from dataclasses import dataclass

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import all_chunks, chunks_of_documents
from searchkit.search.lexical.exact_matches import chunks_with_phrase, chunks_with_word
from searchkit.search.query.filters import Filters, chunks_in_documents

_YES = 1


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints on a chunk: all of the filters and phrases, none of the exclusions, none of the excluded documents."""

    filters: tuple[Filters, ...] = ()
    phrases: tuple[str, ...] = ()
    excluded_words: tuple[str, ...] = ()
    excluded_phrases: tuple[str, ...] = ()
    excluded_documents: tuple[int, ...] = ()


class AllowedChunks:
    """A set of chunk ids that SQL can use too. `mask`: one byte per chunk id, 1 for members."""

    def __init__(self, chunk_ids: Iterable[int]) -> None:
        ids = list(chunk_ids)
        mask = bytearray(max(ids, default=0) + 1)
        for chunk in ids:
            mask[chunk] = _YES
        self.mask = bytes(mask)
        self.count = len(ids)

    def __contains__(self, chunk: int) -> bool:
        return chunk < len(self.mask) and self.mask[chunk] == _YES

    def __len__(self) -> int:
        return self.count


def allowed_chunks(catalog: CatalogReader, constraints: Constraints) -> AllowedChunks | None:
    """The chunks that meet all constraints, None if there are none."""
    filters = [each for each in constraints.filters if each]
    found = chunks_in_documents(catalog, filters) if filters else None
    for phrase in constraints.phrases:
        found = chunks_with_phrase(catalog, phrase, found)
    excluded = _excluded(catalog, constraints)
    if excluded:
        found = (all_chunks(catalog) if found is None else found) - excluded
    return None if found is None else AllowedChunks(found)


def _excluded(catalog: CatalogReader, constraints: Constraints) -> set[int]:
    excluded: set[int] = set()
    for word in constraints.excluded_words:
        excluded |= chunks_with_word(catalog, word)
    for phrase in constraints.excluded_phrases:
        excluded |= chunks_with_phrase(catalog, phrase, None)
    if constraints.excluded_documents:
        excluded |= chunks_of_documents(catalog, constraints.excluded_documents)
    return excluded
