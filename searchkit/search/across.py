"""Searches several collections, and merges their hits."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.errors import Action, Remedy, UsageError
from searchkit.files import file_path, path_to_text
from searchkit.search.lexical.exact_matches import phrase_finder
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.search.on_demand import READING_SECONDS, ReadingTime
from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery, not_filters
from searchkit.search.request import PassageAt, SearchRequest
from searchkit.search.results.alike import fold_alike
from searchkit.search.searcher import CollectionSearcher
from searchkit.text import words
from searchkit.types import NAME_ONLY, Evidence, GroupBy, Hit, Note, NoteKind, SearchMode

if TYPE_CHECKING:
    from searchkit_indexes import Vectors


_NAMED_FILES = 5  # of a collection
_WORDS_OF_A_NAME = 8
_LETTERS_OF_A_NAME = 3
_AS_NAMED, _BY_NAME = 1.0, 0.6  # scores: where a query is a file's name, and where it has words of it: below clear hits


def search_across(searchers: Sequence[CollectionSearcher], request: SearchRequest, query: ParsedQuery) -> list[Hit]:
    """Search all of the collections, and return the best hits.

    In a query of four or more words, a quoted phrase that matches nothing is ignored: the nearest hits are found. A word that
    one of them has is corrected in none.
    """
    with_models = sum(not searcher.is_by_words for searcher in searchers)
    reading = ReadingTime(READING_SECONDS, with_models, request.marking_seconds if request.wait else 0.0)
    hits = [hit for searcher in searchers for hit in searcher.search(query, request, reading)]
    if not hits and query.phrases and query.is_sentence:
        return search_across(searchers, request, replace(query, phrases=(), ignored_phrases=query.phrases))
    if known := _corrected_here_and_known_there(searchers):
        return search_across(searchers, request, replace(query, as_written=known))
    if _may_be_a_name(request, query):
        hits += [hit for searcher in searchers for hit in _found_by_name(searcher, query.text)]
    if request.fold and request.group_by is GroupBy.PASSAGE and len(searchers) > 1:  # each has folded its own
        hits = fold_alike(merge_hits(hits, query, len(hits)), request.k)
    return [hit for hit in merge_hits(hits, query, request.k) if hit.score >= request.min_score]


def _corrected_here_and_known_there(searchers: Sequence[CollectionSearcher]) -> tuple[str, ...]:
    """The words that some of the collections have, and that were taken for others in the rest."""
    corrected = {word for searcher in searchers for word in searcher.corrected}
    return tuple(sorted(corrected - unknown_words(searchers)))


def unknown_words(searchers: Sequence[CollectionSearcher]) -> frozenset[str]:
    """The words of the last query that none of the collections has which were searched for its words."""
    found = [searcher.unknown for searcher in searchers if searcher.unknown is not None]
    return frozenset.intersection(*found) if found else frozenset()


def _may_be_a_name(request: SearchRequest, query: ParsedQuery) -> bool:
    """True if nothing but words is asked for."""
    has_conditions = query.filters or request.filters or query.excluded_words or query.excluded_phrases
    return not (has_conditions or request.ranking_only or request.mode is SearchMode.SEMANTIC)


def _found_by_name(searcher: CollectionSearcher, query: str) -> list[Hit]:
    """Files of kinds that are not read, such as pictures, whose paths have every content word of a query, and the name one."""
    asked = (query[word.start : word.end].lower() for word in words(query))  # as they are written, like the names
    parts = [part for part in dict.fromkeys(asked) if part not in STOP_WORDS]
    if not parts or len(parts) > _WORDS_OF_A_NAME or sum(map(len, parts)) < _LETTERS_OF_A_NAME:
        return []
    found = []
    for root, name, moment in searcher.files_without_text(parts, _NAMED_FILES):
        path = file_path(root, name)
        shown = path_to_text(Path(path.name))
        folded_name = shown.casefold()
        marks = [(at, at + len(part)) for part in parts if (at := folded_name.find(part)) >= 0]
        if not marks:
            continue
        score = _AS_NAMED if shown.casefold() == query.strip().casefold() else _BY_NAME
        evidence = Evidence(None, 0.0, tuple(shown[start:end] for start, end in sorted(marks)), has_every_word=True)
        found.append(
            Hit(searcher.name, path, "", None, None, None, score, shown, shown, tuple(sorted(marks)), evidence)
        )
        found[-1] = replace(found[-1], place=NAME_ONLY, date=moment[:10])
    return found


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
    if hits and all(hit.weak for hit in hits):
        yield Note(NoteKind.ALL_WEAK)
    if misread := not_filters(query):
        yield Note(NoteKind.FILTER_MISREAD, tuple(misread))
    if not hits:
        yield Note(NoteKind.NOTHING_FOUND, tuple(_demands(query, filters, mode)))


def phrases_not_found(query: ParsedQuery, hits: Sequence[Hit]) -> tuple[str, ...]:
    """The quoted phrases of a query that no hit contains, with its numbers and dates in any spelling."""
    if not (query.phrases and query.is_sentence):  # else hits without them are left out
        return ()
    texts = [f"{hit.path}\n{hit.heading}\n{hit.text}" for hit in hits]
    return tuple(phrase for phrase in query.phrases if not any(map(phrase_finder(phrase), texts)))


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
        ("from", filters.senders),
        ("to", filters.recipients),
        ("with the subject", filters.subjects),
        ("with", filters.has),
        ("not of type", filters.not_types),
        ("not at", filters.not_paths),
        ("not in the folder", filters.not_folders),
        ("not from", filters.not_senders),
        ("not to", filters.not_recipients),
        ("not with the subject", filters.not_subjects),
        ("without", filters.not_has),
    )
    yield from (f"{kind} {' or '.join(values)}" for kind, values in kinds if values)
    yield from (f"{word} {day}" for word, day in (("since", filters.since), ("until", filters.until)) if day)
