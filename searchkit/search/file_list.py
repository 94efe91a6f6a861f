"""Lists files where a query says too little to rank passages by: those that it may name, or those that changed last.

Nothing but the search screen of the UI asks for that, while somebody types.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import first_passages
from searchkit.catalog.stored_documents import ChangedFile, files_by_change
from searchkit.files import path_to_text
from searchkit.search.lexical.exact_matches import EDGES
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.search.query.parse import ParsedQuery
from searchkit.search.request import SearchRequest
from searchkit.search.results.highlights import beginning, hit_of
from searchkit.search.results.passages import SelectedPassage
from searchkit.search.searcher import CollectionSearcher
from searchkit.text import name_words
from searchkit.types import NAME_ONLY, Evidence, Hit, Note, NoteKind

_LAST_ALPHABET = "\u08ff"  # Arabic; in the scripts behind it a single character may be a word

Dated = tuple[int, Hit]  # when the file last changed, in nanoseconds


def says_little(query: ParsedQuery) -> bool:
    """True if a query is nothing but letters and function words, half typed perhaps, or empty without filters."""
    if not query.text:
        return not query.filters
    return not (query.phrases or query.excluded_words or query.excluded_phrases) and all(
        map(_says_little, query.text.split())
    )


def _says_little(part: str) -> bool:
    word = unicodedata.normalize("NFC", part.strip(EDGES)).lower()
    return not word or word in STOP_WORDS or (len(word) == 1 and word.isalnum() and word <= _LAST_ALPHABET)


def list_files(
    searchers: Sequence[CollectionSearcher], request: SearchRequest, query: ParsedQuery
) -> tuple[Note, list[Hit]]:
    """The files in whose names words begin with each word of the query, and if there are none, all; the last changed first.

    The note says which of the two it is.
    """
    starts = tuple(name_words(" ".join(part.strip(EDGES) for part in query.text.split())))
    if starts and (named := _newest(searchers, request, query, starts)):
        return Note(NoteKind.FILES_BY_NAME, starts), named
    return Note(NoteKind.RECENT_FILES, starts), _newest(searchers, request, query, ())


def _newest(
    searchers: Sequence[CollectionSearcher], request: SearchRequest, query: ParsedQuery, starts: Sequence[str]
) -> list[Hit]:
    found: list[Dated] = []
    for searcher in searchers:
        with searcher.allowing(query, request) as allowed:
            if allowed is None or allowed:
                mask = None if allowed is None else allowed.mask
                found += _files_of(searcher.catalog, searcher.name, mask, starts, request.k)
    return [hit for _, hit in sorted(found, key=itemgetter(0), reverse=True)[: request.k]]


def _files_of(
    catalog: CatalogReader, collection: str, mask: bytes | None, starts: Sequence[str], k: int
) -> Iterable[Dated]:
    """The last changed files of one collection."""
    changed = files_by_change(catalog, mask, most=None if starts else k, with_text=not starts)
    chosen = list(islice((file for file in changed if _is_named(file, starts)), k))
    passages = first_passages(catalog, [file.document_id for file in chosen], mask)
    evidence = Evidence(None, None, ())
    for file in chosen:
        day = datetime.fromtimestamp(file.changed_ns / 1e9).date().isoformat()
        if (stored := passages.get(file.document_id)) is None:
            name = path_to_text(Path(file.path.name))
            hit = Hit(collection, file.path, "", None, None, None, 1.0, name, name, (), evidence, place=NAME_ONLY)
        else:
            choice = SelectedPassage(stored)
            hit = hit_of(collection, choice, evidence, beginning(choice), score=1.0)
        yield file.changed_ns, replace(hit, date=day)


def _is_named(file: ChangedFile, starts: Sequence[str]) -> bool:
    if not starts:
        return True
    own = name_words(path_to_text(Path(file.path.stem)))  # every second file's suffix begins with p
    return all(any(word.startswith(start) for word in own) for start in starts)
