"""The nearest-neighbour benchmark's own arithmetic, on a tiny set; no engine is needed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.ann.engine import TooLongError, VectorFile, unit
from benchmarks.ann.realism import continued, measure, real_curve
from benchmarks.ann.report import markdown
from benchmarks.ann.results import Measured, Point, Results
from benchmarks.ann.truth import K, Truth, allowed_ids, exact
from benchmarks.ann.tuning import tuned
from benchmarks.ann.vectors import Enlarger, Recipe, read_real, write_set
from benchmarks.ann.worker import Watched
from searchkit.catalog.connection import open_for_writing
from searchkit.catalog.vectors import put_vectors
from searchkit_indexes import Vectors


@pytest.fixture
def real() -> Vectors:
    """500 vectors of 32 dimensions, which vary in six of them."""
    rng = np.random.default_rng(5)
    return unit(rng.standard_normal((500, 6)) @ rng.standard_normal((6, 32)))


@pytest.fixture
def queries(real: Vectors) -> Vectors:
    return unit(real[:30] + 0.3 * np.random.default_rng(6).standard_normal((30, 32)).astype(np.float32))


@pytest.fixture
def kept(real: Vectors, tmp_path: Path) -> VectorFile:
    write_set(tmp_path / "set.npy", iter([real]), len(real), {"real": 500})
    return VectorFile(tmp_path / "set.npy", 0, len(real))


def test_an_enlarged_set_holds_the_real_vectors_first_and_is_of_unit_length(real: Vectors) -> None:
    made = np.concatenate(list(Enlarger(real).blocks(Recipe(0.5, 0.7, 2), 1300)))
    assert made.shape == (1300, 32)
    assert np.array_equal(made[:500], real)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_a_recipe_makes_the_same_vectors_again(real: Vectors) -> None:
    first, second = (np.concatenate(list(Enlarger(real).blocks(Recipe(0.5, 0.7, 2), 900))) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_set_smaller_than_the_real_one_is_part_of_it(real: Vectors) -> None:
    assert np.array_equal(np.concatenate(list(Enlarger(real).blocks(Recipe(0, 0, 1), 200))), real[:200])


def test_ground_truth_is_what_a_sort_of_all_products_gives(kept: VectorFile, queries: Vectors) -> None:
    truth = exact(kept, queries)
    expected = np.argsort(-(queries @ kept.all().T), axis=1)[:, :K]
    assert np.array_equal(truth.ids[:, :K], expected)
    assert truth.recall(0, expected[0]) == 1
    assert truth.recall(0, expected[0][:3]) == pytest.approx(0.3)


def test_filtered_ground_truth_is_among_what_is_allowed(kept: VectorFile, queries: Vectors) -> None:
    allowed = allowed_ids(kept)
    assert 20 < len(allowed) < 100
    assert np.isin(exact(kept, queries, allowed).ids[:, :K], allowed).all()


def test_what_is_as_near_as_the_tenth_counts_as_found() -> None:
    scores = np.array([[0.9] * 9 + [0.5] * 11], np.float32)
    truth = Truth(np.arange(20)[None], scores)
    assert truth.recall(0, np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 15])) == 1


def test_figures_are_those_of_the_set_without_the_probe_itself(real: Vectors, queries: Vectors) -> None:
    rows = np.array([0, 130, 499])
    figures = measure([real[:100], real[100:350], real[350:]], rows, real[rows], queries)
    others = real[rows] @ real.T
    others[np.arange(3), rows] = -2
    assert figures.count == 500
    assert figures.cosine_1 == pytest.approx(float(others.max(axis=1).mean()), abs=1e-5)
    others[np.arange(3), rows] = 0
    assert figures.second_moment == pytest.approx(float((others**2).sum() / (3 * 499) * 32), rel=1e-3)


def test_the_tuned_set_comes_near_the_continued_curve(real: Vectors, queries: Vectors) -> None:
    curve = real_curve(real, queries, probes=50)
    _, figures = tuned(Enlarger(real), curve, 1500, queries)
    assert figures.count == 1500
    assert 1 - figures.cosine_10 == pytest.approx(1 - continued(curve, 1500)["cosine_10"], rel=0.3)


def test_what_two_collections_share_is_taken_once(tmp_path: Path) -> None:
    apart = unit(np.random.default_rng(8).standard_normal((500, 32)))
    catalogs = [tmp_path / "a.db", tmp_path / "b.db"]
    for catalog, vectors in zip(catalogs, (apart[:300], apart[200:]), strict=True):
        with open_for_writing(catalog) as connection, connection.transaction():
            put_vectors(connection, "model", [b"%d" % row for row in range(300)], vectors)
            put_vectors(connection, "another", [b"0"], vectors[:1])
    assert len(read_real(catalogs, "model")) == 500


def test_building_stops_when_it_would_take_too_long(kept: VectorFile) -> None:
    with pytest.raises(TooLongError, match="est"):
        list(Watched(kept.path, 0, 500, max_seconds=0).batches(100))


def test_the_report_has_a_row_for_every_way_to_search_and_says_what_cannot_be_done(tmp_path: Path) -> None:
    results = Results(tmp_path / "ann.json", {"processor": "some"})
    points = (Point("ef 10", 0.8, 0.1, 0.2, note="no filter"), Point("ef 64", 0.95, 0.3, 0.5, 0.9, 0.4))
    results.put(Measured("graph", 500, build_seconds=1.5, add_seconds=0.2, points=points))
    results.put(Measured("slow", 500, "not built: est. 30 min"))
    text = markdown(results)
    assert "| graph ef 10 | 0.800 | 0.10 | 0.20 | cannot |" in text
    assert "| graph ef 64 | 0.950 |" in text
    assert "not built: est. 30 min" in text
    again = Results(tmp_path / "ann.json", {})
    again.load()
    assert again.measured == results.measured
    assert again.has("slow", 500)
