"""From what a user asks, over several collections, to hits: checks the request, and puts the collections' hits together."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.errors import Action, Remedy, UsageError
from searchkit.search.lexical.exact_matches import folded
from searchkit.search.query.file_types import is_file_type, with_known_types
from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery, not_filters, parse_query
from searchkit.search.searcher import CollectionSearcher, SearchOptions
from searchkit.types import GroupBy, Hit, SearchMode

if TYPE_CHECKING:
    from searchkit_indexes import Vectors

_LONGEST_QUERY = 20_000  # characters; more than any model reads
_EXAMPLE = Remedy(Action.SEARCH, query="boiler pressure too low")


def read_request(query: str, filters: Filters, options: SearchOptions) -> tuple[ParsedQuery, SearchOptions]:
    """A query, read, and how to search for it: its own filters and the `filters` given besides must hold both.

    Raises UsageError for an empty query without filters, and what cannot be meant.
    """
    cleaned = _cleaned(query)
    if not cleaned and not filters:
        raise UsageError("The query is empty.", remedy=_EXAMPLE)
    parsed = parse_query(cleaned, is_type=is_file_type, today=date.today())
    parsed = replace(parsed, filters=with_known_types(parsed.filters))
    return parsed, replace(options, filters=(with_known_types(filters),))


def _cleaned(query: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", query.replace("\0", " ")).split())[:_LONGEST_QUERY]


def search_options(k: int, mode: SearchMode | str, group_by: GroupBy | str) -> SearchOptions:
    """Raises UsageError for k < 1, an unknown mode or an unknown thing to group by."""
    if k < 1:
        raise UsageError(f"The number of hits must be at least 1, not {k}.")
    if mode not in list(SearchMode):
        raise UsageError(f"There is no mode '{mode}'. Modes: {', '.join(SearchMode)}.")
    if group_by not in list(GroupBy):
        raise UsageError(f"Hits cannot be grouped by '{group_by}'. They can by: {GroupBy.FILE}.")
    return SearchOptions(k, SearchMode(mode), group_by=GroupBy(group_by))


def put_together(hits: Sequence[Hit], query: ParsedQuery, k: int) -> list[Hit]:
    """The first k of several collections' hits: best first, or where nothing ranks them, newest first."""
    if query.text:
        return sorted(hits, key=lambda hit: -hit.score)[:k]
    return sorted(hits, key=lambda hit: hit.date, reverse=True)[:k]


def phrases_not_found(query: str, hits: Sequence[Hit]) -> tuple[str, ...]:
    """The quoted phrases of a query, if no hit holds them: nothing does, and the hits come nearest."""
    phrases = parse_query(_cleaned(query), is_type=is_file_type, today=date.today()).phrases
    texts = [folded(f"{hit.path} {hit.title} {hit.text}") for hit in hits]
    return tuple(phrase for phrase in phrases if not any(folded(phrase) in text for text in texts))


def filters_misread(query: str) -> str:
    """Says which words of a query were perhaps meant as filters, and how those are written; "" if none were."""
    words = not_filters(parse_query(_cleaned(query), is_type=is_file_type, today=date.today()))
    if not words:
        return ""
    return (
        f"Looked for {', '.join(words)} as text, since it is no filter. Filters are written type:pdf, path:*.md,"
        " folder:notes, since:2025-03, until:yesterday."
    )


def nothing_found(query: str, filters: Filters, mode: SearchMode | str) -> str:
    """Says that there is no hit, and which of the demands there was none for."""
    parsed = parse_query(_cleaned(query), is_type=is_file_type, today=date.today())
    phrases = () if mode == SearchMode.SEMANTIC else parsed.phrases
    excluded = (*parsed.excluded_words, *parsed.excluded_phrases)
    given = [f'with "{phrase}" as written' for phrase in phrases]
    given += [f"without {', '.join(excluded)}"] if excluded else []
    given += [words for each in (parsed.filters, filters) for words in _in_words(each)]
    return f"Nothing found {'; '.join(given)}." if given else "Nothing found."


def _in_words(filters: Filters) -> list[str]:
    kinds = (
        ("of type", filters.types),
        ("at", filters.paths),
        ("in the folder", filters.folders),
        ("not of type", filters.not_types),
        ("not at", filters.not_paths),
        ("not in the folder", filters.not_folders),
    )
    words = [f"{kind} {' or '.join(values)}" for kind, values in kinds if values]
    days = (("since", filters.since), ("until", filters.until))
    return words + [f"{word} {day}" for word, day in days if day]


def find_similar(
    chosen: Sequence[CollectionSearcher],
    others: Sequence[CollectionSearcher],
    path: Path,
    line: int | None,
    options: SearchOptions,
) -> list[Hit]:
    """The passages of the chosen collections nearest to a file, or its passage at a line, which may stand in another one.

    Collections of other models than those that embedded the file have nothing to compare, and give no hits. Raises
    UsageError if the file is in no collection, or none of its vectors can be compared.
    """
    sources = [(searcher, searcher.documents_at(path)) for searcher in (*chosen, *others)]
    holding = {searcher: documents for searcher, documents in sources if documents}
    if not holding:
        raise UsageError(_not_indexed(path))
    vectors: dict[str, Vectors] = {}
    for searcher, documents in holding.items():
        if (vector := searcher.vector_of(documents[0], line)) is not None:
            vectors.setdefault(searcher.fingerprint, vector)
    if not vectors:
        raise UsageError(f"{path} cannot be found by meaning yet. Go on: searchkit index -c {next(iter(holding)).name}")
    comparable = [searcher for searcher in chosen if searcher.fingerprint in vectors]
    if not comparable:
        raise UsageError(f"{path} was embedded by another model than {chosen[0].name}, so they cannot be compared.")
    hits: list[Hit] = []
    for searcher in comparable:
        hits += searcher.similar(vectors[searcher.fingerprint], options, holding.get(searcher, ()))
    return sorted(hits, key=lambda hit: -hit.score)[: options.k]


def _not_indexed(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder. Name one of its files: searchkit similar {path}/FILE"
    if not path.exists():
        return f"There is no file {path}, in the collections or on the disk. Check the spelling."
    return (
        f"No collection holds {path}. Index its folder (searchkit index {path.parent}),"
        " or see why it was left out: searchkit status --problems"
    )
