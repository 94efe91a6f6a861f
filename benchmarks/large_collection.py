"""Makes a folder of as many passages as you like from an indexed collection, plants judged passages in it, and measures searches.

Usage: python -m benchmarks.large_collection make FOLDER --from COLLECTION [--home DIR] [--versions 5] [--plant SET ...]
       python -m benchmarks.large_collection fill NAME --like COLLECTION --like-home DIR [--home DIR]
       python -m benchmarks.large_collection ask NAME --plant SET ... [--home DIR] [--mode MODE] [--count 50]

`make` writes each document of COLLECTION as it is and, in further versions, with three words in ten exchanged for those of a
neighbour, so that words stay as common as they are. SET is a folder with judgments in BEIR's layout; its passages become files.
`fill` gives each passage of a lazy collection a made vector, which takes minutes where the model would take hours: to measure
the time of searches with all embedded, not what they find. A made vector lies between two of another collection that the same
model has embedded, so that codes of a bit need as many candidates among them as among real ones. The data directory is of no
other use afterwards.
`ask` asks the questions of the sets in the collection NAME that was indexed from FOLDER: nDCG@10 against their judgments, and
the time of a search, warm.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import mean

from searchkit.library import Library  # isort: skip  # before NumPy, whose threads it keeps from spinning
import numpy as np

from searchkit.catalog.connection import reading
from searchkit.catalog.meta import COVERED, LAZY, set_meta
from searchkit.catalog.pending import pending_hashes
from searchkit.catalog.vectors import put_vectors
from searchkit.collection import Collection
from searchkit.embedding.embedder import normalized
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.metrics import ndcg_at
from searchkit.home import Home, existing_collection
from searchkit.index_store import refresh_index
from searchkit.search.request import SearchRequest
from searchkit.train.pairs.vectors import CorpusVectors
from searchkit.types import Hit, SearchMode
from searchkit_indexes import Vectors

_EXCHANGED = 0.3
_PLANTED = "planted"
_AT_ONCE = 2000
_OTHER = 0.2  # the share of the second vector in a made one


def main() -> None:
    """Make a folder, or measure searches in it."""
    options = read_options()
    if options.task == "make":
        make(options)
        return
    if options.task == "fill":
        with Library(Home(options.like_home)) as library:
            like = stored_vectors(library.collection(options.like))
        with Library(Home(options.home)) as library:
            fill(library.collection(options.name), like)
        return
    print("| set | nDCG@10 | p50 ms | p95 ms |\n|---|---|---|---|")
    with Library(Home(options.home)) as library:
        for place in options.plant:
            quality, times = ask(library, place, options)
            times.sort()
            print(
                f"| {place.name} | {quality:.3f} | {times[len(times) // 2]:.0f} | {times[int(0.95 * len(times))]:.0f} |"
            )


def make(options: argparse.Namespace) -> None:
    """Write the files."""
    with reading(existing_collection(Home(options.home), options.source)) as catalog:
        rows = catalog.execute("SELECT document_id, text FROM chunks ORDER BY document_id, ordinal").fetchall()
    documents = [[text for _, text in of_one] for _, of_one in groupby(rows, key=itemgetter(0))]
    random.seed(0)
    for version in range(options.versions):
        for number, texts in enumerate(documents):
            folder = options.folder / f"version-{version}" / f"{number // 500:03}"
            folder.mkdir(parents=True, exist_ok=True)
            donor = documents[(number + version) % len(documents)]
            written = texts if not version else list(exchanged(texts, donor))
            (folder / f"{number}.txt").write_text("\n\n".join(written), "utf-8")
    for place in options.plant:
        plant(options.folder / _PLANTED / place.name, place)


def fill(collection: Collection, like: Vectors) -> None:
    """Store a made vector for each passage that has none, and bring the index up to date. `like`: (n, dimension) real ones."""
    embedder = collection.embedder()
    model, random_source, last = embedder.info, np.random.default_rng(0), b""
    with collection.writing() as catalog:
        while hashes := pending_hashes(catalog, model.fingerprint, last, _AT_ONCE):
            one, other = random_source.integers(0, len(like), (2, len(hashes)))
            made = (1 - _OTHER) * like[one] + _OTHER * like[other]
            with catalog.transaction():
                put_vectors(catalog, model.fingerprint, hashes, normalized(made))
            last = hashes[-1]
        with catalog.transaction():
            set_meta(catalog, LAZY, "no")
            set_meta(catalog, COVERED, model.fingerprint)
        refresh_index(collection.folder, catalog, embedder)


def stored_vectors(collection: Collection) -> Vectors:
    """All vectors of a collection's model."""
    embedder = collection.embedder()
    with collection.reading() as catalog:
        return CorpusVectors.read(catalog, embedder).vectors


def exchanged(texts: Sequence[str], donor: Sequence[str]) -> Iterator[str]:
    """Texts with some of their words replaced by some of a donor's."""
    others = " ".join(donor).split() or [""]
    for text in texts:
        lines = (line.split(" ") for line in text.split("\n"))
        yield "\n".join(
            " ".join(random.choice(others) if random.random() < _EXCHANGED else word for word in line) for line in lines
        )


def plant(folder: Path, place: Path) -> None:
    """Write the passages of a judged set, each as a file that has its id as a name."""
    folder.mkdir(parents=True, exist_ok=True)
    for passage, of_it in read_beir(place).documents.items():
        (folder / f"{name_of(passage)}.md").write_text(f"# {of_it.title}\n\n{of_it.text}\n", "utf-8")


def name_of(passage: str) -> str:
    """A file's name for a passage's id."""
    return "".join(char if char.isalnum() else f"-{ord(char):x}-" for char in passage)


def ask(library: Library, place: Path, options: argparse.Namespace) -> tuple[float, list[float]]:
    """The mean nDCG@10 of a set's questions, and the milliseconds of each."""
    judged = read_beir(place)
    asked = [*judged.queries][:: max(1, len(judged.queries) // options.count)]
    qualities, times = [], []
    library.find(SearchRequest("warm up", collections=(options.name,)))
    for query in asked:
        request = SearchRequest(
            judged.queries[query], collections=(options.name,), k=10, mode=options.mode, wait=options.reads
        )
        started = time.perf_counter()
        hits = library.find(request).hits
        times.append((time.perf_counter() - started) * 1e3)
        wanted = {name_of(passage): grade for passage, grade in judged.qrels[query].items()}
        qualities.append(ndcg_at(10, found(hits, place.name), wanted))
    return mean(qualities), times


def found(hits: Sequence[Hit], planted: str) -> list[str]:
    """The planted passages that hits are of, and others by their paths."""
    return list(dict.fromkeys(hit.path.stem if hit.path.parent.name == planted else str(hit.path) for hit in hits))


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    filling = tasks.add_parser("fill")
    filling.add_argument("name")
    filling.add_argument("--like", required=True)
    filling.add_argument("--like-home", type=Path, required=True)
    making = tasks.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--from", dest="source", required=True)
    making.add_argument("--versions", type=int, default=5)
    asking = tasks.add_parser("ask")
    asking.add_argument("name")
    asking.add_argument("--mode", type=SearchMode, default=SearchMode.HYBRID)
    asking.add_argument("--count", type=int, default=50)
    asking.add_argument("--no-read", dest="reads", action="store_false", help="only what is found at once")
    for each in (making, filling, asking):
        each.add_argument("--home", type=Path, default=Home.default().path)
        each.add_argument("--plant", type=Path, nargs="*", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
