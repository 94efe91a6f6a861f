"""Times an adapter: learning and choosing it, and switching to it and back.

    python -m benchmarks.adapter_speed COLLECTION --pairs 10000 --vectors 100000

Pairs are vectors of the collection with noise, among its own; what is switched is made in the same way, each vector one of the
collection's plus a share of another, in a data directory that is removed again.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, process_time

import numpy as np

from searchkit.catalog import roots, vectors
from searchkit.catalog.connection import reading, writing
from searchkit.catalog.documents import DocumentRecord, content_hash, put_document
from searchkit.catalog.meta import COVERED, MODEL, set_meta
from searchkit.embedding.adapted_model import Adaptation
from searchkit.embedding.embedder import normalized
from searchkit.home import Home, collection_at
from searchkit.index_store import refresh_index
from searchkit.library import Library
from searchkit.maintenance.switch_model import switch_model
from searchkit.train.pairs.vectors import CorpusVectors
from searchkit.types import Chunk, DocumentStatus
from searchkit_indexes import Vectors

_CHUNKS = 100  # a document
_VALIDATION, _PASSAGES = 300, 10_000


def make(home: Path, library: Library, model: str, like: Vectors, count: int) -> None:
    embedder = library.models.open(model)
    rng = np.random.default_rng(0)
    with writing(collection_at(Home(home), "many")) as connection, connection.transaction():
        root = roots.add_root(connection, Path("/nowhere"))
        set_meta(connection, MODEL, model)
        set_meta(connection, COVERED, embedder.info.fingerprint)
        for number in range(count // _CHUNKS):
            texts = [f"passage {number} {place} about subject {number % 100}" for place in range(_CHUNKS)]
            chunks = [Chunk(text, f"Document {number}", None, None, None, 8) for text in texts]
            put_document(connection, _record(root.id, number), chunks)
            hashes = [content_hash(chunk.title, chunk.text) for chunk in chunks]
            one, other = rng.integers(0, len(like), (2, _CHUNKS))
            share = rng.uniform(0.2, 0.8, (_CHUNKS, 1)).astype(np.float32)
            near = normalized(like[one] + share * like[other])
            vectors.put_vectors(connection, embedder.info.fingerprint, hashes, near)
    with writing(collection_at(Home(home), "many")) as connection:
        refresh_index(collection_at(Home(home), "many"), connection, embedder)


def _record(root: int, number: int) -> DocumentRecord:
    return DocumentRecord(
        id=0,
        root_id=root,
        path=f"{number}.txt",
        content_hash=None,
        size_bytes=0,
        mtime_ns=0,
        ctime_ns=0,
        format="text",
        status=DocumentStatus.INDEXED,
        reason="",
        title="",
        recipe="",
    )


def train(like: Vectors, prefixes: Sequence[int], count: int) -> None:
    """Learn the shipped candidates from `count` pairs, and choose among their mixes, as `train adapter` does."""
    from searchkit.train.adapter.learn import Validation, choose_matrix
    from searchkit.train.likelihoods import KnownItems
    from searchkit.train.pairs.vectors import PairVectors

    rng = np.random.default_rng(2)
    rows = rng.integers(0, len(like), count + _VALIDATION)
    shape = (len(rows), like.shape[1])
    queries, passages = (
        normalized(like[rows] + share * normalized(rng.standard_normal(shape, np.float32))) for share in (1.0, 0.3)
    )
    ids = rows.astype(np.int64)
    taught, numbers = slice(_VALIDATION, None), np.arange(len(rows), dtype=np.int64)
    pairs = PairVectors(
        queries[taught], passages[taught], numbers[taught], ids[taught], ids[taught], np.zeros_like(queries[taught])
    )
    held, place = slice(_VALIDATION), np.where(ids < _PASSAGES, ids, -1)
    validation = KnownItems(queries[held], passages[held], place[held], like[:_PASSAGES])
    wall, cpu = monotonic(), process_time()
    chosen = choose_matrix(pairs, Validation(validation), prefixes)
    print(
        f"{count:,} pairs: {len(chosen.trials)} trials, {monotonic() - wall:.1f} s ({process_time() - cpu:.1f} s of processor)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection")
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--vectors", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Library() as own:
        embedder = own.collection(options.collection).embedder()
        with reading(collection_at(own.home, options.collection)) as connection:
            like = CorpusVectors.read(connection, embedder).vectors
        if options.pairs:
            train(like, embedder.info.prefix_dimensions, options.pairs)
        model = embedder.info.name
        home = Path(name)
        (home / "models").mkdir()
        (home / "models" / model).symlink_to(own.home.path / "models" / model)
        with Library(home) as library:
            make(home, library, model, like, options.vectors)
            dimension = embedder.info.dimension
            noise = np.random.default_rng(1).standard_normal((dimension, dimension))
            matrix = (np.eye(dimension) + 0.01 * noise).astype(np.float32)
            library.models.add_adapted(model, "adapted", Adaptation(matrix, (0.1, 0.6), {}, ""))
            for target in ("adapted", model):
                wall, cpu = monotonic(), process_time()
                missing = switch_model(library.collection("many"), target)
                seconds, used = monotonic() - wall, process_time() - cpu
                index = library.status("many").index
                what = f"{index.name}, recall {index.recall:.3f}" if index and index.recall else "no index"
                print(f"to {target}: {seconds:.1f} s ({used:.1f} s of processor), {missing} missing, {what}")


if __name__ == "__main__":
    main()
