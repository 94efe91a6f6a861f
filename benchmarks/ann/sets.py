"""The sets of vectors and queries, with their ground truth, in the cache; made if they do not exist."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ann.engine import VectorFile
from benchmarks.ann.ours import MADE_QUERIES
from benchmarks.ann.queries import embedded, made_texts, open_embedder, query_texts
from benchmarks.ann.realism import Figures, continued, real_curve
from benchmarks.ann.truth import allowed_ids, exact
from benchmarks.ann.tuning import figures_of, tuned
from benchmarks.ann.vectors import Enlarger, Recipe, read_real, write_set
from benchmarks.ann.worker import CHANGED, Job
from searchkit_indexes import Vectors


@dataclass(frozen=True, slots=True)
class Source:
    """Where real vectors and queries come from."""

    home: Path
    catalogs: Sequence[Path]
    query_files: Sequence[Path]
    query_count: int
    cache: Path


def make_job(source: Source, count: int, engine: str, max_build_minutes: float) -> Job:
    """The job of an engine on the set of `count` vectors, which already exists."""
    vectors = set_file(source, count)
    return Job(
        engine=engine,
        folder="",
        vectors=str(vectors),
        count=count,
        queries=str(vectors.with_suffix(".queries.npy")),
        truth=str(vectors.with_suffix(".truth.npz")),
        filtered_truth=str(vectors.with_suffix(".filtered.npz")),
        max_build_minutes=max_build_minutes,
    )


def set_file(source: Source, count: int) -> Path:
    """The folder of a set. It stays as it is when its collections grow: remove it to have it made again."""
    names = "+".join(catalog.parent.name for catalog in source.catalogs)
    return source.cache / f"{names}-{count}.npy"


def prepare(source: Source, count: int) -> dict[str, Any]:
    """Make the missing parts of a set; return how it was made, and its figures."""
    source.cache.mkdir(parents=True, exist_ok=True)
    file = set_file(source, count)
    if not file.exists():
        embedder = open_embedder(source.home, source.catalogs[0])
        texts = query_texts(source.query_files, source.catalogs, source.query_count)
        queries = embedded(texts, embedder, source.cache)
        np.save(file.with_suffix(".queries.npy"), queries)
        _make(file, read_real(source.catalogs, embedder.info.fingerprint), queries, count)
    made = file.with_suffix(MADE_QUERIES)
    if not made.exists():
        embedder = open_embedder(source.home, source.catalogs[0])
        asked = query_texts(source.query_files, source.catalogs, source.query_count)
        np.save(made, embedded(made_texts(source.catalogs, but_not=asked), embedder, source.cache))
    vectors = VectorFile(file, 0, count)
    if not file.with_suffix(".filtered.npz").exists():
        queries = np.load(file.with_suffix(".queries.npy"))
        exact(vectors, queries).save(file.with_suffix(".truth.npz"))
        exact(vectors, queries, allowed_ids(vectors)).save(file.with_suffix(".filtered.npz"))
    about: dict[str, Any] = json.loads(file.with_suffix(".json").read_text("utf-8"))
    return about


def _make(file: Path, real: Vectors, queries: Vectors, count: int) -> None:
    curve = real_curve(real, queries)
    enlarger = Enlarger(real)
    total = count + CHANGED
    if total <= len(real):
        recipe = Recipe(0, 0, 1)
        figures = figures_of(enlarger, recipe, count, queries)
    else:
        recipe, figures = tuned(enlarger, curve, total, queries)
    about = about_set(min(total, len(real)), recipe, curve, figures)
    write_set(file, enlarger.blocks(recipe, total), total, about)


def about_set(real_count: int, recipe: Recipe, curve: Sequence[Figures], figures: Figures) -> dict[str, Any]:
    """How a set was made, and how real it is, for the results."""
    return {
        "real": real_count,
        "recipe": asdict(recipe),
        "real_curve": [asdict(each) for each in curve],
        "expected": continued(curve, figures.count),
        "figures": asdict(figures),
    }
