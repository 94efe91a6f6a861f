"""nDCG@10 and first-place answers on the judged queries for sample_docs, in every search mode.

Usage: python -m benchmarks.sample_queries [MODEL ...]      (default: the small model)
"""

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.index_folder import REPOSITORY, link_models
from searchkit.evaluate.metrics import ndcg_at
from searchkit.library import Library
from searchkit.train.judged_sets import SAMPLE_DOCS
from searchkit.types import SearchMode

CORPUS = REPOSITORY / "sample_docs"


def main(models: list[str]) -> None:
    """Index the sample documents separately from the user's collections, search, and print a table."""
    judgements = read_judgements()
    lines = (SAMPLE_DOCS / "queries.jsonl").read_text("utf-8").splitlines()
    queries = {query["_id"]: query["text"] for query in map(json.loads, lines)}
    print("| model | mode | nDCG@10 | answered first, of 30 |\n|---|---|---|---|")
    for model in models:
        with tempfile.TemporaryDirectory() as name:
            home = Path(name) / "home"
            link_models(home)
            with Library(home) as library:
                library.index(CORPUS, model=model)
                for mode in SearchMode:
                    rankings = {q: ranked_files(library, text, mode) for q, text in queries.items()}
                    values = [ndcg_at(10, ranking, judgements[q]) for q, ranking in rankings.items()]
                    first = sum(judgements[q].get(ranking[0], 0) == 2 for q, ranking in rankings.items() if ranking)
                    print(f"| {model} | {mode} | {sum(values) / len(values):.3f} | {first} |")


def read_judgements() -> dict[str, dict[str, int]]:
    """Relevance by file, by query."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (SAMPLE_DOCS / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, relevance = line.split("\t")
        found[query][document] = int(relevance)
    return found


def ranked_files(library: Library, query: str, mode: SearchMode) -> list[str]:
    """Files in the order of their best passage."""
    hits = library.search(query, k=50, mode=mode)
    return list(dict.fromkeys(hit.path.relative_to(CORPUS).as_posix() for hit in hits))


if __name__ == "__main__":
    main(sys.argv[1:] or ["all-minilm-l6-v2"])
