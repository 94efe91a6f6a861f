"""Measures a model's activations on a sample of texts, computes the exact vectors of these texts, and keeps quantized ones close.

The float encoder runs one layer at a time, so that no more than one layer is in memory or on disk. Which products cost too much
in 8 bits depends on the checkpoint: a channel with values far above the others' takes all the steps of the scale that it shares
with them. Such products stay in floats; the observed inputs only order the candidates, vectors decide.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.conversion import Conversion
from searchkit.embedding.embedder import normalized
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS, Encoder, EncoderFactory, write_head
from searchkit.embedding.graph.trained_form import TrainedForm
from searchkit.embedding.graph.weights import Floats, Inputs, Weights
from searchkit.embedding.model_info import CLOSE_ENOUGH, Fidelity, Quantization
from searchkit.embedding.onnx_embedder import open_session, usable_cores
from searchkit_indexes import Vectors

_STATES = "states"
_NEXT = "next"
_LAYERS = "layers"
_STEP = "step"
_SHARE = 0.4  # of the time that a conversion takes
_INPUT_KINDS: Mapping[str, tuple[npt.DTypeLike, Sequence[str | int]]] = {
    INPUT_IDS: (np.int64, ["batch", "tokens"]),
    _STATES: (np.float32, ["batch", "tokens", "width"]),
}
TokenIds = Sequence[int]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration. `observed`: the inputs of each group of products; `vectors`: (texts, dimension), exact."""

    observed: Mapping[str, Inputs]
    vectors: Vectors


def calibrate(
    checkpoint: Checkpoint,
    encoder: EncoderFactory,
    texts: Sequence[TokenIds],
    parts: Conversion | None = None,
    trained: TrainedForm | None = None,
) -> Calibration:
    """Run texts, given as token ids, through the checkpoint in floats. Layers that are finished are kept in `parts`.

    `trained`: the form that the checkpoint was trained for: the floats are the numbers that its weights are rounded to, because
    it was trained to give its vectors with these.
    """
    return _Run(checkpoint, encoder, texts, parts or Conversion(Path()), trained).through_all_layers()


