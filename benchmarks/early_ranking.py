"""Measures hybrid search while the model still works: nDCG@10 with a share of each judged set's passages embedded.

Usage: python -m benchmarks.early_ranking FOLDER [FOLDER ...] [--model NAME] [--embedded 0 10 30 60] [--read 0 10 20 40]
    [--no-guesses]

FOLDER: a judged set in BEIR's layout. Its collection is completed first, so that what the model would read when a question
comes is looked up instead of computed; nothing is kept from one question to the next. Which passages are embedded is drawn by
their hashes, which puts no document and no topic first.
"""

import argparse
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import open_for_writing, reading
from searchkit.catalog.meta import COVERED, set_meta
from searchkit.catalog.passages import seen_by_model
from searchkit.catalog.vectors import vectors_of_hashes
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.metrics import Metric, rank_queries, score_rankings
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.evaluate.retrieval.search import DocumentSearch, RankingEmbedder, sample
from searchkit.home import Home
from searchkit.ingest.guess_pending import PendingGuesses
from searchkit.library import Library
from searchkit.search.on_demand import OnDemandReader
from searchkit.types import Passage, SearchMode
from searchkit_indexes import Vectors

_K = 10
_ALL = 100
_SEARCHER = "searchkit.search.searcher."


class KnownPassages(RankingEmbedder):
    """Wraps an embedder: passages get the vectors that a catalog has of them, queries are embedded once."""

    def __init__(self, embedder: Embedder, queries: Sequence[str], vectors: Mapping[Passage, Vectors]) -> None:
        super().__init__(embedder, queries)
        self._vectors = vectors
        self.embed_documents = self._look_up

    def _look_up(self, passages: Sequence[Passage]) -> Vectors:
        return np.stack([self._vectors[passage] for passage in passages])


class NothingKept(OnDemandReader):
    """Reads as always, and forgets it."""

    def read(self, embedder: Embedder, wanted: Mapping[bytes, Passage], _seconds: float) -> dict[bytes, Vectors]:
        """See OnDemandReader."""
        return OnDemandReader().read(embedder, wanted, 3600.0)


class JudgedSet:
    """A judged set as a collection with every vector, from which copies with fewer are made."""

    def __init__(
        self, folder: Path, home: Path, embedder: Embedder, most_queries: int, *, has_guesses: bool = True
    ) -> None:
        self._has_guesses = has_guesses
        self.data = read_beir(folder, "test")
        chosen = sample(list(self.data.qrels), min(most_queries, len(self.data.qrels)))
        self._queries = {key: self.data.queries[key] for key in chosen}
        self._made = corpus_collection(Home(home), Corpus(self.data.name, self.data.documents), embedder)
        with reading(self._made.folder) as catalog:
            vectors = _vectors_by_passage(catalog, embedder.info.fingerprint)
        self._embedder = KnownPassages(embedder, list(self._queries.values()), vectors)

    def ndcg(self, home: Path, mode: SearchMode, most_read: int) -> float:
        """Compute nDCG@10 of the copy in a data directory; `most_read`: of the best passages, at each question."""
        with (
            patch(f"{_SEARCHER}READ_ON_DEMAND", most_read),
            patch(f"{_SEARCHER}keep", lambda *_: None),
            patch("searchkit.library.OnDemandReader", NothingKept),
            Library(home, embedder=self._embedder) as library,
        ):
            search = DocumentSearch(library, self._made.name, mode, self._made.ids_of)
            rankings = rank_queries(search, self._queries, _K)
        return score_rankings(rankings, {key: self.data.qrels[key] for key in self._queries}).mean(Metric.NDCG_10)

    @contextmanager
    def embedded(self, percent: int) -> Iterator[Path]:
        """Make a copy with that share of its passages embedded, in a data directory of its own."""
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place) / "collections" / self._made.name
            shutil.copytree(self._made.folder.path, copy)
            if percent < _ALL:
                shutil.rmtree(copy / "index")
                with open_for_writing(copy / "catalog.db") as catalog, catalog.transaction():
                    hashes = [row[0] for row in catalog.execute("SELECT content_hash FROM vectors")]
                    gone = [(each,) for each in hashes if _drawn(each) >= percent]
                    catalog.change_many("DELETE FROM vectors WHERE content_hash = ?", gone)
                    set_meta(catalog, COVERED, "")
                if self._has_guesses:
                    with open_for_writing(copy / "catalog.db") as catalog:
                        PendingGuesses(catalog, self._embedder).complete(pending=len(gone), is_lazy=True)
            yield Path(place)


def _drawn(content_hash: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content_hash, digest_size=4).digest()) % _ALL


def _vectors_by_passage(catalog: CatalogReader, fingerprint: str) -> dict[Passage, Vectors]:
    hashes = [row[0] for row in catalog.execute("SELECT DISTINCT content_hash FROM chunks")]
    vectors = vectors_of_hashes(catalog, fingerprint, hashes)
    return {passage: vectors[key] for key, passage in seen_by_model(catalog, hashes).items()}


def main() -> None:
    """Print the table."""
    options = read_options()
    home = Home.default()
    embedder = ModelStore(home.path / "models").open(options.model)
    sets = [
        JudgedSet(folder, home.path, embedder, options.queries, has_guesses=not options.no_guesses)
        for folder in options.folders
    ]
    print(f"| embedded | read | {' | '.join(each.data.name for each in sets)} | mean |")
    print(f"|---|---|{'---|' * (len(sets) + 1)}")
    for percent in [*options.embedded, _ALL]:
        rows: dict[str, list[float]] = {}
        for each in sets:
            with each.embedded(percent) as place:
                if percent == 0:
                    rows.setdefault("words alone", []).append(each.ndcg(place, SearchMode.LEXICAL, 0))
                for most_read in options.read if percent < _ALL else [0]:
                    rows.setdefault(str(most_read), []).append(each.ndcg(place, SearchMode.HYBRID, most_read))
        for name, values in rows.items():
            cells = " | ".join(f"{value:.3f}" for value in [*values, sum(values) / len(values)])
            print(f"| {percent} % | {name} | {cells} |", flush=True)


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--model", default="embeddinggemma-300m")
    parser.add_argument("--queries", type=int, default=1200, help="of each set at most, from all over it")
    parser.add_argument("--embedded", type=int, nargs="*", default=[0, 10, 30, 60], help="percent of the passages")
    parser.add_argument("--no-guesses", action="store_true", help="without provisional vectors")
    parser.add_argument("--read", type=int, nargs="*", default=[0, 10, 20, 40], help="passages at each question")
    return parser.parse_args()


if __name__ == "__main__":
    main()
