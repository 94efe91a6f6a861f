"""Fits a student's head to its teacher in closed form: the linear map that brings pooled states nearest to the teacher's vectors.

A ridge regression, drawn towards the head that the student has if that speaks the teacher's language, else towards zero. How
strongly is decided by leaving each text out once, which has a closed form too. Pooled states are kept on the disk, so that a
run that is stopped computes only what is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from searchkit.files import make_private_folder
from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.caching import Embedding, Feature
from searchkit.train.options import writing_to
from searchkit_indexes import Vectors

_AT_ONCE = 128  # texts in a file
_STRENGTHS = 10.0 ** np.arange(-6, 3.5, 0.5)  # of the ridge, as shares of the states' mean square
_HEADS = ("Dense", "Normalize")
Floats = npt.NDArray[np.float64]


class PooledStates(Embedding):
    """Embeds texts up to pooling: (n, width) states, not of unit length, before any head."""

    def vectors(self, part: Feature) -> Tensor:
        """See Embedding, without the head."""
        features: dict[str, Any] = dict(part)
        with self.precision():
            for module in self.network:
                if type(module).__name__ in _HEADS:
                    break
                features = module(features)
        states: Tensor = features["sentence_embedding"].float()
        return states


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted head, (dimension, width). `strength`: of the ridge; `error`: mean squared distance of texts that were left out."""

    head: Vectors
    strength: float
    error: float


def pooled_states(
    embedding: PooledStates, texts: Sequence[str], folder: Path, on_progress: ProgressListener
) -> Vectors:
    """Compute the states of texts, (n, width), or read those that are in the folder, which must be of the same texts.

    Raises TrainingError if they cannot be written.
    """
    order = np.argsort(
        [-len(text) for text in texts], kind="stable"
    )  # texts of one length waste nothing, and the time left is known
    parts = []
    with writing_to(folder, "The student's states"):
        make_private_folder(folder)
    for start in range(0, len(texts), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        on_progress(Progress("Reading with the student", start, len(texts), "texts"))
        parts.append(_part(embedding, [texts[row] for row in rows], folder / f"{start:08}.npy"))
    found = np.concatenate(parts)
    states = np.empty_like(found)
    states[order] = found
    return states


def _part(embedding: PooledStates, texts: Sequence[str], file: Path) -> Vectors:
    try:
        known: Vectors = np.load(file, allow_pickle=False)
        if len(known) == len(texts):
            return known
    except (OSError, ValueError, EOFError):
        pass
    states = embedding.embed_texts(texts)
    with writing_to(file.parent, "The student's states"):
        temporary = file.with_suffix(".part")
        with temporary.open("wb") as stream:
            np.save(stream, states)
        temporary.replace(file)
    return states


def own_head(network: Any, width: int) -> Vectors:
    """The linear map that a network applies to pooled states, (dimension, width): the product of its Dense modules."""
    found = np.eye(width)
    for module in network:
        if type(module).__name__ == "Dense":
            found = module.linear.weight.detach().cpu().double().numpy() @ found
    return np.asarray(found, np.float32)


def fit_head(states: Vectors, wanted: Vectors, towards: Vectors | None = None) -> Fit:
    """Fit the head that maps (n, width) states to (n, dimension) unit vectors with the least squared distance.

    min ‖X Wᵀ − Y‖² + λ ‖W − s W₀‖², W₀ being `towards` (None for zero) and s the scale at which it fits best. λ has the least
    error over texts left out: e_i / (1 − h_ii) of the ridge's hat matrix (Golub, Heath & Wahba 1979). Only directions count behind
    the head, so each state is scaled until what it begins with has unit length: else short texts and long ones pull apart.
    """
    x, y = states.astype(np.float64), wanted.astype(np.float64)
    start = np.zeros((y.shape[1], x.shape[1])) if towards is None else towards.astype(np.float64)
    lengths = np.linalg.norm(x if towards is None else x @ start.T, axis=1, keepdims=True)
    x /= np.maximum(lengths, np.finfo(np.float64).tiny)
    guessed = x @ start.T
    square = float(np.square(guessed).sum())
    start *= float((guessed * y).sum()) / square if square else 0.0
    residual = y - x @ start.T
    values, directions = np.linalg.eigh(x.T @ x)  # (width,), (width, width)
    values = np.maximum(values, 0.0)
    turned = x @ directions
    target = turned.T @ residual
    scale = max(float(values.mean()), np.finfo(np.float64).tiny)
    errors = [_left_out(turned, values, target, residual, strength * scale) for strength in _STRENGTHS]
    best = int(np.argmin(errors))
    strength = float(_STRENGTHS[best])
    change = (directions / (values + strength * scale)) @ target
    head = np.asarray(start + change.T, np.float32)
    return Fit(head, strength, errors[best])


def _left_out(turned: Floats, values: Floats, target: Floats, residual: Floats, ridge: float) -> float:
    """The mean squared error of each text, predicted by a ridge that has not seen it."""
    shrunk = turned / (values + ridge)
    errors = (residual - shrunk @ target) / (1 - (shrunk * turned).sum(axis=1).clip(max=1 - 1e-6))[:, None]
    return float(np.square(errors).sum(axis=1).mean())
