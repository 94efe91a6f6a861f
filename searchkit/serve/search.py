"""Finds passages for other programs: what they may ask for, and hits with their ids and with text that is safe to show."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from searchkit.answer.prompt import COMMENT, as_data
from searchkit.display import on_one_line
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.serve.attributes import AttributeFilter, attributes_of, check, matches, pushdown
from searchkit.serve.references import Reference, references_of
from searchkit.types import GroupBy, Hit, SearchMode

MOST_HITS = 100
_DEPTHS = (50, 200, 800)  # hits among which a filter chooses that the catalog cannot tell beforehand
_NOTHING = Filters()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for. `attributes`: a filter over what is known of hits; `least_score`: 0 to 1."""

    query: str
    k: int = 10
    collections: Sequence[str] = ()
    mode: SearchMode = SearchMode.HYBRID
    filters: Filters = field(default_factory=Filters)
    group_by: GroupBy = GroupBy.PASSAGE
    attributes: AttributeFilter | None = None
    least_score: float = 0.0


@dataclass(frozen=True)
class Found:
    """A hit and the ids of its passage and document."""

    hit: Hit
    reference: Reference

    @property
    def text(self) -> str:
        """The passage's text as others may have it, see `sanitize`."""
        return sanitize(self.hit.text)

    @property
    def snippet(self) -> str:
        """The part of the text that shows why it was found; nothing of a hidden comment that it begins or ends in."""
        start = self.hit.text.find(self.hit.snippet)
        if start < 0:
            return sanitize(self.hit.snippet)
        without = COMMENT.sub(lambda comment: " " * len(comment.group(0)), self.hit.text)
        return sanitize(without[start : start + len(self.hit.snippet)])

    @cached_property
    def heading(self) -> str:
        """The path of headings above the passage."""
        return sanitize(on_one_line(self.hit.title))

    @property
    def title(self) -> str:
        """`lease.pdf, page 3`, or `lease.md: Term › End`: what names the passage in a list."""
        where = (
            f", {sanitize(self.hit.place)}" if self.hit.place else f", page {self.hit.page}" if self.hit.page else ""
        )
        heading = f": {self.heading}" if self.heading else ""
        return f"{sanitize(on_one_line(self.hit.path.name))}{where}{heading}"[:300]


def sanitize(text: str) -> str:
    """A document's text, safe to put before a person or a model: hidden comments out, links and images as plain words."""
    return as_data(text) if text else ""


def find(library: Library, wanted: Wanted) -> list[Found]:
    """The best hits, best first. Raises what `Library.search` raises, and UsageError for a filter that cannot be."""
    hits = _search(library, wanted) if wanted.attributes is None else _filtered(library, wanted, wanted.attributes)
    hits = [hit for hit in hits if hit.score >= wanted.least_score]
    return [Found(hit, reference) for hit, reference in zip(hits, references_of(library, hits), strict=True)]


def _search(library: Library, wanted: Wanted, k: int = 0, filters: Filters = _NOTHING) -> list[Hit]:
    return library.search(
        wanted.query,
        k=k or wanted.k,
        collections=wanted.collections,
        mode=wanted.mode,
        filters=filters or wanted.filters,
        group_by=wanted.group_by,
    )


def _filtered(library: Library, wanted: Wanted, attributes: AttributeFilter) -> list[Hit]:
    """The first hits for which the filter holds, looked for ever deeper."""
    check(attributes)
    filters = pushdown(attributes)
    kept: list[Hit] = []
    for depth in (max(wanted.k, depth) for depth in _DEPTHS):
        hits = _search(library, wanted, depth, filters)
        kept = [hit for hit in hits if matches(attributes, attributes_of(hit))][: wanted.k]
        if len(kept) == wanted.k or len(hits) < depth:
            break
    return kept
