"""Rounds floats to small integers: 8 bits with a scale per channel, 4 bits with a scale per block or with a codebook."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.errors import UnsupportedCheckpointError

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.float16]
BLOCK = 32  # weights that share a 4-bit scale
LARGEST = 127  # of the codes in 8 bits, which are symmetric
_DAMPING = 0.01  # of the mean diagonal; Frantar et al. 2022 use the same
_COLUMNS_AT_A_TIME = 128
BLOCK_ROOM = 1.25  # headroom: corrections may enlarge a block's largest weight
BLOCK_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)  # of a block's extreme value that its scale may reach
_SMALLEST_SHARE = 1e-3  # of the largest channel's scale: a channel that is empty in the sample may be used elsewhere
_LARGEST_HALF = 65504.0
_LEVELS = 16
_CODEBOOK_ROUNDS = 40
_ALPHA = 0.75  # of .5, .7, .75 and .8 the best mean cosine to fp32 on the reference texts
_SMALLEST_MAGNITUDE = 1e-5


def smoothing_scale(largest_input: Floats, weight: Floats) -> Floats:
    """Compute (in,) scales for a product with inputs of the given largest magnitudes and an (out, in) weight; median 1.

    They even out activations before quantization, at no cost at run time. SmoothQuant (Xiao et al. 2022, eq. 4):
    each input channel of a product is divided by s = max|x|^α / max|w|^(1−α), and the weights' columns are multiplied by it.
    The division folds into the weight of the RMSNorm before the product.
    """
    inputs = np.maximum(largest_input, _SMALLEST_MAGNITUDE)
    weights = np.maximum(np.abs(weight).max(axis=0), _SMALLEST_MAGNITUDE)
    scale = inputs**_ALPHA / weights ** (1 - _ALPHA)
    scale = scale / np.median(scale)
    return np.asarray(np.clip(scale, 1e-3, 1e3), np.float32)


def quantize_columns(weight: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Quantize (in, out) weights to codes of the same shape and (out,) scales: weight ≈ codes · scales."""
    scales = _steps(np.abs(weight).max(axis=0))
    return _codes(weight / scales), scales


def quantize_rows(table: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int8], Floats]:
    """Quantize (rows, width) values to codes of the same shape and (rows, 1) scales."""
    rows = np.asarray(table, np.float32)
    scales = _steps(np.abs(rows).max(axis=1, keepdims=True))
    return _codes(rows / scales), scales


def quantize_bytes(weight: Floats) -> tuple[Bytes, Floats]:
    """Quantize (out, in) weights to codes, (out, in/32, 32), and (out · in/32,) scales: weight ≈ (code - 128) · scale.

    The number of inputs need not be a multiple of 32: the last block is filled up with zeros.
    """
    outputs, inputs = weight.shape
    padded = np.pad(weight, ((0, 0), (0, -inputs % BLOCK))).reshape(outputs, -1, BLOCK)
    scales = _steps(np.abs(padded).max(axis=2))
    codes = (_codes(padded / scales[:, :, None]).astype(np.int16) + 128).astype(np.uint8)
    return codes, scales.ravel()


@dataclass(frozen=True, slots=True)
class Blocks:
    """The 4-bit form of (out, in) weights: weight ≈ (code - 8) · scale · step.

    `codes`: packed, (out, in/32, 16); `scales`: (out, in/32), never 0; `steps`: (out,).
    """

    codes: Bytes
    scales: npt.NDArray[np.int8]
    steps: Floats

    def of_rows(self, rows: slice) -> "Blocks":
        """Select some of the outputs."""
        return Blocks(self.codes[rows], self.scales[rows], self.steps[rows])

    def decoded(self) -> Floats:
        """Decode the weights, (out, in)."""
        codes = np.stack([self.codes & 15, self.codes >> 4], axis=-1).reshape(*self.scales.shape, BLOCK)
        scales = self.scales.astype(np.float32) * self.steps[:, None]
        floats: Floats = (codes.astype(np.float32) - 8) * scales[:, :, None]
        return floats.reshape(len(self.steps), -1)


