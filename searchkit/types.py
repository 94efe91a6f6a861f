"""The domain: the values on the way from a folder to a hit."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from searchkit.errors import Remedy


class BlockKind(StrEnum):
    """The kind of a block; chunking treats them differently."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    CODE = "code"
    TABLE = "table"


QUOTED = (
    "quoted"  # the place of a block that a mail quotes of another; after the number and date of the mail, in a mailbox
)


NAME_ONLY = "name only"  # the place of a hit for a file of a kind that is not read: its text is its name


class DocumentStatus(StrEnum):
    """The outcome of indexing a file."""

    INDEXED = "indexed"
    SKIPPED = "skipped"  # it should be readable but is not; the reason says why
    UNSUPPORTED = "unsupported"  # a kind of file without text, or without a reader yet


class Storage(StrEnum):
    """The form of stored vectors: what it loses of a cosine between neighbours is about 0, .0003 and .005."""

    EXACT = "exact"  # half precision
    STANDARD = "standard"  # 8 bits a component
    COMPACT = "compact"  # 4 bits a component


class SearchMode(StrEnum):
    """The evidence that ranks the hits."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    LEXICAL = "lexical"


class GroupBy(StrEnum):
    """The unit of which there is at most one hit."""

    PASSAGE = ""
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a document that belongs together, with its provenance.

    `headings` is the path of headings above it, outermost first; `page` and the lines count from 1, None where the
    format has none. `place` is its position in the format's own terms, such as "slide 3", "Costs!A2:F41" or
    "cell 5"; "" where page and line say it. No passage spans blocks of two `unit`s, such as the mails of two people. `columns`: the
    row of names that heads the table of which the block is a part, "" if it has none or stands in the headings; every piece of a
    table that is cut gets it.
    """

    text: str
    kind: BlockKind = BlockKind.PARAGRAPH
    headings: tuple[str, ...] = ()
    page: int | None = None
    line: int | None = None
    line_end: int | None = None
    place: str = ""
    unit: int = 0
    columns: str = ""


@dataclass(frozen=True, slots=True)
class ExtractedDocument:
    """The text of a file in reading order. `title` is the document's own, "" if it has none.

    `blocks` can be iterated once: readers of long files yield them lazily, and may then raise what the reader itself
    would. `metadata`: the document's own, apart from its text, by lower-case names such as author, date (ISO 8601 if it
    can be parsed), tags. `scanned_pages`: pages and pictures that only OCR would read.
    `left_out`: how many things of each kind the reader has left out, such as "tracked deletions"; all once the blocks are read.
    """

    title: str
    blocks: Iterable[Block]
    metadata: Mapping[str, str] = field(default_factory=dict)
    scanned_pages: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """The part of a chunk that an embedding model sees. An empty title means none."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document small enough for the model, with its provenance (see Block).

    `title` is the heading path as one line; `token_count` counts the passage's text, without title and prompt. `lines`: see
    `line_in_file`.
    """

    text: str
    title: str
    page: int | None
    line: int | None
    line_end: int | None
    token_count: int
    place: str = ""
    lines: str = ""


def line_in_file(text: str, at: int, lines: str) -> int:
    """The line of an offset in a passage's text. `lines`: `offset:line` of the beginnings of its parts, with blanks between.

    Between two of them lines are counted, unless the part has more than the file has room for: then it is the part's first.
    """
    parts = [tuple(map(int, each.split(":"))) for each in lines.split()]
    offset, line = next((part for part in reversed(parts) if part[0] <= at), parts[0])
    following = next((part for part in parts if part[0] > at), None)
    counted = line + text.count("\n", offset, at)
    return counted if following is None or counted < following[1] else line


