"""Prepares a checkpoint for training in a quantization: what an import would choose for it is chosen before training starts.

In 8 bits these are the products that stay in floats, and the scales that smooth inputs. In 4 bits they are the compensations of
rounding errors: weights that are moved by them round to what an import would have stored, so training starts from the quality of
plain quantization and not from that of plain rounding.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchkit.embedding.calibrate import Calibration, TokenIds, calibrate
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.conversion import Conversion
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import write_encoder
from searchkit.embedding.graph.quantize import check_blocks, compensated
from searchkit.embedding.graph.trained_form import TrainedForm, trained_form
from searchkit.embedding.graph.weights import Floats, Inputs, Product, Weights
from searchkit.embedding.import_model import (
    FAMILIES,
    Family,
    Graph,
    calibration_texts,
    find_tokenizer,
    form_for,
    write_graph,
)
from searchkit.embedding.model_info import TRAINABLE, Quantization, prompts_of_checkpoint
from searchkit.embedding.tokenizer import open_tokenizer
from searchkit.errors import UnsupportedCheckpointError

_TRAINED_FAMILIES = ("bert", "gemma3_text")  # whose products training finds by their names


@dataclass(frozen=True, slots=True)
class PreparedForm:
    """A form to train for. `compensated`: the (out, in) weights to start with, by product, where they are not the checkpoint's."""

    form: TrainedForm
    compensated: Mapping[str, Floats]


def check_form(checkpoint: Checkpoint, quantization: Quantization) -> None:
    """Raise UnsupportedCheckpointError unless a checkpoint can be trained in a quantization; reads no weights."""
    known = ", ".join(_TRAINED_FAMILIES)
    if checkpoint.model_type not in _TRAINED_FAMILIES:
        raise UnsupportedCheckpointError(
            f"A {checkpoint.model_type} model cannot be trained in {quantization}; searchkit knows how for these: {known}.",
            remedy="Train it in floats; what comes of it can be quantized like any model.",
        )
    if quantization not in TRAINABLE:
        raise UnsupportedCheckpointError(f"Nothing is trained in {quantization}: {', '.join(TRAINABLE)}.")
    if quantization is Quantization.INT4:
        config = checkpoint.config
        attended = int(config["num_attention_heads"]) * int(config.get("head_dim") or 0)
        for inputs in (int(config["hidden_size"]), int(config["intermediate_size"]), attended):
            check_blocks(inputs)


def prepare_form(folder: Path, quantization: Quantization) -> PreparedForm:
    """Choose the form of a checkpoint as an import would; one that was trained in this quantization keeps its own.

    Raises UnsupportedCheckpointError if it cannot be trained in this quantization.
    """
    checkpoint = Checkpoint(folder)
    check_form(checkpoint, quantization)
    known = form_for(folder, quantization)
    if known is not None:
        return PreparedForm(known, {})
    family = FAMILIES[checkpoint.model_type]
    name, kind = find_tokenizer(folder, family)
    encode = open_tokenizer(kind, folder / name).encode
    texts = calibration_texts(prompts_of_checkpoint(checkpoint.prompts))
    ids = [encode(text, checkpoint.max_tokens) for text in texts]
    calibration = calibrate(checkpoint, family.encoder, ids)
    with tempfile.TemporaryDirectory(prefix="searchkit-") as place:
        if quantization is Quantization.INT4:
            weights = _compensated(checkpoint, family, calibration, Path(place))
            return PreparedForm(trained_form(quantization, (), {}), weights)
        graph = Graph(checkpoint, family, Conversion(Path(place)), quantization)
        return PreparedForm(_chosen(graph, calibration, ids), {})


def _chosen(graph: Graph, calibration: Calibration, ids: Sequence[TokenIds]) -> TrainedForm:
    fidelity, smoothing = write_graph(graph, calibration, ids)
    return trained_form(graph.quantization, fidelity.floats, smoothing)


def _compensated(checkpoint: Checkpoint, family: Family, calibration: Calibration, place: Path) -> Mapping[str, Floats]:
    """The weights that an import would round, by the product's name; a graph in floats names the products, and is not used."""
    with GraphBuilder(place) as builder:
        weights = _Compensating(builder, calibration.observed)
        write_encoder(family.encoder(builder, weights, checkpoint))
    return weights.found


class _Compensating(Weights):
    """Compensates the rounding errors of the products that are added to a graph."""

    def __init__(self, graph: GraphBuilder, observed: Mapping[str, Inputs]) -> None:
        super().__init__(graph, Quantization.FP32, tokens=np.zeros(1, np.int64))
        self.found: dict[str, Floats] = {}
        self._inputs = observed

    def products(self, x: str, group: str, products: Sequence[Product], *, even: bool = False) -> list[str]:
        """See Weights; products of one input are compensated together, as they are quantized."""
        stacked = compensated(np.concatenate([product.weight for product in products]), self._inputs[group].gram)
        ends = np.cumsum([len(product.weight) for product in products])[:-1]
        names = [product.name for product in products]
        self.found.update(zip(names, np.split(stacked, ends), strict=True))
        return super().products(x, group, products, even=even)
