"""Compares search by words in SQLite and in PostgreSQL on judged sets: nDCG@10, and how many queries have another first ten.

Usage: python -m benchmarks.both_homes postgresql://USER@HOST/DATABASE FOLDER…

Each FOLDER is in BEIR's layout. Its documents become files, which are indexed into both homes under the name eval-FOLDER; the
schema in the database stays until it is dropped. No model is needed: only words are searched.
"""

import sys
import tempfile
import time
from pathlib import Path

from searchkit.evaluate.beir import RetrievalData, read_beir
from searchkit.evaluate.metrics import Metric, Ranking, score_rankings
from searchkit.library import Library
from searchkit.types import SearchMode
from tests.support.hash_embedder import HashEmbedder

_DEPTH = 30  # passages, which leave ten documents


def main(url: str, *folders: str) -> None:
    """Print a line for each set and home, and one for what differs."""
    for folder in map(Path, folders):
        data = read_beir(folder, "test")
        with tempfile.TemporaryDirectory() as place:
            rankings = [compared(Path(place), data, to, folder.name) for to in ("", url)]
        others = sum(rankings[0][query] != rankings[1][query] for query in rankings[0])
        print(f"{folder.name}: {others} of {len(rankings[0])} queries have another first ten")


def compared(place: Path, data: RetrievalData, to: str, name: str) -> dict[str, Ranking]:
    """The first ten documents of each query in one home, after their nDCG@10 and times were printed."""
    files = {f"zqx{number}.txt": key for number, key in enumerate(data.documents)}
    documents = place / "documents"
    documents.mkdir(exist_ok=True)
    for file, key in files.items():
        document = data.documents[key]
        (documents / file).write_text(f"{document.title}\n\n{document.text}", encoding="utf-8")
    collection = f"eval-{name}"
    found: dict[str, Ranking] = {}
    with Library(place / ("database" if to else "here"), embedder=HashEmbedder()) as library:
        library.index(documents, collection=collection, to=to)
        library.search("warm up", mode=SearchMode.LEXICAL)
        begun = time.perf_counter()
        for query in data.qrels:
            hits = library.search(data.queries[query], k=_DEPTH, mode=SearchMode.LEXICAL)
            ids = list(dict.fromkeys(files[hit.path.name] for hit in hits))[:10]
            found[query] = [(key, float(-rank)) for rank, key in enumerate(ids)]
        elapsed_ms = (time.perf_counter() - begun) / len(found) * 1000
    scores = score_rankings(found, data.qrels)
    quality = scores.values[Metric.NDCG_10].mean()
    print(f"{name}: {'PostgreSQL' if to else 'SQLite'} nDCG@10 {quality:.4f}, {elapsed_ms:.0f} ms a search")
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
