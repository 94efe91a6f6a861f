"""One search, from the front end to the engine and back: the request, and the response."""

import unicodedata
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from searchkit.errors import Action, Remedy, UsageError
from searchkit.search.query.filters import Filters, check_file_type, is_file_type
from searchkit.search.query.parse import ParsedQuery, parse_query
from searchkit.types import GroupBy, Hit, Note, SearchMode

_LONGEST_QUERY = 20_000  # characters; more than any model reads
_EXAMPLE = Remedy(Action.SEARCH, query="boiler pressure too low")


@dataclass(frozen=True, slots=True)
class PassageAt:
    """An indexed file (absolute path), or the passage at one of its lines; in formats without lines, of its pages."""

    path: Path
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search.

    `query` may contain "phrases", -exclusions and filters (see query/parse.py); `filters` must match too. With filters and
    an empty query, the first passages of the newest documents are found. `collections`: none named means all.
    `min_score`: hits below it are left out. `like`: find what is nearest in meaning to an indexed passage; the query is
    then ignored. `ranking_only`: quicker; hits show how their passages begin instead of why they match, and their scores
    are those of the ranking. `wait`: the model reads the best passages that are not embedded yet, for about a second; without
    it the answer comes at once, and what is not embedded is ranked by its words. `marking_seconds`: in which the model may read the
    sentences of the hits, to find those that answer. By default it reads none, which would take longer than the search: guesses
    choose, and what it has read before. `fold`: hits that say the same take one place, see `Hit.alike`.
    `lists_files`: a query that says too little to rank passages by, an empty one too, is answered by files: see file_list.py.

    Raises UsageError for k < 1, and an unknown mode or grouping.
    """

    query: str = ""
    k: int = 10
    mode: SearchMode = SearchMode.HYBRID
    collections: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    group_by: GroupBy = GroupBy.PASSAGE
    min_score: float = 0.0
    like: PassageAt | None = None
    ranking_only: bool = False
    wait: bool = True
    marking_seconds: float = 0.0
    fold: bool = False
    lists_files: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"The number of hits must be at least 1, not {self.k}.")
        if self.mode not in list(SearchMode):
            raise UsageError(f"There is no mode '{self.mode}'. Modes: {', '.join(SearchMode)}.")
        if self.group_by not in list(GroupBy):
            raise UsageError(f"Hits cannot be grouped by '{self.group_by}'. They can by: {GroupBy.FILE}.")

    def parsed(self) -> ParsedQuery:
        """Parse the query. Raises UsageError if it demands more than can be meant, or nothing at all where no files are listed."""
        cleaned = " ".join(unicodedata.normalize("NFKC", self.query.replace("\0", " ")).split())[:_LONGEST_QUERY]
        if not (cleaned or self.filters or self.lists_files):
            raise UsageError("The query is empty.", remedy=_EXAMPLE)
        for name in (*self.filters.types, *self.filters.not_types):
            check_file_type(name)
        return parse_query(cleaned, is_type=is_file_type, today=date.today())


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """The hits, best first; notes on what they do not show themselves; and the query as it was understood."""

    hits: tuple[Hit, ...]
    notes: tuple[Note, ...] = ()
    query: ParsedQuery = field(default_factory=lambda: ParsedQuery(""))
