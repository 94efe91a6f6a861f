"""Searches for other programs: hits with the ids that open them, and with text that is safe to show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from searchkit.answer.prompt import as_data, without_comments
from searchkit.display import on_one_line
from searchkit.library import Library
from searchkit.search.across import notes_on_hits
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.serve.attributes import AttributeFilter, attributes_of, check, matches, pushdown
from searchkit.serve.references import Reference, references_of
from searchkit.types import Hit, Note, NoteKind

MAX_HITS = 100
_NOT_ON_HITS = (
    *(NoteKind.PARTLY_READ, NoteKind.PARTLY_EMBEDDED, NoteKind.MORE_TO_COME, NoteKind.WORDS_ONLY, NoteKind.MEANINGLESS),
    NoteKind.CORRECTED,
    NoteKind.UNREACHABLE,
)
_DEPTHS = (
    50,
    200,
    800,
)  # hits among which an attribute filter chooses where the catalog cannot apply it before ranking


@dataclass(frozen=True)
class ReferencedHit:
    """A hit with the ids of its passage and document, and with texts that are safe to show."""

    hit: Hit
    reference: Reference
    alike: "tuple[ReferencedHit, ...]" = ()  # those that say the same

    @property
    def text(self) -> str:
        """The passage's text; see `sanitize`."""
        return sanitize(self.hit.text)

    @property
    def snippet(self) -> str:
        """The part of the text that shows why it was found, without any part of a hidden comment; "…" where it is cut."""
        start = self.hit.text.find(self.hit.snippet)
        if start < 0:
            return sanitize(self.hit.snippet)
        without = without_comments(self.hit.text)
        end = start + len(self.hit.snippet)
        shown = replace(self.hit, text=without, snippet=without[start:end])
        return with_ellipses(shown, sanitize(shown.snippet))

    @cached_property
    def heading(self) -> str:
        """The path of headings above the passage."""
        return sanitize(on_one_line(self.hit.heading))

    @property
    def filename(self) -> str:
        """The file's name."""
        return sanitize(on_one_line(self.hit.path.name))

    @property
    def title(self) -> str:
        """A name for the passage in a list: `lease.pdf, page 3`, or `lease.md: Term › End`."""
        page = f", page {self.hit.page}" if self.hit.page else ""
        where = f", {sanitize(self.hit.place)}" if self.hit.place else page
        heading = f": {self.heading}" if self.heading else ""
        return f"{self.filename}{where}{heading}"[:300]


@dataclass(frozen=True, slots=True)
class ServedResponse:
    """The hits, best first, and the notes on them; see SearchResponse."""

    hits: tuple[ReferencedHit, ...]
    notes: tuple[Note, ...]


def find(library: Library, request: SearchRequest, attributes: AttributeFilter | None = None) -> ServedResponse:
    """Search. `attributes` must match too, and are checked hit by hit.

    Raises what `Library.find` raises, and UsageError for a filter that makes no sense.
    """
    response = library.find(request) if attributes is None else _filtered(library, request, attributes)
    references = iter(references_of(library, [each for hit in response.hits for each in (hit, *hit.alike)]))
    hits = [
        ReferencedHit(hit, next(references), tuple(map(ReferencedHit, hit.alike, references))) for hit in response.hits
    ]
    return ServedResponse(tuple(hits), response.notes)


def with_ellipses(hit: Hit, snippet: str) -> str:
    """A hit's snippet, as it is shown, with "…" where the passage goes on."""
    before, after = hit.is_cut
    return f"{'… ' * before}{snippet}{' …' * after}"


def sanitize(text: str) -> str:
    """Make a document's text safe to show to people and models: no hidden comments, links and images as plain words."""
    return as_data(text) if text else ""


def _filtered(library: Library, request: SearchRequest, attributes: AttributeFilter) -> SearchResponse:
    """Search ever deeper, until enough hits match the filter."""
    check(attributes)
    filters = request.filters or pushdown(attributes)
    for depth in (max(request.k, depth) for depth in _DEPTHS):
        response = library.find(replace(request, k=depth, filters=filters))
        kept = [hit for hit in response.hits if matches(attributes, attributes_of(hit))][: request.k]
        if len(kept) == request.k or len(response.hits) < depth:
            break
    return replace(response, hits=tuple(kept), notes=tuple(_notes_on_kept(response, request, kept)))


def _notes_on_kept(response: SearchResponse, request: SearchRequest, kept: Sequence[Hit]) -> Iterator[Note]:
    yield from notes_on_hits(response.query, request.filters, request.mode, kept)
    yield from (note for note in response.notes if note.kind in _NOT_ON_HITS)