def quantize_blocks(weight: Floats, gram: Floats | None = None) -> Blocks:
    """Quantize (out, in) weights in blocks of 32 inputs.

    With the Gram matrix xᵀx of the product's inputs, later columns compensate the rounding error of earlier ones (GPTQ,
    Frantar et al. 2022, arXiv 2210.17323).

    Raises UnsupportedCheckpointError if the number of inputs is not a multiple of 32.
    """
    return _blocks(weight, gram)[0]


def compensated(weight: Floats, gram: Floats) -> Floats:
    """Compute (out, in) weights that round to what GPTQ rounds to, without a Gram matrix: but for a thousandth of the codes.

    They are halfway between GPTQ's result and what it rounded, each column with what compensates the errors before it, so that
    training can still move them to a neighbouring code. What scales are chosen by, a row's and each block's extreme value, is
    that which GPTQ's were chosen by.
    """
    blocks, seen, beginning = _blocks(weight, gram)
    exact = blocks.decoded()
    halves = np.abs(blocks.scales * blocks.steps[:, None]).repeat(BLOCK, axis=1) / 2  # of a step between two codes
    found = exact + np.clip(seen - exact, -halves, halves) / 2
    by_block, origin = found.reshape(len(found), -1, BLOCK), beginning.reshape(len(found), -1, BLOCK)
    extreme = np.abs(origin).argmax(axis=2)[:, :, None]
    np.put_along_axis(by_block, extreme, np.take_along_axis(origin, extreme, axis=2), axis=2)
    found = by_block.reshape(weight.shape)
    largest = np.abs(weight).argmax(axis=1)[:, None]
    limit = np.abs(np.take_along_axis(weight, largest, axis=1))
    found = np.clip(found, -limit, limit)
    np.put_along_axis(found, largest, np.take_along_axis(weight, largest, axis=1), axis=1)
    return np.ascontiguousarray(found, np.float32)


