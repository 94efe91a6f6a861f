"""Weights as small integers: what decoding gives back, and what ONNX Runtime computes with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from searchkit.embedding.graph import quantize
from searchkit.embedding.graph import weights as weights_module
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.quantize import (
    BLOCK,
    Codebook,
    compensated,
    quantize_blocks,
    quantize_columns,
    quantize_rows,
)
from searchkit.embedding.graph.weights import Inputs, Product, Weights
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import open_session
from tests.support.processor import may_saturate

Floats = npt.NDArray[np.float32]
Multiplied = Callable[..., list[Floats]]
INT8, MIXED, INT4, FP32 = Quantization.INT8, Quantization.MIXED, Quantization.INT4, Quantization.FP32
values = st.floats(-1e4, 1e4, width=32, allow_subnormal=False)


def normal(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def uneven_rows(count: int, width: int) -> Floats:
    """Rows and channels of very different size, as in a table of tokens."""
    channels, rows = np.exp(normal(width, seed=1)), np.exp(normal(count, 1, seed=2))
    return normal(count, width) * channels * rows


def signal_to_noise_db(true: Floats, found: Floats) -> float:
    return float(10 * np.log10((true**2).sum() / ((true - found) ** 2).sum()))


def cosine(a: Floats, b: Floats) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


def decoded_rows(codebook: Codebook, rows: Floats) -> Floats:
    return codebook.decode(*codebook.encode(rows))


# 8 bits


@given(matrix=arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=values))
def test_eight_bits_are_half_a_step_off_at_most(matrix: Floats) -> None:
    for codes, scales in (quantize_columns(matrix), quantize_rows(matrix)):
        assert codes.dtype == np.int8
        assert codes.shape == matrix.shape
        assert scales.dtype == np.float32
        assert (scales > 0).all()
        assert codes.min() >= -127  # symmetric: -128 is not used
        assert (np.abs(codes * scales - matrix) <= 0.501 * scales).all()


def test_columns_have_a_scale_each_and_so_do_rows() -> None:
    matrix = np.array([[127, 0.5, 0], [-63.5, -1.27, 0]], np.float32)
    codes, scales = quantize_columns(matrix)
    np.testing.assert_allclose(scales, [1, 0.01, 1])
    np.testing.assert_array_equal(codes, [[127, 50, 0], [-64, -127, 0]])
    codes, scales = quantize_rows(matrix.T)
    np.testing.assert_allclose(scales, [[1.0], [0.01], [1.0]])
    np.testing.assert_array_equal(codes, [[127, -64], [50, -127], [0, 0]])


def test_a_single_huge_value_is_kept_and_spoils_its_own_column_only() -> None:
    matrix = normal(64, 3)
    matrix[5, 1] = -1e30
    codes, scales = quantize_columns(matrix)
    assert codes[5, 1] == -127
    assert codes[5, 1] * scales[1] == pytest.approx(-1e30)
    assert np.count_nonzero(codes[:, 1]) == 1
    assert signal_to_noise_db(matrix[:, ::2], (codes * scales)[:, ::2]) > 40


# A codebook


def test_sixteen_levels_cost_a_hundredth_of_the_power_whatever_the_size_of_row_and_channel() -> None:
    rows = uneven_rows(1000, 96)
    codebook = Codebook.fitted(rows[::4])
    found = decoded_rows(codebook, rows)
    assert signal_to_noise_db(rows / codebook.channels, found / codebook.channels) > 19.5  # Lloyd and Max: 20.2
    by_row = [
        signal_to_noise_db(*pair) for pair in zip(rows / codebook.channels, found / codebook.channels, strict=True)
    ]
    assert min(by_row) > 12
    assert (np.diff(codebook.levels) > 0).all()


def test_a_byte_holds_two_neighbours_the_first_in_its_low_bits() -> None:
    levels = np.linspace(-2, 1.75, 16, dtype=np.float32)
    codebook = Codebook(levels, np.ones(4, np.float32))
    rows = np.array([[-2, 0.5, -0.25, 0], [5, -20, 0, -2.5]], np.float32)
    codes, scales = codebook.encode(rows)
    assert codes.dtype == np.uint8
    assert scales.dtype == np.float16
    np.testing.assert_array_equal(codes, [[0 + 16 * 10, 7 + 16 * 8], [10 + 16 * 0, 8 + 16 * 7]])
    np.testing.assert_allclose(scales, [[1], [10]])
    np.testing.assert_allclose(decoded_rows(codebook, rows), rows)
    pairs = codebook.pairs
    assert pairs.shape == (256, 2)
    assert pairs.dtype == np.float32
    np.testing.assert_array_equal(pairs[0xF0], [-2, 1.75])
    np.testing.assert_array_equal(pairs[0x0F], [1.75, -2])
    np.testing.assert_array_equal(pairs[0x21], [-1.75, -1.5])


def test_rows_and_channels_of_zeros_stay_next_to_nothing() -> None:
    rows = normal(100, 32)
    rows[3], rows[:, 5] = 0, 0
    codebook = Codebook.fitted(rows)
    found = decoded_rows(codebook, rows)
    assert np.abs(found[3]).max() < 1e-3
    assert np.abs(found[:, 5]).max() < 1e-4
    assert signal_to_noise_db(rows, found) > 18
    nothing = np.zeros((10, 32), np.float32)
    np.testing.assert_array_equal(decoded_rows(Codebook.fitted(nothing), nothing), nothing)


# 4 bits in blocks


@st.composite
def block_weights(draw: st.DrawFn) -> Floats:
    """One to three outputs of one to three blocks; some of the blocks zero or far larger than the others."""
    outputs, blocks = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    sizes = draw(arrays(np.float32, (outputs, blocks, 1), elements=st.sampled_from([0.0, 1e-3, 1.0, 300.0])))
    shares = draw(arrays(np.float32, (outputs, blocks, BLOCK), elements=st.floats(-1, 1, width=16)))
    weight: Floats = (shares * sizes).reshape(outputs, -1)
    return weight


@given(weight=block_weights())
def test_four_bits_keep_to_their_bound(weight: Floats) -> None:
    """The error that the first scale tried cannot exceed: a step of the block, and what rounding of its scale adds."""
    blocks = quantize_blocks(weight)
    outputs, count = len(weight), weight.shape[1] // BLOCK
    assert blocks.codes.dtype == np.uint8
    assert blocks.scales.dtype == np.int8
    assert blocks.codes.shape == (outputs, count, BLOCK // 2)
    assert blocks.scales.shape == (outputs, count)
    assert blocks.steps.shape == (outputs,)
    assert (blocks.scales != 0).all()
    assert (blocks.steps > 0).all()
    errors = (blocks.decoded() - weight).reshape(outputs, count, BLOCK)
    largest = np.abs(weight).reshape(errors.shape).max(axis=2)
    bound = largest / 8 + 4.5 * blocks.steps[:, None]
    assert (np.sqrt((errors**2).mean(axis=2)) <= 1.001 * bound).all()


def test_the_low_four_bits_come_first_and_eight_is_zero() -> None:
    weight = np.zeros((2, 2 * BLOCK), np.float32)
    weight[0, :4] = [8, 3, 0, -4]
    weight[1, -2:] = [1, -8]
    blocks = quantize_blocks(weight)
    np.testing.assert_allclose(blocks.decoded(), weight, atol=0.05)
    assert blocks.codes[0, 0, 0] & 15 == 0  # the extreme value, of whichever sign, has the code 0
    assert blocks.codes[0, 0, 1] & 15 == 8
    assert blocks.codes[1, 1, -1] >> 4 == 0
    assert (blocks.codes[0, 1] == 0x88).all()
    assert blocks.scales[0, 0] < 0 < blocks.scales[1, 1]


def test_weights_of_zero_stay_zero() -> None:
    blocks = quantize_blocks(np.zeros((3, 64), np.float32), np.zeros((64, 64), np.float32))
    assert (blocks.scales != 0).all()
    assert (blocks.steps > 0).all()
    assert not blocks.decoded().any()


def test_normal_weights_lose_a_hundredth_of_their_power() -> None:
    weight = normal(48, 160) * np.exp(normal(48, 1, seed=3))
    assert signal_to_noise_db(weight, quantize_blocks(weight).decoded()) > 20.5


def correlated_inputs(count: int, width: int) -> Floats:
    """Inputs that vary in a dozen directions mostly, as a transformer's do."""
    return normal(count, 12, seed=4) @ normal(12, width, seed=5) + 0.1 * normal(count, width, seed=6)


