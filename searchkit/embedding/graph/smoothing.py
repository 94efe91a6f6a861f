"""Scales that even out activations before they are quantized, at no cost when the graph runs.

SmoothQuant (Xiao et al. 2022, eq. 4): divide each input channel of a product by s = max|x|^α / max|w|^(1−α) and multiply the
weights' columns by it. The division folds into the weight of the RMSNorm before the product.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
ALPHA = 0.75  # of .5, .7, .75 and .8 the best mean cosine to fp32 on the reference texts
_SMALLEST = 1e-5


def smoothing_scale(largest_input: Floats, weight: Floats) -> Floats:
    """(in,) scales for a product with inputs of the given largest magnitudes and an (out, in) weight; median 1."""
    inputs = np.maximum(largest_input, _SMALLEST)
    weights = np.maximum(np.abs(weight).max(axis=0), _SMALLEST)
    scale = inputs**ALPHA / weights ** (1 - ALPHA)
    scale = scale / np.median(scale)
    return np.asarray(np.clip(scale, 1e-3, 1e3), np.float32)
