"""The weights of a checkpoint, to compare with those of another."""

from pathlib import Path
from typing import Any

import numpy as np


def weights_of(checkpoint: Path) -> dict[str, Any]:
    """Its tensors by file and name."""
    from safetensors.numpy import load_file

    files = sorted(checkpoint.rglob("model.safetensors"))
    return {
        f"{file.relative_to(checkpoint)}/{name}": value for file in files for name, value in load_file(file).items()
    }


def same_weights(one: Path, other: Path, *, atol: float = 0.0) -> bool:
    """True if two checkpoints have the same tensors, to the bit or within `atol`: memory aligned otherwise changes the last bit."""
    first, second = weights_of(one), weights_of(other)
    return first.keys() == second.keys() and all(
        np.allclose(first[name], second[name], rtol=0.0, atol=atol) for name in first
    )


def distance(one: Path, other: Path, base: Path) -> float:
    """The distance of two tuned checkpoints, as a share of the second's distance from its base.

    Two processes differ in the last bit of a product, for their memory is aligned differently; another order of the data, or
    another state of the optimizer, gives tenths.
    """
    first, second, before = weights_of(one), weights_of(other), weights_of(base)
    apart = sum(float(np.square(first[name] - second[name]).sum()) for name in second)
    come = sum(float(np.square(second[name] - before[name]).sum()) for name in second)
    return float(np.sqrt(apart / come))
