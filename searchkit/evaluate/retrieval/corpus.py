"""Turns a judged corpus into a collection, separate from the user's: chunked, embedded and indexed like the text of any file.

The collections lie in `eval` in the data directory, one for each corpus, model and version of chunking. An interrupted one
is resumed.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from searchkit.catalog import documents, roots
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.connection import reading, writing
from searchkit.catalog.documents import DocumentRecord
from searchkit.catalog.meta import COVERED, MODEL, set_meta
from searchkit.embedding.embedder import Embedder
from searchkit.home import CollectionFolder, Home, collection_at, name_after_folder, neighbours
from searchkit.ingest import chunk
from searchkit.ingest.embed_pending import EmbeddingProgress, embed_pending, reuse_vectors, tokens_to_embed
from searchkit.ingest.extract.text import paragraphs
from searchkit.ingest.index_run import IndexRun
from searchkit.ingest.sandbox.messages import Limits
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener, RunOptions
from searchkit.types import Block, BlockKind, DocumentStatus, ExtractedDocument, Hit, Passage

_VERSION = 1  # increase it when the blocks of a document change
_AT_ONCE = 100  # documents per transaction
_NO_ROOT = Path("/corpus")  # no file is read from there
# File names are searched too. These match no query, and differ from each other, so that they are not a common word.
_NAME = "zqx"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents by id, in order. `name`: for people, and part of the collection's name."""

    name: str
    documents: Mapping[str, Passage]


class CorpusCollection:
    """The collection of a corpus, with all of its documents and the vectors of all passages."""

    def __init__(self, folder: CollectionFolder, document_ids: Sequence[str]) -> None:
        self.folder = folder
        self._ids = document_ids

    @property
    def home(self) -> Home:
        """The data directory of the collection."""
        return Home(self.folder.path.parents[1])

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.folder.name

    def document_id(self, path: Path) -> str:
        """Return the id of the document behind a hit's path."""
        return self._ids[int(path.name.removeprefix(_NAME))]

    def ids_of(self, _query: str, _hit: Hit, paths: Sequence[Path]) -> list[str]:
        """List the documents that contain a hit's passage (see `DocumentSearch`)."""
        return [self.document_id(path) for path in paths]


def corpus_collection(
    home: Home, corpus: Corpus, embedder: Embedder, on_progress: ProgressListener = lambda _: None
) -> CorpusCollection:
    """Open the collection of a corpus in the user's data directory `home`; build or complete it if necessary.

    Raises CollectionBusyError if another process is building it.
    """
    folder = collection_at(home.evaluation, collection_name(corpus, embedder))
    if not _is_finished(folder, embedder, len(corpus.documents)):
        _make(folder, corpus, embedder, on_progress)
    return CorpusCollection(folder, tuple(corpus.documents))


def collection_name(corpus: Corpus, embedder: Embedder) -> str:
    """Derive a name that changes with the documents, the model, and the version of chunking."""
    digest = hashlib.blake2b(f"{_VERSION}.{chunk.VERSION}\0{embedder.info.fingerprint}".encode(), digest_size=6)
    for document_id, passage in corpus.documents.items():
        digest.update(f"\0\0{document_id}\0{passage.title}\0{passage.text}".encode("utf-8", "surrogatepass"))
    return f"{name_after_folder(Path(corpus.name))[:60]}-{digest.hexdigest()}"


def as_document(passage: Passage) -> ExtractedDocument:
    """Extract a passage as a Markdown file would be that has its title as the only heading."""
    title = " ".join(_storable(passage.title).split())
    headings = (title,) if title else ()
    body = [Block(block.text, headings=headings) for block in paragraphs(_storable(passage.text))]
    heading = [Block(title, BlockKind.HEADING, headings)] if title else []
    return ExtractedDocument(title, (*heading, *body))


def _storable(text: str) -> str:
    """Replace lone surrogates, which JSON can represent and SQLite cannot."""
    return text.encode("utf-8", "replace").decode()


def _is_finished(folder: CollectionFolder, embedder: Embedder, count: int) -> bool:
    if not folder.exists():
        return False
    with reading(folder) as catalog:
        is_covered = catalog.meta(COVERED) == embedder.info.fingerprint
        return is_covered and sum(documents.count_by_status(catalog).values()) == count


def _make(folder: CollectionFolder, corpus: Corpus, embedder: Embedder, on_progress: ProgressListener) -> None:
    library = Library(Home(folder.path.parents[1]), embedder=embedder)
    with library, writing(folder) as catalog:
        with catalog.transaction():
            root = roots.add_root(catalog, _NO_ROOT)
            set_meta(catalog, MODEL, embedder.info.name)
            set_meta(catalog, COVERED, "")
        _put_documents(catalog, root.id, corpus, embedder, on_progress)
        reuse_vectors(catalog, embedder.info.fingerprint, neighbours(folder))
        _embed(catalog, embedder, f"Embedding {corpus.name}", on_progress)
        IndexRun(folder, catalog, embedder, Limits(0, 0), on_progress, RunOptions()).finish(is_same=False)


def _put_documents(
    catalog: CatalogWriter, root: int, corpus: Corpus, embedder: Embedder, on_progress: ProgressListener
) -> None:
    """Chunk and store the documents that are missing after an interrupted run."""
    there = {record.path for record in documents.documents_of_root(catalog, root)}
    missing = [(_name(i), p) for i, p in enumerate(corpus.documents.values()) if _name(i) not in there]
    for done, group in enumerate(_groups(missing)):
        with catalog.transaction():
            for name, passage in group:
                cut = chunk.chunk_document(as_document(passage), embedder.count_tokens, embedder.info.max_tokens)
                documents.put_document(catalog, _record(root, name, passage), cut)
        on_progress(Progress(f"Reading {corpus.name}", done * _AT_ONCE + len(group), len(missing), "documents"))


def _embed(catalog: CatalogWriter, embedder: Embedder, stage: str, on_progress: ProgressListener) -> None:
    missing = tokens_to_embed(catalog, embedder.info.fingerprint)

    def on_done(done: EmbeddingProgress) -> None:
        on_progress(Progress(stage, done.passages, missing.passages, "passages", done.tokens, missing.tokens))

    embed_pending(catalog, embedder, on_done)


def _groups(items: Sequence[tuple[str, Passage]]) -> Iterator[list[tuple[str, Passage]]]:
    rest = iter(items)
    while group := list(islice(rest, _AT_ONCE)):
        yield group


def _name(number: int) -> str:
    return f"{_NAME}{number:08}"


def _record(root: int, name: str, passage: Passage) -> DocumentRecord:
    return DocumentRecord(
        id=0,
        root_id=root,
        path=name,
        content_hash=None,
        size_bytes=len(passage.text.encode("utf-8", "surrogatepass")),
        mtime_ns=0,
        ctime_ns=0,
        format="text",
        status=DocumentStatus.INDEXED,
        reason="",
        title=_storable(passage.title),
        recipe="",
    )
