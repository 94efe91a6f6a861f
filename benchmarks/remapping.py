"""How long `models use` takes between a model and one adapted from it: vectors mapped in one transaction, index rebuilt.

    python -m benchmarks.remapping COLLECTION --vectors 100000

In a data directory of its own, which is removed again, with vectors like those of a collection that there is: each is one of its
vectors and a share of another.
"""

import argparse
import tempfile
from pathlib import Path
from time import monotonic, process_time

import numpy as np

from searchkit.catalog import roots, vectors
from searchkit.catalog.access import reading, writing
from searchkit.catalog.collection_folder import collection_at
from searchkit.catalog.connection import transaction
from searchkit.catalog.documents import DocumentRecord, content_hash, put_document
from searchkit.catalog.meta import COVERED, MODEL, set_meta
from searchkit.embedding.adapted_model import Adaptation
from searchkit.embedding.embedder import Vectors, normalized
from searchkit.library import Library
from searchkit.train.vectors import CorpusVectors
from searchkit.types import Chunk, DocumentStatus
from searchkit.vector_store import refresh_index

_CHUNKS = 100  # a document


def make(home: Path, library: Library, model: str, like: Vectors, count: int) -> None:
    embedder = library.models.open(model)
    rng = np.random.default_rng(0)
    with writing(collection_at(home, "many")) as connection, transaction(connection):
        root = roots.add_root(connection, Path("/nowhere"))
        set_meta(connection, MODEL, model)
        set_meta(connection, COVERED, embedder.fingerprint)
        for number in range(count // _CHUNKS):
            texts = [f"passage {number} {place} about subject {number % 100}" for place in range(_CHUNKS)]
            chunks = [Chunk(text, f"Document {number}", None, None, None, 8) for text in texts]
            put_document(connection, _record(root.id, number), chunks)
            hashes = [content_hash(chunk.title, chunk.text) for chunk in chunks]
            one, other = rng.integers(0, len(like), (2, _CHUNKS))
            share = rng.uniform(0.2, 0.8, (_CHUNKS, 1)).astype(np.float32)
            near = normalized(like[one] + share * like[other])
            vectors.put_vectors(connection, embedder.fingerprint, hashes, near)
    with writing(collection_at(home, "many")) as connection:
        refresh_index(collection_at(home, "many"), connection, embedder)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection")
    parser.add_argument("--vectors", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Library() as own:
        embedder = own.embedder_of(options.collection)
        with reading(collection_at(own.home, options.collection)) as connection:
            like = CorpusVectors.read(connection, embedder).vectors
        model = embedder.name
        home = Path(name)
        (home / "models").mkdir()
        (home / "models" / model).symlink_to(own.home / "models" / model)
        with Library(home) as library:
            make(home, library, model, like, options.vectors)
            dimension = embedder.dimension
            noise = np.random.default_rng(1).standard_normal((dimension, dimension))
            matrix = (np.eye(dimension) + 0.01 * noise).astype(np.float32)
            library.models.add_adapted(model, "adapted", Adaptation(matrix, (0.1, 0.6), {}, ""))
            for target in ("adapted", model):
                wall, cpu = monotonic(), process_time()
                missing = library.use_model(target, collection="many")
                seconds, used = monotonic() - wall, process_time() - cpu
                index = library.status("many").index
                what = f"{index.name}, recall {index.recall:.3f}" if index and index.recall else "no index"
                print(f"to {target}: {seconds:.1f} s ({used:.1f} s of processor), {missing} missing, {what}")


if __name__ == "__main__":
    main()
