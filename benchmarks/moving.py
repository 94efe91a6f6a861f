"""Measures how fast a collection moves into PostgreSQL and back: rows a second of each stage.

Usage: python -m benchmarks.moving PASSAGES [postgresql://USER@HOST/DATABASE]

The collection is made: documents of 20 passages of some 60 words each, and a vector of 768 for each passage. Without an address, a
server is started in a temporary folder, as tests start it: it does not wait for the disk.
"""

import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.connection import writing
from searchkit.catalog.damage import find_damage
from searchkit.home import collection_at
from searchkit.library import Library
from searchkit.maintenance.move import HERE, move_collection
from searchkit.reports import Progress
from tests.support.postgres import empty_database
from tests.support.stored_files import chunk, put_file

_IN_A_DOCUMENT, _WORDS, _DIMENSION = 20, 60, 768
_VOCABULARY = 50_000
_LETTERS = str.maketrans("0123456789", "lemnraotsu")  # of words: numbers would be read as such


def main(passages: str, url: str = "") -> None:
    """Make the collection, move it there and back, and print what took how long."""
    database = nullcontext(url) if url else empty_database()
    with tempfile.TemporaryDirectory() as place, database as to, Library(Path(place)) as library:
        make(library, int(passages))
        for target in (to, HERE):
            stages: dict[str, list[tuple[float, int]]] = {}

            def listen(progress: Progress, stages: dict[str, list[tuple[float, int]]] = stages) -> None:
                stages.setdefault(progress.stage, []).append((time.perf_counter(), progress.done))

            report = move_collection(library, "made", target, listen)
            print(f"to {report.target}: {report.elapsed_seconds:.1f} s for {report.chunks:,} passages")
            for stage, seen in stages.items():
                (begun, first), (ended, last) = seen[0], seen[-1]
                if ended > begun:
                    rate = (last - first) / (ended - begun)
                    print(f"  {stage}: {ended - begun:.1f} s, {rate:,.0f} a second")
        print("damage:", find_damage(library.collection("made").folder))


def make(library: Library, passages: int) -> None:
    """Store the collection `made`."""
    random = np.random.default_rng(5)
    with writing(collection_at(library.home, "made")) as catalog:
        with catalog.transaction():
            for number in range(passages // _IN_A_DOCUMENT):
                ranks = np.minimum(random.zipf(1.2, (_IN_A_DOCUMENT, _WORDS)), _VOCABULARY)
                texts = [" ".join(str(rank).translate(_LETTERS) for rank in row) for row in ranks]
                put_file(
                    catalog, f"{number % 100}/{number}.txt", [chunk(text, f"Part {n}") for n, text in enumerate(texts)]
                )
        with catalog.transaction():
            hashes = [row[0] for row in catalog.execute("SELECT DISTINCT content_hash FROM chunks").fetchall()]
            for start in range(0, len(hashes), 8192):
                of = hashes[start : start + 8192]
                made = random.standard_normal((len(of), _DIMENSION)).astype(np.float32)
                vectors.put_vectors(catalog, "made-768", of, made / np.linalg.norm(made, axis=1, keepdims=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
