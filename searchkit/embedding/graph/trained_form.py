"""The quantization that a checkpoint was trained for: what an import would otherwise choose, stored beside the weights.

Training rounds weights as the import will (`searchkit.train.finetune.quantized`). The import chooses more than codes: which
products stay in floats, what smooths their inputs, and how rounding errors are compensated. A checkpoint that was trained for
a form brings these choices along, so that the model has the very numbers that it was trained with: compensation is left out,
the weights being trained to be rounded one by one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.graph.quantize import quantize_blocks, quantize_columns
from searchkit.embedding.model_info import TRAINABLE, Quantization
from searchkit.errors import UnsupportedCheckpointError
from searchkit.files import write_atomically

Floats = npt.NDArray[np.float32]
FORM_FILE = "searchkit_quantization.json"  # in a checkpoint's folder
_DIGITS = 4  # of a smoothing scale; more change nothing and take room


@dataclass(frozen=True, slots=True)
class TrainedForm:
    """A quantization with the choices that an import makes for a checkpoint.

    `floats`: the groups of products that stay in floats. `smoothing`: (in,) scales by group, for those that have any.
    """

    quantization: Quantization
    floats: tuple[str, ...] = ()
    smoothing: Mapping[str, Floats] = field(default_factory=dict)

    def rounded(self, weight: Floats) -> Floats:
        """Round the (out, in) weight of a product that is not in floats, smoothing included, to what is stored of it."""
        if self.quantization is Quantization.INT4:
            return quantize_blocks(weight).decoded()
        codes, scales = quantize_columns(weight.T)
        return np.ascontiguousarray((codes * scales).T)


def trained_form(quantization: Quantization, floats: Sequence[str], smoothing: Mapping[str, Floats]) -> TrainedForm:
    """Make a form of what an import has chosen; scales are rounded to what is stored."""
    return TrainedForm(quantization, tuple(floats), {group: _rounded(scale) for group, scale in smoothing.items()})


def read_form(folder: Path) -> TrainedForm | None:
    """Read the form that a checkpoint was trained for, None for an ordinary one.

    Raises UnsupportedCheckpointError if the file is not what `write_form` writes.
    """
    file = folder / FORM_FILE
    if not file.is_file():
        return None
    try:
        content: Any = json.loads(file.read_text("utf-8"))
        quantization = Quantization(content["quantization"])
        smoothing = {str(group): np.array(scale, np.float32) for group, scale in content["smoothing"].items()}
        floats = tuple(str(group) for group in content["floats"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsupportedCheckpointError(
            f"{file} does not say what the checkpoint was trained for ({error!r}).",
            remedy="Remove the file to import the checkpoint like any other.",
        ) from error
    if quantization not in TRAINABLE or any(not _is_scale(scale) for scale in smoothing.values()):
        raise UnsupportedCheckpointError(
            f"{file} names a quantization that is not trained for, or scales that are not positive numbers.",
            remedy="Remove the file to import the checkpoint like any other.",
        )
    return TrainedForm(quantization, floats, smoothing)


def write_form(folder: Path, form: TrainedForm) -> None:
    """Write the form beside a checkpoint's weights."""
    content = {
        "quantization": form.quantization.value,
        "floats": form.floats,
        "smoothing": {
            group: [float(f"{value:.{_DIGITS}g}") for value in scale] for group, scale in form.smoothing.items()
        },
    }
    write_atomically(folder / FORM_FILE, json.dumps(content).encode())


def _rounded(scale: Floats) -> Floats:
    return np.array([float(f"{value:.{_DIGITS}g}") for value in scale], np.float32)


def _is_scale(scale: Floats) -> bool:
    return scale.ndim == 1 and bool(np.isfinite(scale).all() and (scale > 0).all())