def test_with_a_gram_matrix_the_product_comes_out_nearer_than_by_rounding_to_nearest() -> None:
    weight, inputs = normal(48, 160), correlated_inputs(400, 160)
    rounded, fitted = quantize_blocks(weight), quantize_blocks(weight, inputs.T @ inputs)
    unseen = correlated_inputs(800, 160)[400:]
    for x in (inputs, unseen):
        errors = [np.linalg.norm(x @ (weight - blocks.decoded()).T) for blocks in (rounded, fitted)]
        assert errors[1] < 0.4 * errors[0]
    assert signal_to_noise_db(weight, fitted.decoded()) < signal_to_noise_db(weight, rounded.decoded())


@pytest.mark.parametrize("seed", range(3))
def test_compensated_weights_round_to_what_is_corrected_and_are_no_such_codes_yet(seed: int) -> None:
    weight, inputs = uneven_rows(64, 288)[:, ::-1] + normal(64, 288, seed=seed), correlated_inputs(400, 288)
    weight = np.ascontiguousarray(weight, np.float32)
    fitted = quantize_blocks(weight, inputs.T @ inputs)
    start = compensated(weight, inputs.T @ inputs)
    again = quantize_blocks(start)
    np.testing.assert_array_equal(again.steps, fitted.steps)
    assert (again.codes == fitted.codes).mean() > 0.99
    errors = [
        np.linalg.norm(inputs @ (weight - blocks.decoded()).T) for blocks in (fitted, again, quantize_blocks(weight))
    ]
    assert errors[1] < errors[0] + (errors[2] - errors[0]) / 4
    assert (start != fitted.decoded()).mean() > 0.9


