"""Provisional vectors: sums of token vectors, and what corrects them."""

from pathlib import Path

import numpy as np
import pytest

from searchkit.embedding import provisional
from searchkit.embedding.embedder import normalized
from searchkit.embedding.model_folder import PROVISIONAL_FILE
from searchkit.embedding.provisional import (
    ProvisionalVectors,
    corrected,
    fitted_correction,
    general_map,
    learn_correction,
    write_token_vectors,
)
from searchkit.types import Passage
from searchkit_indexes import Vectors
from tests.support.guessing_embedder import GuessingEmbedder

TEXTS = ["Knead the dough and bake it.", "Top up the water.", "今日は良い天気です", ""]


class Table:
    """A token table in memory."""

    def __init__(self, values: Vectors) -> None:
        self._values = values
        self.shape = (len(values), values.shape[1])

    def rows(self, wanted: slice | np.ndarray[tuple[int], np.dtype[np.int64]]) -> Vectors:
        """See Table in graph/weights.py."""
        return self._values[wanted]


def random(rows: int, width: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)


@pytest.fixture
def guesser(tmp_path: Path) -> ProvisionalVectors:
    return GuessingEmbedder(tmp_path / "model", TEXTS, {}).guesser


def test_a_guess_is_the_sum_of_the_words_whatever_is_guessed_beside_it(guesser: ProvisionalVectors) -> None:
    passages = [Passage("", text) for text in TEXTS]
    together = guesser.of(passages)
    alone = np.concatenate([guesser.of([passage]) for passage in reversed(passages)])[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    sums = [guesser.of([Passage("", word)])[0] for word in ("Top", "up", "the", "water")]
    assert float(normalized(np.sum(sums, axis=0, keepdims=True))[0] @ together[1]) > 0.999


def test_a_text_without_known_tokens_has_a_guess_of_zeros(guesser: ProvisionalVectors) -> None:
    assert not guesser.of([Passage("", ""), Passage("", "?!")]).any()


def test_a_correction_brings_guesses_of_unseen_passages_nearer() -> None:
    true = normalized(random(600, 32))
    guesses = normalized(true @ random(32, 32, 1) + 0.2 * random(600, 32, 2))
    correction, held_out = fitted_correction(guesses, true)
    assert (corrected(guesses, correction) * true).sum(axis=1).mean() > 0.8
    assert (held_out * true).sum(axis=1).mean() > 0.7 > (guesses * true).sum(axis=1).mean()


def test_a_correction_that_makes_unseen_guesses_worse_is_zeros() -> None:
    true = normalized(random(40, 32))
    guesses = normalized(true + 0.05 * random(40, 32, 1))
    correction, held_out = fitted_correction(guesses, true)
    assert not correction.any()
    np.testing.assert_array_equal(held_out, guesses)
    assert learn_correction(guesses, true).any()


def test_token_vectors_are_those_of_the_map_to_a_hundredth(tmp_path: Path) -> None:
    table = Table(random(300, 24))
    write_token_vectors(table, "unknown", tmp_path)
    stored = np.load(tmp_path / PROVISIONAL_FILE)
    mapping = general_map("unknown", table)
    expected = mapping.of(np.arange(300), provisional.centred(table, np.arange(300)))
    scales = np.ascontiguousarray(stored[:, -2:]).view(np.float16).astype(np.float32)
    found = stored[:, :-2].view(np.int8) * scales
    assert stored.shape == (300, 26)
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


def test_a_family_of_known_size_has_its_own_map() -> None:
    table = Table(np.zeros((30522, 384), np.float32))
    known = general_map("bert", table)
    assert known.weights.shape == (385, provisional.DIMENSION)
    assert known.idf.shape == (30522,)
    assert known.idf[1996] < known.idf[10629], "`the` is more frequent than `kettle`"
