"""Notes on a response: what its hits do not show themselves."""

from collections.abc import Iterator, Sequence

from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery, not_filters
from searchkit.text import folded
from searchkit.types import Hit, Note, NoteKind, SearchMode


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
    """What hits had to meet, in words."""
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
