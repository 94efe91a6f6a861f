"""Keeps a quantized graph close to its own floats: compares their vectors, and leaves costly products in floats.

Which products cost too much depends on the checkpoint: a channel with values far above the others' takes all the steps of the
scale that it shares with them. The estimate from the observed inputs only orders the candidates; vectors decide.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchkit.embedding.calibrate import TokenIds
from searchkit.embedding.embedder import normalized
from searchkit.embedding.graph.encoder import INPUT_IDS
from searchkit.embedding.model_info import CLOSE_ENOUGH, Fidelity
from searchkit.embedding.onnx_embedder import open_session, usable_cores
from searchkit_indexes import Vectors

_MOST_FLOATS = 6  # groups of products; more would cost most of what 8 bits save
_WORTH = 0.8  # the least share of the missing cosine that they must bring if they do not bring all

# Writes the graph with some groups of products in floats; returns the relative noise of each group in 8 bits.
WriteGraph = Callable[[Sequence[str]], Mapping[str, float]]


def write_close_graph(
    write: WriteGraph, folder: Path, texts: Sequence[TokenIds], exact: Vectors, *, may_use_floats: bool
) -> Fidelity:
    """Write a quantized graph into `folder` with as few groups of products in floats as its vectors allow.

    `exact`: (texts, dimension), the vectors in floats. None are in floats if the vectors are close enough; none either if
    those with the most noise do not help, or the quantization does not mix with floats.
    """
    noise = write(())
    first = found = _compare(folder, texts, exact)
    if may_use_floats and not first.is_enough:
        costly = sorted(noise, key=lambda group: -noise[group])[:_MOST_FLOATS]
        for count in range(1, len(costly) + 1):
            write(costly[:count])
            found = _compare(folder, texts, exact, costly[:count])
            if found.is_enough:
                return found
        if found.mean_cosine - first.mean_cosine < _WORTH * (CLOSE_ENOUGH - first.mean_cosine):
            write(())
            return first
    return found


def _compare(folder: Path, texts: Sequence[TokenIds], exact: Vectors, floats: Sequence[str] = ()) -> Fidelity:
    session = open_session(folder, usable_cores())
    found: list[npt.NDArray[np.float32]] = [
        session.run(None, {INPUT_IDS: np.array([ids], np.int64)})[0][0] for ids in texts
    ]
    del session  # its files are mapped, and may be written again
    cosines = (normalized(np.stack(found)) * normalized(exact)).sum(axis=1)
    return Fidelity(round(float(cosines.mean()), 5), round(float(cosines.min()), 5), tuple(floats))
