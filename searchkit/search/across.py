"""Searches several collections, and merges their hits."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.errors import Action, Remedy, UsageError
from searchkit.search.on_demand import READING_SECONDS, ReadingTime
from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery, not_filters
from searchkit.search.request import PassageAt, SearchRequest
from searchkit.search.searcher import CollectionSearcher
from searchkit.text import folded
from searchkit.types import Hit, Note, NoteKind, SearchMode

if TYPE_CHECKING:
    from searchkit_indexes import Vectors


def search_across(searchers: Sequence[CollectionSearcher], request: SearchRequest, query: ParsedQuery) -> list[Hit]:
    """Search all of the collections, and return the best hits.

    In a query of four or more words, a quoted phrase that matches nothing is ignored: the nearest hits are found.
    """
    reading = ReadingTime(READING_SECONDS, sum(not searcher.is_by_words for searcher in searchers))
    hits = [hit for searcher in searchers for hit in searcher.search(query, request, reading)]
    if not hits and query.phrases and query.is_sentence:
        return search_across(searchers, request, replace(query, phrases=()))
    return [hit for hit in merge_hits(hits, query, request.k) if hit.score >= request.min_score]


def merge_hits(hits: Sequence[Hit], query: ParsedQuery, k: int) -> list[Hit]:
    """Merge several collections' hits, and keep the first k: best first, or newest first where nothing ranks them."""
    if query.text:
        return sorted(hits, key=lambda hit: -hit.score)[:k]
    return sorted(hits, key=lambda hit: hit.date, reverse=True)[:k]


def find_similar(
    chosen: Sequence[CollectionSearcher],
    others: Sequence[CollectionSearcher],
    request: SearchRequest,
    at: PassageAt,
) -> list[Hit]:
    """Find the passages of the chosen collections nearest to a file, or to its passage at a line; it may be in another one.

    Collections whose models did not embed the file have no vectors to compare, and give no hits. Raises
    UsageError if the file is in no collection, or none of its vectors can be compared.
    """
    sources = [(searcher, searcher.documents_at(at.path)) for searcher in (*chosen, *others)]
    holding = {searcher: documents for searcher, documents in sources if documents}
    if not holding:
        raise _not_indexed(at.path)
    vectors: dict[str, Vectors] = {}
    embedded = {searcher: documents for searcher, documents in holding.items() if not searcher.is_by_words}
    for searcher, documents in (embedded or holding).items():
        if (vector := searcher.vector_of(documents[0], at.line)) is not None:
            vectors.setdefault(searcher.fingerprint, vector)
    if not vectors:
        unfinished = next(iter(holding)).name
        raise UsageError(
            f"{at.path} cannot be found by meaning yet.", remedy=Remedy(Action.RESUME_INDEXING, collection=unfinished)
        )
    comparable = [each for each in chosen if not each.is_by_words and each.fingerprint in vectors]
    if not comparable:
        raise UsageError(f"{at.path} was embedded by another model than {chosen[0].name}, so they cannot be compared.")
    hits: list[Hit] = []
    for searcher in comparable:
        hits += searcher.similar(vectors[searcher.fingerprint], request, holding.get(searcher, ()))
    return sorted(hits, key=lambda hit: -hit.score)[: request.k]


def _not_indexed(path: Path) -> UsageError:
    if path.is_dir():
        return UsageError(f"{path} is a folder.", remedy="Name one of its files.")
    if not path.exists():
        return UsageError(f"There is no file {path}, in the collections or on the disk.", remedy="Check the spelling.")
    return UsageError(
        f"No collection contains {path}.",
        remedy=Remedy(Action.SEE_PROBLEMS) | Remedy(Action.INDEX_FOLDER, sentence="Index its folder", path=path.parent),
    )


def notes_on_hits(query: ParsedQuery, filters: Filters, mode: SearchMode, hits: Sequence[Hit]) -> Iterator[Note]:
    """Compare the hits with what the query and the `filters` given with it ask for."""
    if hits and mode is not SearchMode.SEMANTIC and (missing := phrases_not_found(query, hits)):
        yield Note(NoteKind.PHRASES_NOT_FOUND, missing)
    if hits and all(hit.is_weak for hit in hits):
        yield Note(NoteKind.ALL_WEAK)
    if misread := not_filters(query):
        yield Note(NoteKind.FILTER_MISREAD, tuple(misread))
    if not hits:
        yield Note(NoteKind.NOTHING_FOUND, tuple(_demands(query, filters, mode)))


def phrases_not_found(query: ParsedQuery, hits: Sequence[Hit]) -> tuple[str, ...]:
    """The quoted phrases of a query that no hit contains."""
    texts = [folded(f"{hit.path} {hit.title} {hit.text}") for hit in hits] if query.phrases else []
    return tuple(phrase for phrase in query.phrases if not any(folded(phrase) in text for text in texts))


def _demands(query: ParsedQuery, filters: Filters, mode: SearchMode) -> Iterator[str]:
    """Describe the conditions that hits had to meet."""
    if mode is not SearchMode.SEMANTIC:
        yield from (f'with "{phrase}" as written' for phrase in query.phrases)
    if excluded := (*query.excluded_words, *query.excluded_phrases):
        yield f"without {', '.join(excluded)}"
    for each in (query.filters, filters):
        yield from _in_words(each)


def _in_words(filters: Filters) -> Iterator[str]:
    kinds = (
        ("of type", filters.types),
        ("at", filters.paths),
        ("in the folder", filters.folders),
        ("not of type", filters.not_types),
        ("not at", filters.not_paths),
        ("not in the folder", filters.not_folders),
    )
    yield from (f"{kind} {' or '.join(values)}" for kind, values in kinds if values)
    yield from (f"{word} {day}" for word, day in (("since", filters.since), ("until", filters.until)) if day)
