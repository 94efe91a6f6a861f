"""Stored vectors are read as they were written: in halves exactly, in codes as near as their bits allow."""

import numpy as np
import pytest

from searchkit.catalog.vector_codes import as_stored, bytes_of, decoded, encoded, widened
from searchkit.types import Storage
from searchkit_indexes import Vectors

FORMS = pytest.mark.parametrize("storage", Storage)


def directions(count: int, dimension: int, seed: int = 0) -> Vectors:
    """Unit vectors, one of whose components is much larger than the others, as models make them."""
    made = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    made[:, dimension // 3] *= 4
    found: Vectors = made / np.linalg.norm(made, axis=1, keepdims=True)
    return found


def test_every_finite_half_is_widened_exactly() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)]

    floats = widened(finite)

    np.testing.assert_array_equal(floats.view(np.uint32), finite.astype(np.float32).view(np.uint32))


@pytest.mark.parametrize("dimension", [2, 7, 64, 384, 768])
@FORMS
def test_what_is_read_has_the_length_of_1_and_is_written_as_it_was(storage: Storage, dimension: int) -> None:
    vectors = directions(50, dimension)
    stored = encoded(vectors, storage)
    assert {len(each) for each in stored} == {bytes_of(storage, dimension)}
    found = decoded(stored, dimension)
    assert found.shape == vectors.shape
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    assert encoded(found, storage) == stored
    np.testing.assert_array_equal(as_stored(vectors, storage), found)


@pytest.mark.parametrize(("storage", "least"), [("exact", 0.999999), ("standard", 0.9995), ("compact", 0.985)])
def test_a_direction_keeps_what_its_bits_can_say(storage: str, least: float) -> None:
    vectors = directions(500, 768)
    found = as_stored(vectors, Storage(storage))
    cosines = (found * vectors).sum(axis=1) / np.linalg.norm(found, axis=1)
    assert cosines.mean() >= least


def test_of_a_component_that_is_far_larger_than_the_others_4_bits_cut_what_costs_least() -> None:
    """Levels over the whole range would leave one or two of them to all the others."""
    vectors = directions(100, 768)
    whole = np.abs(vectors).max(axis=1, keepdims=True) / 7.5
    plain = np.clip(np.floor(vectors / whole) + 0.5, -7.5, 7.5)
    over_all = (plain * vectors).sum(axis=1) / np.linalg.norm(plain, axis=1)
    found = (as_stored(vectors, Storage.COMPACT) * vectors).sum(axis=1)
    assert (1 - found).mean() < 0.7 * (1 - over_all).mean()


@pytest.mark.parametrize("dimension", [2, 7, 64])
def test_forms_may_be_mixed(dimension: int) -> None:
    vectors = directions(30, dimension)
    forms = [list(Storage)[row % 3] for row in range(30)]
    stored = [encoded(vectors[row : row + 1], form)[0] for row, form in enumerate(forms)]
    for row, form in enumerate(forms):
        np.testing.assert_array_equal(
            decoded(stored, dimension)[row], as_stored(vectors[row : row + 1], form)[0], err_msg=form
        )


@FORMS
def test_nothing_is_neither_divided_by_nor_lost(storage: Storage) -> None:
    zeros = np.zeros((2, 64), np.float32)
    assert np.isfinite(decoded(encoded(zeros, storage), 64)).all()
    assert decoded([], 64).shape == (0, 64)
    assert encoded(np.empty((0, 64), np.float32), storage) == []


@pytest.mark.parametrize("length", [0, 1, 31, 33, 63, 65, 127, 129, 772])
def test_what_has_the_length_of_no_form_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="64 dimensions"):
        decoded([b"x" * length], 64)


@pytest.mark.parametrize("storage", [Storage.STANDARD, Storage.COMPACT])
def test_what_is_no_number_is_near_nothing_that_a_model_makes(storage: Storage) -> None:
    wrong = np.full((3, 64), np.nan, np.float32)
    wrong[1] = np.inf
    found = decoded(encoded(wrong, storage), 64)
    assert np.isfinite(found).all()
    assert np.abs(found @ directions(5, 64).T).max() < 0.9
