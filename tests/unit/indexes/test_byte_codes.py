"""Vectors in bytes are compared as the floats that they stand for."""

from pathlib import Path

import numpy as np
import pytest

from searchkit_indexes import ByteCodes, Vectors
from searchkit_indexes.flat import FloatCodes

COUNT, DIMENSION = 1500, 96


def made(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    found: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


@pytest.fixture
def codes() -> ByteCodes:
    return ByteCodes(np.empty((0, DIMENSION), np.int8)).with_more(made(COUNT, 0))


@pytest.fixture
def floats(codes: ByteCodes, tmp_path: Path) -> FloatCodes:
    """What the codes stand for."""
    codes.save(tmp_path)
    return FloatCodes.load(tmp_path, DIMENSION)


@pytest.mark.parametrize("share", [None, 0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("k", [1, 10, COUNT, 2 * COUNT])
def test_they_find_what_floats_find(codes: ByteCodes, floats: FloatCodes, share: float | None, k: int) -> None:
    allowed = None if share is None else np.random.default_rng(1).random(COUNT) < share
    found, scores = codes.search(made(5, 2), k, allowed)
    true, true_scores = floats.search(made(5, 2), k, allowed)
    assert found.shape == true.shape
    np.testing.assert_allclose(scores, true_scores, atol=1e-6)
    assert (found == true).mean() > 0.99 if found.size else True  # of equal scores either may come first


def test_they_are_near_what_was_given(codes: ByteCodes) -> None:
    given = made(COUNT, 0)
    found, scores = codes.search(given[:20], 1, None)
    assert found[:, 0].tolist() == list(range(20))
    assert np.abs(scores - 1).max() < 1e-4
    assert codes.memory_bytes == COUNT * (DIMENSION + 4)


def test_they_can_be_added_and_removed(codes: ByteCodes) -> None:
    more = codes.with_more(made(3, 7))
    assert len(more) == COUNT + 3
    assert more.search(made(3, 7), 1, None)[0][:, 0].tolist() == [COUNT, COUNT + 1, COUNT + 2]
    kept = more.only(np.arange(1000, COUNT + 3))
    assert kept.search(made(3, 7), 1, None)[0][:, 0].tolist() == [500, 501, 502]


def test_a_row_of_zeros_is_near_nothing() -> None:
    codes = ByteCodes(np.zeros((2, DIMENSION), np.int8)).with_more(made(1, 0))
    found, scores = codes.search(made(1, 0), 3, None)
    assert found[0].tolist() == [2, 0, 1]
    assert scores[0, 1:].tolist() == [0, 0]
