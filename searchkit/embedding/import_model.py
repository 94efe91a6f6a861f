"""A sentence-transformers checkpoint becomes a model folder: graph, tokenizer, description. No torch, no network."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from searchkit.embedding.calibrate import largest_inputs
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.bert import write_bert
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.gemma3 import write_gemma3
from searchkit.embedding.graph.head import write_head
from searchkit.embedding.graph.quantization import Quantization
from searchkit.embedding.graph.smoothing import Smoothing
from searchkit.embedding.model_folder import ModelCard, checksum
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.prompts import prompts_of_checkpoint
from searchkit.embedding.sample_pairs import SAMPLE_PAIRS
from searchkit.embedding.tokenizer import TokenizerKind, open_tokenizer
from searchkit.errors import ModelError, UnsupportedCheckpointError
from searchkit.paths import new_folder
from searchkit.types import Passage


@dataclass(frozen=True, slots=True)
class Family:
    """An architecture that can be imported.

    `write` adds its encoder to a graph. `tokenizers`: acceptable files, the best first.
    `smoothable`: its graph takes smoothing scales. `prefix_dimensions`: the Matryoshka prefixes that its models are
    trained for; empty: the full vector only.
    """

    write: Callable[[GraphBuilder, Checkpoint], str]
    tokenizers: tuple[tuple[str, TokenizerKind], ...]
    prefix_dimensions: tuple[int, ...] = ()
    smoothable: bool = False


_SENTENCEPIECE = ("tokenizer.model", TokenizerKind.SENTENCEPIECE)
_FAST = ("tokenizer.json", TokenizerKind.TOKENIZERS)
FAMILIES = {
    "bert": Family(write_bert, (_FAST,)),
    "gemma3_text": Family(write_gemma3, (_SENTENCEPIECE, _FAST), (768, 512, 256, 128), smoothable=True),
}


def import_model(source: Path, target: Path, *, quantization: Quantization = Quantization.INT8) -> ModelCard:
    """Convert the checkpoint folder `source` into the model folder `target`, whose name becomes the model's.

    Raises UnsupportedCheckpointError with the reason for a checkpoint that cannot be reproduced exactly, and
    ModelError if the result is not sound; `target` then does not exist.
    """
    checkpoint = Checkpoint(source)
    family = FAMILIES.get(checkpoint.model_type)
    if family is None:
        known = ", ".join(FAMILIES)
        raise UnsupportedCheckpointError(
            f"{source} is a {checkpoint.model_type} model; searchkit can run these families: {known}."
        )
    _ = checkpoint.head  # what cannot be reproduced is refused before anything is written
    with new_folder(target) as folder:
        tokenizer_file, tokenizer = _copy_tokenizer(source, folder, family)
        smoothing = Smoothing()
        if family.smoothable and quantization is not Quantization.FP32:
            opened = open_tokenizer(tokenizer, folder / tokenizer_file)
            smoothing = Smoothing(largest_inputs(checkpoint, family.write, opened))
        with GraphBuilder(folder, quantization, smoothing=smoothing) as graph:
            dimension = _write_graph(checkpoint, family, graph)
        card = ModelCard(
            name=target.name,
            architecture=checkpoint.model_type,
            dimension=dimension,
            prefix_dimensions=(dimension, *(size for size in family.prefix_dimensions if size < dimension)),
            max_tokens=checkpoint.max_tokens,
            prompts=prompts_of_checkpoint(checkpoint.prompts),
            quantization=quantization,
            tokenizer=tokenizer,
            tokenizer_file=tokenizer_file,
            licence=checkpoint.licence,
            source={"checkpoint": source.name, "sha256": checksum(_largest_weights(source))},
            checksums={path.name: checksum(path) for path in sorted(folder.iterdir())},
            similarity_range=(0.0, 1.0),
        )
        card.write(folder)
        card = replace(card, similarity_range=_similarity_range(OnnxEmbedder(folder)))
        card.write(folder)
    return card


def _write_graph(checkpoint: Checkpoint, family: Family, graph: GraphBuilder) -> int:
    head = checkpoint.head
    states = family.write(graph, checkpoint)
    dimension = int(checkpoint.config["hidden_size"]) if head.projection is None else head.projection.shape[0]
    graph.save("token_ids", write_head(graph, states, head), dimension)
    return dimension


def _copy_tokenizer(source: Path, folder: Path, family: Family) -> tuple[str, TokenizerKind]:
    for name, kind in family.tokenizers:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
            return name, kind
    wanted = " or ".join(name for name, _ in family.tokenizers)
    raise UnsupportedCheckpointError(f"{source} holds no {wanted}.")


def _similarity_range(embedder: OnnxEmbedder) -> tuple[float, float]:
    """Mean cosine of the sample's unrelated and of its matching pairs; also the proof that the model works at all."""
    queries = embedder.embed_queries([query for query, _ in SAMPLE_PAIRS])
    passages = embedder.embed_documents([Passage("", text) for _, text in SAMPLE_PAIRS])
    similarities = queries @ passages.T
    matching = np.eye(len(SAMPLE_PAIRS), dtype=bool)
    unrelated, matched = float(similarities[~matching].mean()), float(similarities[matching].mean())
    if not (np.isfinite(similarities).all() and matched > unrelated):
        raise ModelError(
            "The converted model does not tell matching texts from unrelated ones; its weights look damaged."
        )
    return round(unrelated, 4), round(matched, 4)


def _largest_weights(source: Path) -> Path:
    return max(source.glob("*.safetensors"), key=lambda path: path.stat().st_size)