class _Run:
    def __init__(
        self,
        checkpoint: Checkpoint,
        encoder: EncoderFactory,
        texts: Sequence[TokenIds],
        parts: Conversion,
        trained: TrainedForm | None,
    ) -> None:
        self._parts = parts
        self._trained = trained
        self._checkpoint = checkpoint
        self._encoder = encoder
        self._tokens = np.unique(np.concatenate([np.asarray(ids, np.int64) for ids in texts]))
        self._inputs = [{INPUT_IDS: np.searchsorted(self._tokens, [ids])} for ids in texts]

    def through_all_layers(self) -> Calibration:
        observed: dict[str, Inputs] = {}
        done = self._take_up(observed)
        layers: int = self._parts.fact(_LAYERS) or 0
        if done < 0:
            self._parts.report(0.02, "running the checkpoint in floats")
            layers = self._step(lambda encoder, _, __: encoder.start(), observed)
            self._parts.keep_fact(_LAYERS, layers)
            self._keep(0, observed)
        for index in range(max(done, 0), layers):
            self._parts.report(
                0.02 + _SHARE * index / (layers + 1), f"running the checkpoint in floats: layer {index + 1} of {layers}"
            )
            before = set(observed)
            self._step(partial(_write_layer, index=index), observed)
            self._keep(index + 1, {group: found for group, found in observed.items() if group not in before})
        if done <= layers:
            before, head = set(observed), self._checkpoint.head
            small = self._trained is not None and self._trained.quantization.has_small_table
            self._step(
                lambda encoder, states, graph: write_head(graph, encoder.end(states), head, small=small), observed
            )
            self._keep(layers + 1, {group: found for group, found in observed.items() if group not in before})
        return Calibration(observed, np.concatenate([inputs[_STATES] for inputs in self._inputs]))

    def _keep(self, step: int, observed: Mapping[str, Inputs]) -> None:
        """Keep what a step has observed, then the states behind it; those of the step before are no longer needed."""
        found = {f"{kind} {group}": values for group, each in observed.items() for kind, values in _named(each)}
        self._parts.keep_arrays(f"observed-{step}", found)
        states = {str(number): text[_STATES] for number, text in enumerate(self._inputs)}
        self._parts.keep_arrays(_STATES, {**states, _STEP: np.array(step)})

    def _take_up(self, observed: dict[str, Inputs]) -> int:
        """Go on from the last finished step: fill in what all have observed, and return its number, -1 for none."""
        states = self._parts.kept_arrays(_STATES)
        steps = (
            []
            if states is None
            else [self._parts.kept_arrays(f"observed-{step}") for step in range(int(states[_STEP]) + 1)]
        )
        if states is None or None in steps or self._parts.fact(_LAYERS) is None:
            return -1
        for found in steps:
            groups = [name.removeprefix("largest ") for name in found or {} if name.startswith("largest ")]
            observed.update(
                {group: Inputs(found[f"largest {group}"], found[f"gram {group}"]) for group in groups if found}
            )
        for number, text in enumerate(self._inputs):
            text[_STATES] = states[str(number)]
        return int(states[_STEP])

    def _step(self, write: Callable[[Encoder, str, GraphBuilder], str], observed: dict[str, Inputs]) -> int:
        """Write a part of the encoder, run all texts through it and keep their states; returns the encoder's number of layers."""
        inputs = [name for name in _INPUT_KINDS if name in self._inputs[0]]
        with tempfile.TemporaryDirectory(prefix="searchkit-") as name:
            folder = Path(name)
            with GraphBuilder(folder) as graph:
                weights = Weights(graph, Quantization.FP32, tokens=self._tokens, trained=self._trained)
                encoder = self._encoder(graph, weights, self._checkpoint)
                outputs = {_NEXT: write(encoder, _STATES, graph)}
                for group, x in weights.inputs_by_group.items():
                    outputs |= _observe(graph, group, x)
                graph.save({name: _INPUT_KINDS[name] for name in inputs}, outputs)
            session = open_session(folder, usable_cores())
            totals: list[Floats] = []
            for text in self._inputs:
                text[_STATES], *found = session.run(list(outputs), {name: text[name] for name in inputs})
                totals = [_joined(*pair) for pair in zip(totals, found, strict=True)] if totals else found
            del session  # its files are mapped and disappear with the folder
        pairs = zip(totals[::2], totals[1::2], strict=True)
        observed.update({group: Inputs(*pair) for group, pair in zip(weights.inputs_by_group, pairs, strict=True)})
        return encoder.layers


def _named(inputs: Inputs) -> tuple[tuple[str, Floats], tuple[str, Floats]]:
    return ("largest", inputs.largest), ("gram", inputs.gram)


def _write_layer(encoder: Encoder, states: str, _: GraphBuilder, *, index: int) -> str:
    return encoder.layer(states, index)


def _observe(graph: GraphBuilder, group: str, x: str) -> dict[str, str]:
    """Add outputs for the largest magnitudes (in,) and the Gram matrix (in, in) of x, in this order."""
    axes = graph.constant("batch_and_token_axes", np.array([0, 1], np.int64))
    largest = graph.node("ReduceMax", [graph.node("Abs", [x]), axes], keepdims=0)
    rows = graph.node("Squeeze", [x, graph.constant("batch_axis", np.array([0], np.int64))])
    gram = graph.node("MatMul", [graph.node("Transpose", [rows], perm=[1, 0]), rows])
    return {f"largest {group}": largest, f"gram {group}": gram}


def _joined(total: Floats, found: Floats) -> Floats:
    """Combine two observations of one kind: magnitudes (in,) by maximum, Gram matrices (in, in) by sum."""
    return np.maximum(total, found) if total.ndim == 1 else total + found


