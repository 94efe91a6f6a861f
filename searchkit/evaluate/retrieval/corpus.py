"""A judged corpus as a collection of its own, apart from the user's: cut, embedded and indexed as any file's text is.

The collections lie below the data directory in `eval`, one for each corpus, model and way of cutting. One that was
begun goes on where it was.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from searchkit.catalog import documents, roots
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.documents import DocumentRecord
from searchkit.catalog.meta import COVERED, MODEL, get_meta, set_meta
from searchkit.catalog.session import reading, writing
from searchkit.embedding.embedder import Embedder
from searchkit.home import CollectionFolder, Home, collection_at, name_after_folder, neighbours
from searchkit.ingest import chunk
from searchkit.ingest.embed_pending import Filled, fill_vectors, tokens_to_embed
from searchkit.ingest.extract.text import paragraphs
from searchkit.ingest.index_run import IndexRun
from searchkit.ingest.reuse_vectors import borrow_vectors
from searchkit.ingest.sandbox.messages import Limits
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener, RunOptions
from searchkit.types import Block, BlockKind, DocumentStatus, ExtractedDocument, Hit, Passage

_VERSION = 1  # raise it when a document's blocks come out differently
_AT_ONCE = 100  # documents a transaction
_NO_ROOT = Path("/corpus")  # nothing is ever read from there
# File names are searched too. These match no query, and are unlike each other, so that they are not a common word.
_NAME = "zqx"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents by id, in order. The name is for people, and part of the collection's."""

    name: str
    documents: Mapping[str, Passage]


class CorpusCollection:
    """The collection of a corpus; every document is in it, and every passage has its vector."""

    def __init__(self, folder: CollectionFolder, document_ids: Sequence[str]) -> None:
        self.folder = folder
        self._ids = document_ids

    @property
    def home(self) -> Home:
        """The data directory that it is in."""
        return Home(self.folder.path.parents[1])

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.folder.name

    def document_id(self, path: Path) -> str:
        """The id of the document that a hit's path stands for."""
        return self._ids[int(path.name.removeprefix(_NAME))]

    def ids_of(self, _query: str, _hit: Hit, paths: Sequence[Path]) -> list[str]:
        """The documents that hold a hit's passage (see `DocumentSearch`)."""
        return [self.document_id(path) for path in paths]


def corpus_collection(
    home: Home, corpus: Corpus, embedder: Embedder, on_progress: ProgressListener = lambda _: None
) -> CorpusCollection:
    """The collection of a corpus below the user's data directory `home`, made or finished if need be.

    Raises CollectionBusyError if another process is making it.
    """
    folder = collection_at(home.evaluation, collection_name(corpus, embedder))
    if not _is_finished(folder, embedder, len(corpus.documents)):
        _make(folder, corpus, embedder, on_progress)
    return CorpusCollection(folder, tuple(corpus.documents))


def collection_name(corpus: Corpus, embedder: Embedder) -> str:
    """A name that changes with the documents, the model, and how documents are cut."""
    digest = hashlib.blake2b(f"{_VERSION}.{chunk.VERSION}\0{embedder.info.fingerprint}".encode(), digest_size=6)
    for document_id, passage in corpus.documents.items():
        digest.update(f"\0\0{document_id}\0{passage.title}\0{passage.text}".encode("utf-8", "surrogatepass"))
    return f"{name_after_folder(Path(corpus.name))[:60]}-{digest.hexdigest()}"


def as_document(passage: Passage) -> ExtractedDocument:
    """What a Markdown file would be that has the title as its only heading, and the text below it as it is."""
    title = " ".join(_storable(passage.title).split())
    headings = (title,) if title else ()
    body = [Block(block.text, headings=headings) for block in paragraphs(_storable(passage.text))]
    heading = [Block(title, BlockKind.HEADING, headings)] if title else []
    return ExtractedDocument(title, (*heading, *body))


def _storable(text: str) -> str:
    """Without halves of characters, which JSON can hold and SQLite cannot."""
    return text.encode("utf-8", "replace").decode()


def _is_finished(folder: CollectionFolder, embedder: Embedder, count: int) -> bool:
    if not folder.exists():
        return False
    with reading(folder) as catalog:
        is_covered = get_meta(catalog, COVERED) == embedder.info.fingerprint
        return is_covered and sum(documents.count_by_status(catalog).values()) == count


def _make(folder: CollectionFolder, corpus: Corpus, embedder: Embedder, on_progress: ProgressListener) -> None:
    library = Library(Home(folder.path.parents[1]), embedder=embedder)
    with library, writing(folder) as catalog:
        with catalog.transaction():
            root = roots.add_root(catalog, _NO_ROOT)
            set_meta(catalog, MODEL, embedder.info.name)
            set_meta(catalog, COVERED, "")
        _put_documents(catalog, root.id, corpus, embedder, on_progress)
        borrow_vectors(catalog, embedder.info.fingerprint, neighbours(folder))
        _embed(catalog, embedder, f"Embedding {corpus.name}", on_progress)
        IndexRun(folder, catalog, embedder, Limits(0, 0), on_progress, RunOptions()).finish(is_same=False)


def _put_documents(
    catalog: CatalogWriter, root: int, corpus: Corpus, embedder: Embedder, on_progress: ProgressListener
) -> None:
    """Cut and store what is not there yet, of which a run that was stopped left the end."""
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

    def on_done(done: Filled) -> None:
        on_progress(Progress(stage, done.passages, missing.passages, "passages", done.tokens, missing.tokens))

    fill_vectors(catalog, embedder, on_done)


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
