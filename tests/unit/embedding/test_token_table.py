"""Static vectors of tokens: small, and near where the checkpoint's are."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from searchkit.embedding.checkpoint import TensorTable
from searchkit.embedding.token_table import STATIC_FILE, TokenTable, write_token_table
from searchkit_indexes import Vectors

TOKENS, WIDTH = 5000, 96


@pytest.fixture
def rows(tmp_path: Path) -> Vectors:
    """Token vectors about a mean of their own that differ in 40 directions."""
    random = np.random.default_rng(5)
    table = random.standard_normal((TOKENS, 40)) @ random.standard_normal((40, WIDTH)) + 3 * random.standard_normal(
        WIDTH
    )
    vectors: Vectors = table.astype(np.float32)
    save_file({"tokens": vectors}, tmp_path / "model.safetensors")
    write_token_table(TensorTable(tmp_path / "model.safetensors", "tokens"), tmp_path)
    return vectors


def test_a_token_takes_64_bytes(rows: Vectors, tmp_path: Path) -> None:
    assert (tmp_path / STATIC_FILE).stat().st_size == 128 + 64 * len(rows)


def test_cosines_are_those_of_the_rows_about_their_mean(rows: Vectors, tmp_path: Path) -> None:
    ids = list(range(0, TOKENS, 50))
    centred = rows[ids] - rows.mean(axis=0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)

    vectors, weights = TokenTable(tmp_path).of(ids)

    assert np.abs(vectors @ vectors.T - units @ units.T).max() < 0.02
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0)
    assert (np.diff(weights) > 0).all()  # later tokens are rarer, and tell more


def test_no_tokens_have_no_vectors(rows: Vectors, tmp_path: Path) -> None:
    assert TokenTable(tmp_path).of([]).vectors.shape == (0, 64)