@dataclass(frozen=True, slots=True)
class Explanation:
    """The numbers behind a hit's rank. `total`, by which hits are ordered, follows from the others.

    `meaning`, `words`: cosine and BM25 scaled to 0-1 between the query's `similarity_floor` and `similarity_best`, and by
    `bm25_best`. `word_weight`: of the words against the meaning; it grows with `word_coverage`, the share of the query in
    its best lexical match, and with what that weighs. `literal`: added for a literal match of the query; `language`:
    subtracted for another language than the query's; `person`: added for mail from or to a person whom the query names.
    """

    meaning: float
    words: float
    word_weight: float
    word_coverage: float
    similarity_floor: float
    similarity_best: float
    bm25_best: float
    literal: float
    language: float
    person: float = 0.0

    @property
    def total(self) -> float:
        """(1 - word_weight) meaning + word_weight words + literal + language + person."""
        fused = (1 - self.word_weight) * self.meaning + self.word_weight * self.words
        return fused + self.literal + self.language + self.person


WEAK_BELOW = 0.5  # on the scale of scores, see likelihood in search/fusion.py


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for a hit. A part is None if that arm was not used.

    `similarity`: cosine of query and passage. `bm25`: larger is better. `terms`: the words of the passage that
    match the query's, as written there. `explanation`: None if nothing was ranked. `has_every_word`: True if the query has
    content words, and passage, headings and path together contain all that distinguish passages. `provisional`: how near the
    provisional vector of a passage without a vector is, from 0 to 1 among those of the query's candidates.
    """

    similarity: float | None
    bm25: float | None
    terms: tuple[str, ...]
    explanation: Explanation | None = None
    has_every_word: bool = False
    provisional: float | None = None

    @property
    def found_by(self) -> tuple[str, ...]:
        """By what the passage was found: `words`, `meaning`, `provisional` (a guess at its meaning, which no model has read)."""
        arms = (("words", self.bm25), ("meaning", self.similarity), ("provisional", self.provisional))
        return tuple(name for name, value in arms if value is not None)

    def is_weak(self, score: float) -> bool:
        """True if a hit with this score is as likely about something else; see Hit."""
        is_ranked = (self.similarity, self.bm25) != (None, None)
        is_guess = self.provisional is not None  # what it means is not known yet
        return is_ranked and score < WEAK_BELOW and not (self.has_every_word or is_guess)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers a query. `score` is 0 to 1, higher is better, on one scale for all models.

    `heading`: the title of the document and the headings above the passage, as one line.

    `place`: see Block. `text` is the whole passage, `snippet` the part of it to show, `marks` the (start, end) offsets in
    the snippet that show the reason of the match. `copies_at`: the files of further places with the same passage, or nearly
    the same, one for each place. `date`: the document's day in ISO 8601, perhaps without month or day: its own date, else
    that of its file's last change. `more_in_file`: further passages of the file among the candidates, if hits are grouped by
    file. `sender`: of the mail, or of the mail that the file came with, as written there; "" for everything else.
    `sentence`: the (start, end) offsets in the text of the sentence that answers, None if none clearly does. `lines`: see
    `line_in_file`; "" where the text's lines follow one another as the file's do, or have none. `pages`: `offset:page` of the parts
    of joined passages on several pages; else "". `alike`: further hits that say the
    same, best first, if they are folded.
    """

    collection: str
    path: Path
    heading: str
    page: int | None
    line: int | None
    line_end: int | None
    score: float
    text: str
    snippet: str
    marks: tuple[tuple[int, int], ...]
    evidence: Evidence
    copies_at: tuple[Path, ...] = ()
    place: str = ""
    date: str = ""
    more_in_file: int = 0
    sender: str = ""
    sentence: tuple[int, int] | None = None
    lines: str = ""
    pages: str = ""
    alike: "tuple[Hit, ...]" = ()

    @property
    def marked_line(self) -> int | None:
        """The line of the sentence that answers; None if none is known, or the text's lines are not those of the file."""
        if self.sentence is None or self.line is None or self.line_end is None:
            return None
        if self.lines:
            return line_in_file(self.text, self.sentence[0], self.lines)
        if self.line + self.text.rstrip().count("\n") != self.line_end:
            return None
        return self.line + self.text.count("\n", 0, self.sentence[0])

    @property
    def parts(self) -> "tuple[Hit, ...]":
        """Joined passages on several pages, parted again; of all others none."""
        marks = [tuple(map(int, each.split(":"))) for each in self.pages.split()]
        ends = [*(offset for offset, _ in marks[1:]), len(self.text)]
        texts = [(self.text[offset:end], page) for (offset, page), end in zip(marks, ends, strict=False)]
        return tuple(replace(self, text=text, page=page, pages="", sentence=None) for text, page in texts)

    def on_pages(self, numbers: Collection[int]) -> "Hit":
        """The same passages, said to be on these pages: `page 4`, or `pages 3–4`."""
        first, last = min(numbers), max(numbers)
        return replace(self, page=first, place=f"pages {first}–{last}" if first < last else "")

    @property
    def copies(self) -> int:
        """The number of further places with the passage."""
        return len(self.copies_at)

    @property
    def is_cut(self) -> tuple[bool, bool]:
        """Whether the passage has more text before its snippet, and after it."""
        before, _, after = self.text.partition(self.snippet) if self.snippet in self.text else ("", "", "")
        return bool(before.strip()), bool(after.strip())

    @property
    def weak(self) -> bool:
        """True if it is as likely about something else: the best hit of a collection that has nothing on the query."""
        return self.evidence.is_weak(self.score)


