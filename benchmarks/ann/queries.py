"""Query vectors: questions from files, and headings of the collections themselves, under the model's query prompt."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.ann.vectors import open_catalog
from searchkit.catalog.meta import MODEL
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.store import ModelStore
from searchkit.index_store.build import synthetic_query_texts
from searchkit_indexes import Vectors

_LEAST_WORDS = 3  # "Examples" is not a query
_BETWEEN_HEADINGS = " › "


def open_embedder(home: Path, catalog: Path) -> Embedder:
    """The model that a collection was built with."""
    with open_catalog(catalog) as connection:
        name = connection.meta(MODEL)
    return ModelStore(home / "models").open(name or "")


def query_texts(files: Sequence[Path], catalogs: Sequence[Path], count: int, seed: int = 0) -> list[str]:
    """Questions from the files, half of `count` at most, and headings for the rest."""
    rng = np.random.default_rng(seed)
    questions = [json.loads(line)["text"] for file in files for line in file.read_text("utf-8").splitlines() if line]
    headings = sorted({heading for catalog in catalogs for heading in _headings(catalog)})
    chosen = _some(rng, sorted(set(questions)), count // 2 if headings else count)
    return chosen + _some(rng, headings, count - len(chosen))


def made_texts(catalogs: Sequence[Path], *, but_not: Sequence[str]) -> list[str]:
    """The queries with which searchkit would measure an index of these collections, without those of the benchmark."""
    texts: list[str] = []
    for catalog in catalogs:
        with open_catalog(catalog) as connection:
            texts += synthetic_query_texts(connection)
    return [text for text in dict.fromkeys(texts) if text not in set(but_not)]


def _headings(catalog: Path) -> set[str]:
    """Last parts of the titles of passages that have a vector."""
    with open_catalog(catalog) as connection:
        titles = connection.execute(
            "SELECT DISTINCT title FROM chunks WHERE content_hash IN (SELECT content_hash FROM vectors)"
        ).fetchall()
    headings = {title.split(_BETWEEN_HEADINGS)[-1].strip() for (title,) in titles}
    return {heading for heading in headings if len(heading.split()) >= _LEAST_WORDS}


def _some(rng: np.random.Generator, texts: list[str], count: int) -> list[str]:
    return [texts[i] for i in rng.permutation(len(texts))[:count]]


def embedded(texts: Sequence[str], embedder: Embedder, cache: Path) -> Vectors:
    """(n, dimension); embedded once for the same texts and model."""
    key = hashlib.sha256("\0".join([embedder.info.fingerprint, *texts]).encode()).hexdigest()[:12]
    file = cache / f"queries-{key}.npy"
    if not file.exists():
        np.save(file, embedder.embed_queries(texts))
        file.with_suffix(".json").write_text(json.dumps(list(texts), ensure_ascii=False, indent=1), "utf-8")
    vectors: Vectors = np.load(file)
    return vectors