_WRITTEN = "written"
_GRAPH_FROM = 0.45  # of the time that a conversion takes
_MOST_FLOATS = 6  # groups of products; more would cost most of what 8 bits save
_WORTH = 0.8  # the least share of the missing cosine that they must bring if they do not bring all

# Writes the graph with some groups of products in floats; returns the relative noise of each group in 8 bits.
WriteGraph = Callable[[Sequence[str]], Mapping[str, float]]


def write_close_graph(
    write: WriteGraph,
    parts: Conversion,
    texts: Sequence[TokenIds],
    exact: Vectors,
    *,
    may_use_floats: bool,
    known: Sequence[str] | None = None,
) -> Fidelity:
    """Write a quantized graph into the folder of `parts` with as few groups of products in floats as its vectors allow.

    `exact`: (texts, dimension), the vectors in floats. None are in floats if the vectors are close enough; none either if
    those with the most noise do not help, or the quantization does not mix with floats. `known`: those of a checkpoint that was
    trained with them; nothing is chosen then.
    """
    attempts = _Attempts(write, parts, texts, exact)
    if known is not None:
        return attempts.take(known)[1]
    noise, first = attempts.take(())
    found = first
    if may_use_floats and not first.is_enough:
        costly = sorted(noise, key=lambda group: -noise[group])[:_MOST_FLOATS]
        for count in range(1, len(costly) + 1):
            found = attempts.take(costly[:count])[1]
            if found.is_enough:
                return found
        if found.mean_cosine - first.mean_cosine < _WORTH * (CLOSE_ENOUGH - first.mean_cosine):
            attempts.write(())
            return first
    return found


@dataclass(frozen=True, slots=True)
class _Attempts:
    """Graphs with some groups of products in floats, each written and compared once."""

    _write: WriteGraph
    _parts: Conversion
    _texts: Sequence[TokenIds]
    _exact: Vectors

    def take(self, floats: Sequence[str]) -> tuple[Mapping[str, float], Fidelity]:
        """Write a graph and compare it: the noise of each group in 8 bits, and how close it is."""
        name = f"graph-{len(floats)}"  # each attempt adds one group to those of the last
        kept = self._parts.fact(name)
        if kept is None:
            noise = self.write(floats)
            self._parts.report(_GRAPH_FROM + 0.15, "comparing its vectors with those in floats")
            found = _compare(self._parts.folder, self._texts, self._exact, floats)
            kept = {"noise": dict(noise), "cosines": [found.mean_cosine, found.worst_cosine]}
            self._parts.keep_fact(name, kept)
        mean, worst = kept["cosines"]
        return kept["noise"], Fidelity(mean, worst, tuple(floats))

    def write(self, floats: Sequence[str]) -> Mapping[str, float]:
        """Write a graph, unless it is the one that is there."""
        kept = self._parts.fact(_WRITTEN)
        if kept is not None and kept["floats"] == list(floats):
            noise: Mapping[str, float] = kept["noise"]
            return noise
        self._parts.forget(_WRITTEN)
        told = f", {len(floats)} of its products in floats" if floats else ""
        self._parts.report(_GRAPH_FROM, f"quantizing its weights{told}")
        noise = self._write(floats)
        self._parts.keep_fact(_WRITTEN, {"floats": list(floats), "noise": dict(noise)})
        return noise


def _compare(folder: Path, texts: Sequence[TokenIds], exact: Vectors, floats: Sequence[str] = ()) -> Fidelity:
    session = open_session(folder, usable_cores())
    found: list[npt.NDArray[np.float32]] = [
        session.run(None, {INPUT_IDS: np.array([ids], np.int64)})[0][0] for ids in texts
    ]
    del session  # its files are mapped, and may be written again
    cosines = (normalized(np.stack(found)) * normalized(exact)).sum(axis=1)
    return Fidelity(round(float(cosines.mean()), 5), round(float(cosines.min()), 5), tuple(floats))