class NoteKind(StrEnum):
    """The kinds of notes: facts about a response that its hits do not show."""

    PHRASES_NOT_FOUND = "phrases not found"  # no hit contains the quoted phrases as written
    CORRECTED = "corrected"  # words that no passage has were taken for others
    ALL_WEAK = "all weak"  # no hit is clearly about the query
    FILTER_MISREAD = "filter misread"  # words that look like filters were searched for as text
    QUERY_CUT = "query cut"  # the model has read the beginning of a long query
    NOTHING_FOUND = "nothing found"
    PARTLY_READ = "partly read"  # some files of a collection were found and have not been read yet
    PARTLY_EMBEDDED = "partly embedded"  # some passages of a collection cannot be found by meaning yet
    MEANINGLESS = "meaningless"  # found by meaning with a model that does not distinguish texts
    MORE_TO_COME = (
        "more to come"  # the model has not read the best passages that are not embedded: the answer was not to wait
    )
    WORDS_ONLY = "words only"  # there is no model to search by meaning with, or there was none at indexing
    FILES_BY_NAME = "files by name"  # the hits are files with words in their names that begin like those of the query
    RECENT_FILES = "recent files"  # the hits are the files that changed last, since the query says too little
    UNREACHABLE = "unreachable"  # a collection's database is away: the others were searched


NO_MODEL_INSTALLED = "no model is installed"
NO_MODEL_AT_INDEXING = "there was no model when it was indexed"
MEANINGLESS_MODEL = "its model does not distinguish passages that answer a query from others"


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a response; `display.note_text` words it.

    `values`: the phrases, each mistyped word and what was searched for instead, the misread words, how many words of a
    query were read and how many it has, the conditions on hits in words, the words of a query that says too little, or the
    collections that were searched by words only (none means all). `collection`: of which `files` have not been read, or `vectors`
    of `passages` distinct passages can be found by meaning, or which can be embedded now; `lazy`: the model
    reads its others only as questions ask for them. `reason`: why only words were searched: one of the two above, or an error's
    text; or why it was not searched; or what another process does to the collection now; `remedy`: that error's.
    """

    kind: NoteKind
    values: tuple[str, ...] = ()
    collection: str = ""
    vectors: int = 0
    passages: int = 0
    files: int = 0
    reason: str = ""
    lazy: bool = False
    remedy: Remedy | None = None