def test_inputs_that_do_not_correlate_change_nothing() -> None:
    weight = normal(16, 96)
    plain, fitted = quantize_blocks(weight), quantize_blocks(weight, np.diag(np.arange(1, 97, dtype=np.float32)))
    np.testing.assert_array_equal(fitted.codes, plain.codes)
    np.testing.assert_array_equal(fitted.scales, plain.scales)


def test_corrections_reach_across_the_columns_that_are_worked_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, inputs = normal(16, 288), correlated_inputs(400, 288)
    gram = inputs.T @ inputs
    usual = quantize_blocks(weight, gram).decoded()
    monkeypatch.setattr(quantize, "_COLUMNS_AT_A_TIME", 288)
    assert np.isclose(usual, quantize_blocks(weight, gram).decoded(), atol=1e-3).mean() > 0.98


# In a graph


@dataclass(frozen=True, slots=True)
class Rows:
    """A table that is at hand."""

    values: Floats

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    def rows(self, wanted: slice | npt.NDArray[np.int64]) -> Floats:
        return self.values[wanted]


@pytest.fixture
def multiplied(tmp_path: Path) -> Multiplied:
    """Products of x (1, tokens, in) as a graph computes them."""

    def run(
        x: Floats,
        products: list[Product],
        quantization: Quantization,
        *,
        even: bool = False,
        observed: Mapping[str, Inputs] | None = None,
    ) -> list[Floats]:
        with GraphBuilder(tmp_path) as graph:
            found = Weights(graph, quantization, observed=observed).products("x", "group", products, even=even)
            outputs = {product.name: y for product, y in zip(products, found, strict=True)}
            graph.save(
                {"x": (np.float32, ["batch", "tokens", "width"])}, {f"y {name}": y for name, y in outputs.items()}
            )
        results: list[Floats] = open_session(tmp_path, 1).run(None, {"x": x})
        return results

    return run


