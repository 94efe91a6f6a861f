"""Measures search across languages, on a parallel set such as XQuAD in BEIR's layout, whose ids begin with a language ("de-p001").

Usage: python -m benchmarks.languages FOLDER [--model NAME] [--queries 100]

Recall@10 with questions in one language and documents of one other, for each pair; and among the documents of all languages
together, how often the first one is the answer in the question's own. Hybrid search. qrels/crosslingual.tsv judges every
translation relevant, and that in the question's language more than others.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from searchkit.embedding.embedder import Embedder
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import RetrievalData, read_beir
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.evaluate.retrieval.search import DocumentSearch, RankingEmbedder, sample
from searchkit.home import Home
from searchkit.library import Library
from searchkit.types import SearchMode

_K = 10


def main() -> None:
    """Print the table of pairs, then the pool."""
    options = read_options()
    data = read_beir(options.folder, "crosslingual")
    embedder = ModelStore(Home.default().models).open(options.model)
    languages = sorted({_language(document) for document in data.documents})
    asked = {language: _queries(data, language, options.queries) for language in languages}
    every = [text for queries in asked.values() for text in queries.values()]
    ranking = RankingEmbedder(embedder, every)
    print(f"| documents in | {' | '.join(f'questions in {language}' for language in languages)} |")
    print(f"|---|{'---|' * len(languages)}")
    values = []
    for language in languages:
        documents = {key: text for key, text in data.documents.items() if _language(key) == language}
        search = _search(Corpus(f"{data.name}-{language}", documents), embedder, ranking)
        row = {other: recall(search, asked[other], data.qrels) for other in languages}
        values += [value for other, value in row.items() if other != language]
        print(f"| {language} | {' | '.join(f'{value:.3f}' for value in row.values())} |", flush=True)
    print(f"\nrecall@{_K} of another language: mean {sum(values) / len(values):.3f}, least pair {min(values):.3f}")
    pool = _search(Corpus(data.name, data.documents), embedder, ranking)
    own = [is_own_first(pool, text, data.qrels[key]) for queries in asked.values() for key, text in queries.items()]
    print(f"the answer in the own language first of all: {sum(own) / len(own):.3f} of {len(own)}")


def recall(search: DocumentSearch, queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]]) -> float:
    """Share of the queries whose relevant document, of the one language that is searched, is among the first."""
    found = [any(document in qrels[key] for document, _ in search(text, _K)) for key, text in queries.items()]
    return sum(found) / len(found)


def is_own_first(search: DocumentSearch, text: str, judged: Mapping[str, int]) -> bool:
    """True if the first document is the one that is judged most relevant."""
    ranking = search(text, 1)
    return bool(ranking) and judged.get(ranking[0][0]) == max(judged.values())


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="embeddinggemma-300m")
    parser.add_argument("--queries", type=int, default=100, help="of each language")
    return parser.parse_args()


def _search(corpus: Corpus, embedder: Embedder, ranking: Embedder) -> DocumentSearch:
    made = corpus_collection(Home.default(), corpus, embedder)
    return DocumentSearch(Library(made.home, embedder=ranking), made.name, SearchMode.HYBRID, made.ids_of)


def _queries(data: RetrievalData, language: str, count: int) -> dict[str, str]:
    own = [key for key in data.queries if _language(key) == language]
    return {key: data.queries[key] for key in sample(own, min(count, len(own)))}


def _language(key: str) -> str:
    return key.partition("-")[0]


if __name__ == "__main__":
    main()
