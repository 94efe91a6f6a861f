"""Checks the mark for weak matches: queries of each judged collection, searched in all of them.

Usage: python -m benchmarks.weak_matches FOLDER FOLDER ... [--model NAME] [--queries 40]      (folders in BEIR's layout)

Another collection's query is recognised if all its hits are marked weak; an own query is marked wrongly if all of its are.
"""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.fulltext import query_words
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.evaluate.retrieval.search import RankingEmbedder
from searchkit.home import Home
from searchkit.library import Library
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.types import Hit

_PIECE = 100  # characters of a text whose words are listed at once; a query's words are listed up to a number


def main() -> None:
    """Print a row for each collection."""
    options = read_options()
    sets = [read_beir(folder) for folder in options.folders]
    embedder = ModelStore(Home.default().models).open(options.model)
    choice = random.Random(options.seed)
    asked = {
        one.name: choice.sample(list(one.queries.values()), min(options.queries, len(one.queries))) for one in sets
    }
    ranking = RankingEmbedder(embedder, [text for texts in asked.values() for text in texts])
    own, others = Counts(), Counts()
    print("| collection | its own queries marked | others' recognised |\n|---|---|---|")
    for one in sets:
        made = corpus_collection(Home.default(), Corpus(one.name, one.documents), embedder)
        with Library(made.home, embedder=ranking) as library:
            found = {name: count_weak(library, made.name, texts) for name, texts in asked.items()}
        own += found.pop(one.name)
        shares = [f"{name} {counts.share:.3f}" for name, counts in found.items()]
        others = sum(found.values(), others)
        print(f"| {one.name} | {own.last:.3f} | {', '.join(shares)} |", flush=True)
    print(f"| all | {own.share:.3f} of {own.queries} | {others.share:.3f} of {others.queries} |")
    print(f"Weak hits that contain every content word of their query: {own.contradictions + others.contradictions}")


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of queries, of those whose hits are all weak, and of weak hits with every content word of their query.

    `last`: the share of weak ones in what was added last.
    """

    queries: int = 0
    weak: int = 0
    contradictions: int = 0
    last: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.queries + other.queries,
            self.weak + other.weak,
            self.contradictions + other.contradictions,
            other.share,
        )

    @property
    def share(self) -> float:
        """The share of queries whose hits are all weak."""
        return self.weak / max(1, self.queries)


def count_weak(library: Library, collection: str, queries: list[str]) -> Counts:
    """Search for queries in a collection."""
    weak = contradictions = 0
    for query in queries:
        hits = library.search(query, collections=[collection])
        weak += all(hit.weak for hit in hits)
        words = [word for word in query_words(query) if word not in STOP_WORDS]
        contradictions += sum(hit.weak and bool(words) and has_all(hit, words) for hit in hits)
    return Counts(len(queries), weak, contradictions)


def has_all(hit: Hit, words: list[str]) -> bool:
    """Whether all words are in a hit's passage as they are written."""
    text = f"{hit.heading} {hit.text}"
    present = {word for start in range(0, len(text), _PIECE) for word in query_words(text[start : start + 2 * _PIECE])}
    return present.issuperset(words)


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="embeddinggemma-300m")
    parser.add_argument("--queries", type=int, default=40, help="of each collection")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of queries")
    return parser.parse_args()


if __name__ == "__main__":
    main()
