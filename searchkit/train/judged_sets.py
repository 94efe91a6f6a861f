"""Loads judged queries as vectors: held-out pairs, the user's own file, the bundled general check, folders in BEIR's layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import reading
from searchkit.catalog.passages import places_of_passages
from searchkit.embedding.embedder import Embedder, normalized
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.judged import read_judged
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.files import file_path, path_from_text
from searchkit.home import Home
from searchkit.library import Library
from searchkit.reports import ProgressListener
from searchkit.train.gate import NONE_HIDDEN, JudgedQueries
from searchkit.train.likelihoods import KnownItems
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors, VectorCache
from searchkit_indexes import Vectors

SAMPLE_DOCS = Path(__file__).parent / "sample_docs_eval"
"""The general check that comes with searchkit, in BEIR's layout."""
_LARGEST_CORPUS = 20_000  # passages among which held-out queries must find theirs


def known_items(pairs: PairVectors, corpus: CorpusVectors, *, seed: int = 0) -> KnownItems:
    """Pairs among all passages of the collection, or among a sample of a large one that has their passages."""
    kept = np.arange(len(corpus.vectors))
    if len(kept) > _LARGEST_CORPUS:
        chosen = np.random.default_rng(seed).choice(len(kept), _LARGEST_CORPUS, replace=False)
        kept = np.unique(np.concatenate([chosen, pairs.rows[pairs.rows >= 0]]))
    row_in_sample = np.full(len(corpus.vectors) + 1, -1, np.int64)  # the last one is for row -1
    row_in_sample[kept] = np.arange(len(kept))
    return KnownItems(pairs.queries, pairs.passages, row_in_sample[pairs.rows], corpus.vectors[kept])


def own_queries(
    library: Library, collection: str, file: Path, corpus: CorpusVectors, cache: VectorCache
) -> JudgedQueries:
    """Load the user's judged queries (see `searchkit eval init`), by file. Raises what `read_judged` raises."""
    judged = read_judged(library.home, collection, file)
    with library.collection(collection).reading() as catalog:
        rows = _files(catalog, corpus)
    numbers = {path: number for number, path in enumerate(dict.fromkeys(rows.values()))}
    relevance = []
    for query_id in judged.queries:
        names = [name.rsplit("#", 1)[0] for name in judged.qrels[query_id]]
        found = [path for path in numbers if any(_is_at(path, name) for name in names)]
        relevance.append({str(numbers[path]): 1 for path in found})
    known = np.array(sorted(rows), np.int64)
    return JudgedQueries(
        name=file.stem,
        queries=cache.queries(list(judged.queries.values())),
        corpus=corpus.vectors[known],
        document_of=np.array([numbers[rows[row]] for row in known.tolist()], np.int64),
        relevance=tuple(relevance),
        hidden=(NONE_HIDDEN,) * len(relevance),
    )


def check_folders(folders: Sequence[Path]) -> None:
    """Raise EvaluationDataError for a folder that is not in BEIR's layout, before anything is trained."""
    for folder in folders:
        read_beir(folder)


def judged_folder(home: Home, folder: Path, embedder: Embedder, on_progress: ProgressListener) -> JudgedQueries:
    """Load a folder in BEIR's layout; its passages are embedded once and kept below `eval`. Raises EvaluationDataError."""
    data = read_beir(folder)
    name = "sample_docs" if folder.name == SAMPLE_DOCS.name else folder.resolve().name
    collection = corpus_collection(home, Corpus(name, data.documents), embedder, on_progress)
    with reading(collection.folder) as catalog:
        documents, found = _vectors_by_document(catalog, embedder)
    numbers = {
        collection.document_id(path_from_text(path)): number for number, path in enumerate(dict.fromkeys(documents))
    }
    of_path = {path: number for number, path in enumerate(dict.fromkeys(documents))}
    relevance = tuple(_numbered(data.qrels[query_id], numbers) for query_id in data.qrels)
    texts = [data.queries[query_id] for query_id in data.qrels]
    return JudgedQueries(
        name=name,
        queries=embedder.embed_queries(texts),
        corpus=found,
        document_of=np.array([of_path[path] for path in documents], np.int64),
        relevance=relevance,
        hidden=(NONE_HIDDEN,) * len(texts),
    )


def _numbered(relevance: Mapping[str, int], numbers: Mapping[str, int]) -> dict[str, int]:
    """Relevance by document number; a document that is not in the corpus is never found."""
    return {str(numbers.get(document, document)): value for document, value in relevance.items()}


def _vectors_by_document(catalog: CatalogReader, embedder: Embedder) -> tuple[list[str], Vectors]:
    """The document and the vector of each chunk."""
    rows = [(name, content_hash) for content_hash, _, name in places_of_passages(catalog)]
    stored = vectors.vectors_of_hashes(catalog, embedder.info.fingerprint, list({row[1] for row in rows}))
    kept = [(path, stored[content_hash]) for path, content_hash in rows if content_hash in stored]
    return [path for path, _ in kept], normalized(np.stack([vector for _, vector in kept]))


def _files(catalog: CatalogReader, corpus: CorpusVectors) -> dict[int, Path]:
    """The first file that contains the passage of each row of a corpus."""
    row_of = {content_hash: row for row, content_hash in enumerate(corpus.hashes)}
    found: dict[int, Path] = {}
    for content_hash, root, name in places_of_passages(catalog):
        if content_hash in row_of:
            found.setdefault(row_of[content_hash], file_path(root, name))
    return found


def _is_at(path: Path, name: str) -> bool:
    """True if a judgement's name, a path from some folder and perhaps a page, means this file."""
    plain = name.rsplit(":", 1)[0] if name.rsplit(":", 1)[-1].isdigit() else name
    return path.as_posix() == plain or path.as_posix().endswith(f"/{plain.lstrip('./')}")