def _blocks(weight: Floats, gram: Floats | None) -> tuple[Blocks, Floats, Floats]:
    """The 4-bit form; the weights at the moment that each was rounded, and at that when the scale of its block was chosen."""
    check_blocks(weight.shape[1])
    columns = np.array(weight.T, np.float32, order="C")  # (in, out): a step works on one contiguous row
    width = len(columns)
    correction = np.zeros((width, width), np.float32) if gram is None else _correction(gram)
    steps = _steps(np.abs(columns).max(axis=0) / 8 * BLOCK_ROOM)
    codes, beginning = np.empty(columns.shape, np.uint8), np.empty_like(columns)
    scales = np.empty((width // BLOCK, columns.shape[1]), np.int8)
    for start in range(0, width, _COLUMNS_AT_A_TIME):
        end = min(start + _COLUMNS_AT_A_TIME, width)
        errors = np.empty((end - start, columns.shape[1]), np.float32)
        for i in range(start, end):
            if i % BLOCK == 0:
                beginning[i : i + BLOCK] = columns[i : i + BLOCK]
                scales[i // BLOCK] = _block_scales(columns[i : i + BLOCK], steps)
            scale = scales[i // BLOCK] * steps
            codes[i] = np.clip(np.rint(columns[i] / scale) + 8, 0, 15)
            errors[i - start] = columns[i] - (codes[i].astype(np.float32) - 8) * scale
            columns[i + 1 : end] -= correction[i, i + 1 : end, None] * errors[i - start]
        columns[end:] -= correction[start:end, end:].T @ errors
    by_block = codes.T.reshape(weight.shape[0], width // BLOCK, BLOCK)
    return Blocks(_packed(by_block), np.ascontiguousarray(scales.T), steps), columns.T, beginning.T


def check_blocks(inputs: int) -> None:
    """Raise UnsupportedCheckpointError unless a product with so many inputs can be stored in blocks of 32."""
    if inputs % BLOCK:
        raise UnsupportedCheckpointError(
            f"In int4 {BLOCK} inputs share a scale, and the checkpoint has products with {inputs} inputs.",
            remedy="Take int8 or mixed.",
        )


@dataclass(frozen=True, slots=True)
class Codebook:
    """A codebook of 16 levels, with a scale for each of `width` channels; each row has a scale too."""

    levels: Floats
    channels: Floats

    @classmethod
    def fitted(cls, rows: Floats) -> "Codebook":
        """Fit levels and scales to a sample of a table's rows (Lloyd 1982, with equal weights)."""
        channels = np.sqrt((rows**2).mean(axis=0)).astype(np.float32)
        channels = channels.clip(max(float(channels.max()) * _SMALLEST_SHARE, 1e-12))
        even = rows / channels
        values = (even / _row_lengths(even)).ravel()
        levels = np.quantile(values, (np.arange(_LEVELS) + 0.5) / _LEVELS)
        for _ in range(_CODEBOOK_ROUNDS):
            nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
            count = np.bincount(nearest, minlength=_LEVELS)
            total = np.bincount(nearest, values, minlength=_LEVELS)
            levels = np.where(count > 0, total / np.maximum(count, 1), levels)
        return cls(levels.astype(np.float32), channels)

    def encode(self, rows: Floats) -> tuple[Bytes, Halves]:
        """Encode rows to packed codes (rows, width/2), two per byte, the first in the low bits, and scales (rows, 1)."""
        even = rows / self.channels
        between = (self.levels[1:] + self.levels[:-1]) / 2
        scales = _row_lengths(even)
        for _ in range(2):  # alternate between the best scale for the codes and the best codes for the scale
            values = self.levels[np.searchsorted(between, even / scales)]
            fitted = (even * values).sum(axis=1, keepdims=True) / np.maximum(
                (values**2).sum(axis=1, keepdims=True), 1e-12
            )
            scales = np.where(fitted > 0, fitted, scales)
        stored = scales.clip(max=_LARGEST_HALF).astype(np.float16)
        codes = np.searchsorted(between, even / stored.astype(np.float32)).astype(np.uint8)
        return _packed(codes), stored

    def decode(self, codes: Bytes, scales: Halves) -> Floats:
        """Decode rows, (rows, width), that `encode` has encoded."""
        values = self.pairs[codes].reshape(len(codes), -1)
        rows: Floats = values * scales.astype(np.float32) * self.channels
        return rows

    @property
    def pairs(self) -> Floats:
        """The two levels of each packed byte: (256, 2)."""
        byte = np.arange(256)
        return np.stack([self.levels[byte & 15], self.levels[byte >> 4]], axis=1).astype(np.float32)


def _packed(codes: Bytes) -> Bytes:
    """Pack 4-bit codes two per byte, the first of each pair in the low bits."""
    return (codes[..., 0::2] | (codes[..., 1::2] << 4)).astype(np.uint8)


def _row_lengths(rows: Floats) -> Floats:
    lengths: Floats = np.sqrt((rows**2).mean(axis=1, keepdims=True)).clip(6e-5).astype(np.float32)
    return lengths


def _steps(largest: Floats) -> Floats:
    """Compute the step that maps the largest magnitude to the largest code; 1 where everything is zero."""
    steps = (largest / LARGEST).astype(np.float32)
    return np.where(steps == 0, 1, steps).astype(np.float32)


def _codes(scaled: Floats) -> npt.NDArray[np.int8]:
    return np.clip(np.rint(scaled), -LARGEST, LARGEST).astype(np.int8)


def _block_scales(block: Floats, steps: Floats) -> npt.NDArray[np.int8]:
    """Choose the scale of each column of (32, n) weights by squared error. The extreme value gets code 0."""
    extreme = np.take_along_axis(block, np.abs(block).argmax(axis=0)[None], axis=0)[0]
    best = np.full(block.shape[1], np.inf, np.float32)
    scales = np.ones(block.shape[1], np.int8)
    for share in BLOCK_SHARES:
        rounded = _codes(extreme * share / -8 / steps)
        candidate = np.where(rounded == 0, 1, rounded).astype(np.int8)
        scale = candidate * steps
        error = ((np.clip(np.rint(block / scale), -8, 7) * scale - block) ** 2).sum(axis=0)
        better = error < best
        best[better], scales[better] = error[better], candidate[better]
    return scales


def _correction(gram: Floats) -> Floats:
    """Compute an (in, in) matrix; row i is the share of column i's error that each later column compensates."""
    hessian = gram.astype(np.float64)
    hessian[np.diag_indices_from(hessian)] += _DAMPING * hessian.diagonal().mean() + 1e-12
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    return (upper / upper.diagonal()[:, None]).astype(np.float32)
