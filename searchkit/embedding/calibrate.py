"""What the activations of a model look like on a small sample: the largest magnitude of each input channel of each product."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import OBSERVED, GraphBuilder
from searchkit.embedding.graph.quantization import Quantization
from searchkit.embedding.graph.smoothing import Floats
from searchkit.embedding.onnx_embedder import open_session, usable_cores
from searchkit.embedding.prompts import prompts_of_checkpoint
from searchkit.embedding.sample_pairs import SAMPLE_PAIRS
from searchkit.embedding.tokenizer import Tokenizer
from searchkit.types import Passage


def largest_inputs(
    checkpoint: Checkpoint, write: Callable[[GraphBuilder, Checkpoint], str], tokenizer: Tokenizer
) -> Mapping[str, Floats]:
    """Run the built-in sample through a float graph that gives its products' inputs out: (in,) maxima by product."""
    with tempfile.TemporaryDirectory(prefix="searchkit-") as name:
        folder = Path(name)
        with GraphBuilder(folder, Quantization.FP32, observe=True) as graph:
            graph.save("token_ids", write(graph, checkpoint), None)
        session = open_session(folder, usable_cores())
        outputs = [output.name for output in session.get_outputs() if output.name.startswith(OBSERVED)]
        largest: list[Floats] = []
        for text in _sample(checkpoint):
            ids = np.array([tokenizer.encode(text, checkpoint.max_tokens)], np.int64)
            found = session.run(outputs, {"token_ids": ids})
            largest = [np.maximum(a, b) for a, b in zip(largest, found, strict=True)] if largest else found
        del session  # its files are mapped, and go with the folder
    return {name.removeprefix(OBSERVED): values for name, values in zip(outputs, largest, strict=True)}


def _sample(checkpoint: Checkpoint) -> list[str]:
    """The sample's queries and passages under their prompts, and longer texts made of them."""
    prompts = prompts_of_checkpoint(checkpoint.prompts)
    passages = [text for _, text in SAMPLE_PAIRS]
    long = [" ".join(passages[start::2]) for start in range(2)]
    return [
        *(prompts.of_query(query) for query, _ in SAMPLE_PAIRS),
        *(prompts.of_passage(Passage("", text)) for text in [*passages, *long]),
    ]