@pytest.mark.parametrize(("quantization", "least"), [(FP32, 0.999999), (INT8, 0.999), (MIXED, 0.999), (INT4, 0.99)])
@pytest.mark.parametrize("even", [False, True])
def test_products_of_one_input_are_near_the_true_ones(
    multiplied: Multiplied, quantization: Quantization, least: float, even: bool
) -> None:
    x = normal(1, 20, 96, seed=7)
    products = [Product("a", normal(64, 96)), Product("b", normal(32, 96, seed=8), 5 * normal(32, seed=9))]
    for y, product in zip(multiplied(x, products, quantization, even=even), products, strict=True):
        true = x @ product.weight.T + (0 if product.bias is None else product.bias)
        assert y.shape == true.shape
        assert cosine(y, true) > least - 0.002 * may_saturate()


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_product_in_four_bits_is_that_of_the_decoded_weights(multiplied: Multiplied, calibrated: bool) -> None:
    weight, x = normal(80, 96) * np.exp(normal(80, 1, seed=3)), correlated_inputs(50, 96)
    inputs = Inputs(np.abs(x).max(axis=0), x.T @ x)
    observed = {"group": inputs} if calibrated else None
    (y,) = multiplied(x[None], [Product("p", weight)], INT4, observed=observed)
    stored = quantize_blocks(weight, inputs.gram if calibrated else None).decoded()
    true = x @ stored.T
    assert cosine(y[0], true) > 0.9995
    assert min(cosine(*pair) for pair in zip(y[0], true, strict=True)) > 0.999
    other = x @ quantize_blocks(weight, None if calibrated else inputs.gram).decoded().T
    assert np.linalg.norm(y[0] - true) < np.linalg.norm(y[0] - other)


def token_errors(y: Floats, true: Floats) -> Floats:
    """The error of each token, as a share of its length."""
    errors: Floats = np.linalg.norm(y - true, axis=-1) / np.linalg.norm(true, axis=-1)
    return errors


@pytest.mark.parametrize("quantization", [INT8, MIXED])
def test_tokens_of_very_different_size_are_all_exact_once_they_are_evened(
    multiplied: Multiplied, quantization: Quantization
) -> None:
    x, weight = normal(1, 24, 96, seed=7), normal(64, 96)
    x *= np.logspace(-4, 3, 24)[:, None]
    x[0, 1::2] = -np.abs(x[0, 1::2])
    true = x @ weight.T
    products = [Product("p", weight)]
    errors = token_errors(multiplied(x, products, quantization, even=True)[0], true)
    assert errors.max() < (0.1 if may_saturate() else 0.02)
    uneven = token_errors(multiplied(x, products, quantization)[0], true)
    assert uneven[0, -1] < (0.1 if may_saturate() else 0.02)
    assert uneven[0, :12].min() > 0.9  # smaller than the step of the largest


def test_a_token_of_zeros_among_others_stays_zero(multiplied: Multiplied) -> None:
    x = normal(1, 4, 64)
    x[0, 2] = 0
    bias = normal(32, seed=9)
    (y,) = multiplied(x, [Product("p", normal(32, 64), bias)], INT8, even=True)
    np.testing.assert_allclose(y[0, 2], bias, atol=1e-6)
    assert np.isfinite(y).all()


@pytest.mark.parametrize(("quantization", "least_db"), [(FP32, 120), (INT8, 36), (MIXED, 18), (INT4, 18)])
def test_rows_that_are_looked_up_are_those_of_the_table_times_the_factor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantization: Quantization, least_db: float
) -> None:
    monkeypatch.setattr(weights_module, "_ROWS_AT_A_TIME", 128)
    table = uneven_rows(300, 64)
    ids = np.array([[0, 1, 127, 128, 129], [255, 256, 299, 5, 5]])
    with GraphBuilder(tmp_path) as graph:
        rows = Weights(graph, quantization).lookup("ids", "table", Rows(table), factor=2.5)
        graph.save({"ids": (np.int64, ["batch", "tokens"])}, {"rows": rows})
    (found,) = open_session(tmp_path, 1).run(None, {"ids": ids})
    true = 2.5 * table[ids]
    assert found.shape == true.shape
    if quantization is FP32:
        np.testing.assert_array_equal(found, true)
    else:
        assert min(signal_to_noise_db(*pair) for pair in zip(true[0], found[0], strict=True)) > least_db - 4
        assert signal_to_noise_db(true, found) > least_db


def test_a_graph_for_few_tokens_holds_their_rows_only(tmp_path: Path) -> None:
    table, tokens = normal(300, 64), np.array([3, 40, 299])
    with GraphBuilder(tmp_path) as graph:
        rows = Weights(graph, FP32, tokens=tokens).lookup("ids", "table", Rows(table))
        graph.save({"ids": (np.int64, ["batch", "tokens"])}, {"rows": rows})
    (found,) = open_session(tmp_path, 1).run(None, {"ids": np.array([[2, 0]])})
    np.testing.assert_array_equal(found[0], table[[299, 3]])
    assert (tmp_path / "weights.bin").stat().st_size == 3 * 64 * 4
