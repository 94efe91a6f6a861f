"""The candidates that an approximate index needs, before and after a matrix, on generated vectors."""

import numpy as np
import pytest

from searchkit.embedding.embedder import normalized
from searchkit.train.effort import (
    EFFORT_LOSS,
    GOAL,
    Effort,
    EffortPoint,
    RecallCurve,
    compare_effort,
    effort_at,
    effort_ratio,
    recall_curve,
)
from searchkit.train.gate import judge
from searchkit_indexes import Code, IndexSpec, Structure, Vectors

DIMENSION = 128
RABITQ = IndexSpec(Structure.RABITQ, Code.BIT1, DIMENSION)


def clustered(count: int, seed: int = 0) -> Vectors:
    """Unit vectors that vary in eight directions, and a little in all, as those of texts do."""
    directions = np.random.default_rng(7).standard_normal((8, DIMENSION))
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((count, 8)) @ directions + 0.3 * rng.standard_normal((count, DIMENSION))
    return normalized(made.astype(np.float32))


def test_the_effort_for_a_recall_lies_between_measured_ones() -> None:
    efforts = np.array([100.0, 400.0, 1600.0])
    assert effort_at(efforts, np.array([0.8, 0.9, 1.0]), 0.95) == pytest.approx(800)
    assert effort_at(efforts, np.array([0.97, 0.98, 1.0]), 0.95) == 100
    assert effort_at(efforts, np.array([0.8, 0.9, 0.94]), 0.95) == float("inf")
    assert effort_at(efforts, np.array([0.9, 0.8, 1.0]), 0.95) == pytest.approx(800)


def test_half_the_effort_is_a_ratio_of_a_half_with_a_narrow_interval() -> None:
    rng = np.random.default_rng(0)
    recall = np.stack([rng.binomial(10, share, 300) / 10 for share in (0.8, 0.93, 0.99)])
    base = RecallCurve(np.array([100.0, 200.0, 400.0]), recall)
    ratio = effort_ratio(RecallCurve(base.efforts / 2, recall), base, 0.95)
    assert ratio.value == pytest.approx(0.5)
    assert ratio.low == pytest.approx(0.5, abs=1e-6)
    never = effort_ratio(RecallCurve(base.efforts, recall * 0.5), base, 0.95)
    assert np.isnan(never.value)


def test_the_identity_needs_as_many_candidates_as_before() -> None:
    effort = compare_effort(RABITQ, clustered(60, 1), clustered(2000), np.eye(DIMENSION, dtype=np.float32))
    assert effort is not None
    assert effort.ratio == pytest.approx(1)
    assert (effort.low, effort.high) == pytest.approx((1, 1))
    assert effort.needed_before == effort.needed_after
    assert not effort.is_too_much
    recalls = [point.recall_after for point in effort.points]
    assert recalls == sorted(recalls)
    assert recalls[-1] > GOAL


def test_a_matrix_that_flattens_vectors_needs_more_and_is_too_much() -> None:
    """One bit a component says little where nearly all of the length is in a few of them."""
    flat = np.diag(np.where(np.arange(DIMENSION) < 6, 1.0, 0.02)).astype(np.float32)
    effort = compare_effort(RABITQ, clustered(60, 1), clustered(2000), flat)
    assert effort is not None
    assert effort.is_too_much
    verdict = judge([], [], effort)
    assert not verdict.passed
    assert "candidates" in verdict.reason


@pytest.mark.parametrize(
    "spec",
    [
        IndexSpec(Structure.IVF, Code.BIT1, DIMENSION),
        IndexSpec(Structure.HNSW, Code.INT8, DIMENSION),
        IndexSpec(Structure.RABITQ, Code.BIT4, DIMENSION // 2),
    ],
    ids=str,
)
def test_every_approximate_index_has_a_curve_that_rises(spec: IndexSpec) -> None:
    curve = recall_curve(spec, clustered(40, 1), clustered(1500))
    means = curve.recalls.mean(axis=1)
    assert means[-1] > 0.9
    assert means[-1] >= means[0]
    assert curve.efforts.tolist() == sorted(set(curve.efforts.tolist()))


def test_exact_search_and_collections_of_nothing_are_not_compared() -> None:
    identity = np.eye(DIMENSION, dtype=np.float32)
    exact = IndexSpec(Structure.FLAT, Code.FLOAT32, DIMENSION)
    assert compare_effort(exact, clustered(9), clustered(500), identity) is None
    assert compare_effort(RABITQ, clustered(9), clustered(500)[:5], identity) is None
    assert compare_effort(RABITQ, clustered(9)[:0], clustered(500), identity) is None


def test_a_small_collection_has_no_more_candidates_than_passages() -> None:
    curve = recall_curve(RABITQ, clustered(9, 1), clustered(60))
    assert curve.efforts[-1] == 60
    assert curve.recalls[-1].mean() == 1


def test_what_needs_hardly_more_passes_and_what_no_longer_reaches_the_recall_does_not() -> None:
    def effort(after: float | None, low: float | None) -> Effort:
        return Effort("rabitq-1bit-768", 9, 9, (), 40.0, after, low, low, low)

    assert not effort(44.0, 1.1).is_too_much
    assert effort(60.0, EFFORT_LOSS + 0.1).is_too_much
    assert effort(None, None).is_too_much
    assert judge([], [], effort(30.0, 0.75)).passed


def test_where_the_recall_was_not_reached_before_it_may_hardly_fall() -> None:
    def effort(after: float) -> Effort:
        return Effort("ivf-1bit-128", 9, 9, (EffortPoint(320, 0.9, after),), None, None, None, None, None)

    assert not effort(0.89).is_too_much
    assert effort(0.87).is_too_much
