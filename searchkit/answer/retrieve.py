"""Finds the sources of an answer: clearly relevant passages, each once, adjacent ones joined."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from searchkit.catalog.connection import reading
from searchkit.catalog.stored_documents import PassagePosition, locate
from searchkit.errors import Action, NothingIndexedError, Remedy, UsageError
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.search.query.parse import demands_of, with_filters
from searchkit.search.request import SearchRequest
from searchkit.search.results.passages import NormalizedText
from searchkit.types import NAME_ONLY, Hit

_ENOUGH_WORDS = 2  # content words of the question that make a weak hit a source, if another hit is strong
_BETWEEN = "\n\n"  # passages that are joined
_Placed = tuple[PassagePosition, Hit]


def check_question(question: str) -> None:
    """Raise UsageError for a question that asks nothing."""
    if not any(map(str.isalnum, question)):
        raise UsageError("The question is empty.", remedy=Remedy(Action.ASK, query="when does the lease end"))
    if not with_filters(question, ()):
        raise UsageError(
            f"'{question}' says where to look, but asks nothing.",
            remedy=Remedy(Action.SEARCH, query=question, sentence="See what it finds"),
        )


def check_collections(library: Library, collections: Sequence[str]) -> None:
    """Raise CollectionNotFoundError if one of them does not exist, or there is none at all, before a model is looked for."""
    for name in collections:
        existing_collection(library.home, name)
    if not library.collections():
        raise NothingIndexedError


def find_passages(library: Library, request: SearchRequest) -> list[Hit]:
    """Find at most k passages, weak ones included, best first, each once. Raises as check_question does."""
    check_question(request.query)
    return without_near_copies([hit for hit in library.find(request).hits if hit.place != NAME_ONLY])


def find_sources(library: Library, request: SearchRequest) -> list[Hit]:
    """Find at most k passages that are clearly about the query, best first; those that follow one another are joined.

    Empty if even the best hit is weak: an answer from such passages would be invented. If one is strong, weak hits with several
    words of the query are kept too; so are all hits with a phrase that the query quotes. Raises as check_question does.
    """
    hits = find_passages(library, request)
    phrases = [_words(demand) for demand in demands_of(request.query) if demand.startswith('"')]
    has_strong = any(not hit.weak for hit in hits)
    kept = [
        hit
        for hit in hits
        if not hit.weak or _has_one(hit, phrases) or (has_strong and len(_content_words(hit)) >= _ENOUGH_WORDS)
    ]
    return joined(library, kept)


def _has_one(hit: Hit, phrases: Sequence[str]) -> bool:
    """True if the hit has one of the phrases as it is quoted; a search ignores phrases that match nothing."""
    text = _words(f"{hit.heading} {hit.text}")
    return any(phrase in text for phrase in phrases)


def _words(text: str) -> str:
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return f" {words} "


def _content_words(hit: Hit) -> set[str]:
    """The first letters of the query's content words in a hit, so that all forms of a word count as one."""
    return {word[:5] for word in {term.casefold() for term in hit.evidence.terms} - STOP_WORDS}


def without_near_copies(hits: Sequence[Hit]) -> list[Hit]:
    """Keep the first of hits, perhaps of several collections, that say the same in nearly the same words."""
    kept: list[Hit] = []
    seen: list[NormalizedText] = []
    for hit in hits:
        text = NormalizedText.of(hit.heading, hit.text)
        is_known = any(text.is_nearly(other) for other in seen) or any(hit.text == other.text for other in kept)
        if not is_known:
            kept.append(hit)
            seen.append(text)
    return kept


def joined(library: Library, hits: Sequence[Hit]) -> list[Hit]:
    """Join hits of one document that follow one another, at the rank of the best of them."""
    placed = [(hit, _position(library, hit)) for hit in hits]
    loose = [hit for hit, position in placed if position is None]
    by_document: dict[tuple[str, int], list[_Placed]] = {}
    for hit, position in placed:
        if position:
            by_document.setdefault((hit.collection, position.document_id), []).append((position, hit))
    runs = [run for members in by_document.values() for run in _runs(members)]
    return sorted([*loose, *map(_one, runs)], key=lambda hit: -hit.score)


def _position(library: Library, hit: Hit) -> PassagePosition | None:
    with reading(existing_collection(library.home, hit.collection)) as catalog:
        return locate(catalog, hit.path, hit.heading, hit.text)


def _runs(members: list[_Placed]) -> list[list[Hit]]:
    """The members in the order of the document, split where a passage between two is missing, or another mail or sheet begins."""
    ordered = sorted(members, key=lambda member: member[0].ordinal)
    numbered = groupby(
        enumerate(ordered), key=lambda item: (item[1][0].ordinal - item[0], item[1][1].place, item[1][1].sender)
    )
    return [[hit for _, (_, hit) in run] for _, run in numbered]


def _one(run: list[Hit]) -> Hit:
    """Join a run into one hit, with the text of all and the evidence of the best."""
    best = max(run, key=lambda hit: hit.score)
    if len(run) == 1:
        return best
    ends = [hit.line_end or hit.line for hit in run]
    before = sum(len(hit.text) + len(_BETWEEN) for hit in run[: run.index(best)])
    joined_hit = replace(
        best,
        text=_BETWEEN.join(hit.text for hit in run),
        sentence=best.sentence and (best.sentence[0] + before, best.sentence[1] + before),
        page=run[0].page,
        line=run[0].line,
        line_end=ends[-1],
        place=run[0].place,
        heading=run[0].heading,
        lines=_joined_lines(run),
        pages=_joined_pages(run),
    )
    return joined_hit.on_pages([part.page or 0 for part in joined_hit.parts]) if joined_hit.pages else joined_hit


def _joined_pages(run: Sequence[Hit]) -> str:
    """The pages of joined passages that are on several, and have no other place; else ""."""
    pages = [hit.page for hit in run if hit.page is not None]
    if run[0].place or len(pages) < len(run) or len(set(pages)) == 1:
        return ""
    offsets = accumulate((len(hit.text) + len(_BETWEEN) for hit in run[:-1]), initial=0)
    return " ".join(f"{offset}:{page}" for offset, page in zip(offsets, pages, strict=True))


def _joined_lines(run: Sequence[Hit]) -> str:
    """The lines of the parts of joined passages; "" if some have none."""
    if any(hit.line is None for hit in run):
        return ""
    parts, before = [], 0
    for hit in run:
        for part in (hit.lines or f"0:{hit.line}").split():
            offset, line = part.split(":")
            parts.append(f"{int(offset) + before}:{line}")
        before += len(hit.text) + len(_BETWEEN)
    return " ".join(parts)
