"""Reports on a collection's work: progress, results, status; and the options of a run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from searchkit.types import Chunk, Storage


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was not indexed, or a folder that could not be read, the reason, and what to do ("": nothing)."""

    path: Path
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Damage:
    """Damage to a collection's own files: where, and what."""

    part: str
    what: str


class LeftOutRule(StrEnum):
    """The kinds of rules by which files are left out; `display.left_out_text` words them."""

    IGNORED = "ignored"  # by an ignore file
    HIDDEN = "hidden"
    LEFTOVER = "leftover"  # caches and leftovers that nobody searches for
    SECRET = "secret"  # noqa: S105 (private keys and password stores)
    OFFLINE = "offline"  # only in the cloud: reading it would fetch it. The text of an earlier run is kept
    DELETED_MAIL = "deleted mail"  # marked so in a Maildir
    FORGOTTEN = "forgotten"  # by the user
    INSIDE = "inside"  # by the reader of a file that was read: `pattern` says what
    OCR = "ocr"  # scans and pictures: `source` says what would read them
    INTERNAL = "internal"  # git's own folder, and ignore files; never counted


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or folder that a rule leaves out, with everything below it.

    `source`, `pattern`: of an ignore file, "" if the rule needs none (but see LeftOutRule). `line`: what brings it
    back, in a .searchkitignore in the folder `into`; "" if nothing there can.
    """

    path: Path
    rule: LeftOutRule
    whole_folder: bool
    source: str = ""
    pattern: str = ""
    line: str = ""
    into: Path = Path()


@dataclass(frozen=True, slots=True)
class LeftOutCount:
    """The number of files and folders that one rule leaves out."""

    rule: LeftOutRule
    source: str
    pattern: str
    files: int
    folders: int


@dataclass(frozen=True, slots=True)
class FormatCount:
    """The files and passages of one format in a collection."""

    format: str
    files: int
    chunks: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The result of an index run. Files are counted once each; `passages` counts distinct chunks, `embedded` those of them that got
    a vector in this run.

    `formats`: the collection's contents now. `problems`: those of this run. `left_out`: what rules leave out of its folders.
    `scanned_pages`: pages and pictures in it that only OCR would read. `remade`: vectors that a damaged model had made, and that
    were removed to be made again. `converted`: vectors that were there, and are now stored in the form that was chosen.
    """

    collection: str
    model: str
    added: int
    changed: int
    moved: int
    deleted: int
    unchanged: int
    files_skipped: int
    files_unsupported: int
    chunks: int
    passages: int
    embedded: int
    elapsed_seconds: float
    read_seconds: float
    embed_seconds: float
    formats: tuple[FormatCount, ...]
    problems: tuple[Problem, ...]
    left_out: tuple[LeftOutCount, ...] = ()
    scanned_pages: int = 0
    remade: int = 0
    converted: int = 0

    def followed_by(self, later: "IndexReport") -> "IndexReport":
        """Add a run that found the files as this one left them, and embedded what this one had read."""
        return replace(
            self,
            model=later.model,
            embedded=self.embedded + later.embedded,
            elapsed_seconds=self.elapsed_seconds + later.elapsed_seconds,
            read_seconds=self.read_seconds + later.read_seconds,
            embed_seconds=self.embed_seconds + later.embed_seconds,
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a stage of an index run. `total` is None while it is unknown.

    `work_done` and `work_total` predict the time left better than counts do: bytes to read, tokens to embed; both 0 if
    unknown. `note`: the result so far, in words.
    """

    stage: str
    done: int
    total: int | None
    unit: str
    work_done: float = 0.0
    work_total: float = 0.0
    note: str = ""


ProgressListener = Callable[[Progress], None]
_upgrade_listeners: list[ProgressListener] = []


def listen_to_upgrades(listener: ProgressListener) -> None:
    """Have upgrades of catalogs in this process tell a front end, in place of another, how far they are.

    A catalog is upgraded where it is first opened, by whatever needs it, and a large one takes minutes.
    """
    _upgrade_listeners[:] = [listener]


def tell_of_upgrade(progress: Progress) -> None:
    """Tell the listener to upgrades, if there is one."""
    for listener in _upgrade_listeners:
        listener(progress)


def never() -> bool:
    """Default callback: never interrupt."""
    return False


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of an index run.

    `lazy`: embed passages only as questions ask for them (True), or all (False), from now on; None leaves it as it is.
    `retry`: read skipped files again. `wait`: for another process that writes to the collection, instead of an error.
        `is_interrupted`: called now and then; True leaves the rest of the embedding to the next run.
        `index_slack`: vectors by which the index may lag behind the catalog; searches compensate for them.
        `storage`: the form of vectors from now on; those in a longer form are converted. None leaves it as it is.
    """

    retry: bool = False
    wait: bool = False
    is_interrupted: Callable[[], bool] = never
    index_slack: int = 0
    lazy: bool | None = None
    storage: Storage | None = None


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """The result of embedding what is stored: passages by this process, those left without a vector, which others may be at."""

    collection: str
    model: str
    embedded: int
    left: int
    elapsed_seconds: float


class Work(StrEnum):
    """What a process that writes to a collection does, in the word for what becomes of the collection."""

    WRITE = "written"
    INDEX = "indexed"
    EMBED = "embedded"
    FORGET = "changed"
    REBUILD = "rebuilt"
    MOVE = "moved"
    RENAME = "renamed"
    TUNE = "tuned"
    SWITCH = "switched to another model"


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that writes to a collection. `process`: as people know it; `since`: in ISO 8601, "" if it is not known."""

    work: Work = Work.WRITE
    process: str = "another process"
    since: str = ""


@dataclass(frozen=True, slots=True)
class CollectionSizes:
    """What a collection takes, in bytes: on the disk, with what looks it up, and in memory.

    `storage`: the form of its vectors. `text`: passages, documents and settings; `words`: the full-text table; `vectors`: those of
    all models, and provisional ones; `index`: files of the index of vectors; `index_memory`: of a process that searches by
    meaning. `text`, `words` and `vectors` are None where the database does not tell them apart.
    """

    collection: str
    passages: int
    storage: Storage
    size: int
    text: int | None
    words: int | None
    vectors: int | None
    index: int
    index_memory: int


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The index that semantic searches of a collection use.

    `name`: structure, code and prefix dimension, such as rabitq-1bit-768. `recall`: share of the true ten nearest that it
    found, measured on `queries` queries; None if not measured.
    """

    name: str
    vectors: int
    bytes_per_vector: int
    recall: float | None
    queries: int


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """The contents of a collection. `vectors` of `passages` distinct passages can be found by meaning.

    `files`: those that are searchable. `files_to_read`: those that the last run found but did not get to. `provisional`: passages
    without a vector that have a provisional one. `lazy`: True if passages are embedded only as questions ask for them.
    `documents_inside`: documents inside files, such as attachments. `left_out_inside`: what readers left out of documents, by kind,
    and of how many. `database`: where it lives in PostgreSQL, without a password; empty for a collection of this machine. `writer`:
    who writes to it now, None if nobody does.
    """

    collection: str
    folders: tuple[Path, ...]
    model: str
    files: int
    files_skipped: int
    files_unsupported: int
    chunks: int
    passages: int
    vectors: int
    files_to_read: int
    scanned_pages: int
    formats: tuple[FormatCount, ...]
    size_bytes: int
    updated_at: str | None
    problems: tuple[Problem, ...]
    unsupported_types: tuple[tuple[str, int], ...]
    documents_inside: int = 0
    left_out: tuple[LeftOutCount, ...] = ()
    left_out_inside: tuple[tuple[str, int], ...] = ()
    index: IndexStatus | None = None
    provisional: int = 0
    lazy: bool = False
    embedding_rate: float = 0.0
    database: str = ""
    writer: Writer | None = None

    @property
    def seconds_left(self) -> float | None:
        """Until the run that is under way has embedded everything; None if there is none, or nothing is left for it."""
        return _seconds_left(self)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The number of distinct passages that can be found by meaning with `model`: `vectors` of `passages`, in `chunks` places.

    `provisional`: of the others, those with a provisional vector. `lazy`, `embedding_rate`: see CollectionStatus, which
    takes longer. `newest`: the largest id of a place, which grows whenever one is added; `updated_at`: the end of the last run.
    While coverage stays the same, so does what is found.
    """

    collection: str
    model: str
    chunks: int
    passages: int
    vectors: int
    provisional: int = 0
    lazy: bool = False
    embedding_rate: float = 0.0
    newest: int = 0
    updated_at: str = ""

    @property
    def seconds_left(self) -> float | None:
        """See CollectionStatus."""
        return _seconds_left(self)


def _seconds_left(of: CollectionStatus | Coverage) -> float | None:
    pending = of.passages - of.vectors
    return pending / of.embedding_rate if of.embedding_rate and pending and not of.lazy else None


@dataclass(frozen=True, slots=True)
class DocumentView:
    """Consecutive passages of a document, one of them a hit's.

    `at`: the position of that one. `above`, `below`: numbers of the document's passages before and after these. `format`: that
    of the document, such as markdown, pdf or python; "" if it is no longer in the catalog.
    """

    passages: tuple[Chunk, ...]
    at: int
    above: int = 0
    below: int = 0
    format: str = ""
