"""Checks the mark for weak matches: queries of each judged collection, searched in all of them.

Usage: python -m benchmarks.weak_matches FOLDER FOLDER ... [--model NAME] [--queries 40]      (folders in BEIR's layout)

Another collection's query is recognised if all its hits are marked weak; an own query is marked wrongly if all of its are.
"""

import argparse
import random
from pathlib import Path

from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.evaluate.retrieval.search import RankingEmbedder
from searchkit.home import Home
from searchkit.library import Library


def main() -> None:
    """Print a row for each collection."""
    options = read_options()
    sets = [read_beir(folder) for folder in options.folders]
    embedder = ModelStore(Home.default().models).open(options.model)
    choice = random.Random(1)
    asked = {
        one.name: choice.sample(list(one.queries.values()), min(options.queries, len(one.queries))) for one in sets
    }
    ranking = RankingEmbedder(embedder, [text for texts in asked.values() for text in texts])
    print("| collection | its own queries marked | others' recognised |\n|---|---|---|")
    for one in sets:
        made = corpus_collection(Home.default(), Corpus(one.name, one.documents), embedder)
        with Library(made.home, embedder=ranking) as library:
            weak = {name: share_weak(library, made.name, texts) for name, texts in asked.items()}
        others = [f"{name} {value:.3f}" for name, value in weak.items() if name != one.name]
        print(f"| {one.name} | {weak[one.name]:.3f} | {', '.join(others)} |", flush=True)


def share_weak(library: Library, collection: str, queries: list[str]) -> float:
    """The share of queries whose hits are all weak."""
    return sum(all(hit.is_weak for hit in library.search(query, collections=[collection])) for query in queries) / len(
        queries
    )


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="embeddinggemma-300m")
    parser.add_argument("--queries", type=int, default=40, help="of each collection")
    return parser.parse_args()


if __name__ == "__main__":
    main()
