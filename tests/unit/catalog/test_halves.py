"""Stored vectors are read as they were written: half precision, widened exactly."""

import numpy as np

from searchkit.catalog.vectors import widened


def test_every_finite_half_is_widened_exactly() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)]

    floats = widened(finite)

    np.testing.assert_array_equal(floats.view(np.uint32), finite.astype(np.float32).view(np.uint32))
