"""Compares random checkpoints of EmbeddingGemma 2 and ModernBERT, at their true sizes, with sentence-transformers.

Usage: python -m benchmarks.new_families FOLDER [NAME]... [--seeds 3] [--lengths 1 … 8192] [--model]

Makes each checkpoint below FOLDER unless it is there, and prints the cosines of our vectors, fp32 and int8, to those of
sentence-transformers, on the reference texts (several languages and code) and on texts of the given numbers of tokens.
With `--model` the checkpoint of the first seed is installed too (`--seeds 1 --lengths` compares nothing); for speed, memory and
load time then run `searchkit bench embed NAME --sentence-transformers FOLDER/NAME-0 --only speed --only latency
--only load`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.calibrate import calibrate
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS, write_encoder, write_head
from searchkit.embedding.graph.weights import Weights
from searchkit.embedding.import_model import FAMILIES
from searchkit.embedding.model_info import Quantization, prompts_of_checkpoint
from searchkit.embedding.onnx_embedder import open_session, usable_cores
from searchkit.embedding.sample import calibration_inputs, sample_inputs
from searchkit.embedding.tokenizer import FastTokenizer
from searchkit.library import Library
from tests.support.random_checkpoints import RECIPES, write_random
from tests.support.reference_texts import DOCUMENTS

TRUE_SIZES = [name for name in RECIPES if not name.startswith("tiny")]
LENGTHS = [1, 2, 16, 64, 65, 66, 130, 256, 513, 514, 600, 1100, 2048, 8192]
Vectors = npt.NDArray[np.float32]
Texts = Sequence[Sequence[int]]


def main() -> None:
    """Make, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=TRUE_SIZES, help=f"from {', '.join(TRUE_SIZES)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    parser.add_argument("--model", action="store_true", help="install the checkpoint of the first seed")
    options = parser.parse_args()
    for name in options.names:
        for seed in range(options.seeds):
            folder = options.folder / f"{name}-{seed}"
            if not folder.is_dir():
                write_random(folder, RECIPES[name], seed)
            if options.model and seed == 0:
                with Library() as library:
                    library.models.add(folder, name=name)
            if options.lengths:
                compare(name, seed, folder, options.lengths)


def compare(name: str, seed: int, folder: Path, lengths: Sequence[int]) -> None:
    """Print the cosines of one checkpoint."""
    checkpoint = Checkpoint(folder)
    tokenizer = FastTokenizer(folder / "tokenizer.json")
    body = tokenizer.encode(" ".join(DOCUMENTS), 2 * max(lengths))[1:-1]
    texts = [tokenizer.encode(text, 256) for text in DOCUMENTS[:13]]
    texts += [[2, *body[: count - 2], 1][:count] for count in lengths if count <= checkpoint.max_tokens]
    exact = by_sentence_transformers(folder, texts)
    for quantization in (Quantization.FP32, Quantization.INT8):
        found = (by_graph(checkpoint, texts, quantization) * exact).sum(axis=1)
        worst = int(found.argmin())
        print(
            f"{name}, seed {seed}, {quantization}: mean {found.mean():.5f}, worst {found[worst]:.5f}"
            f" at {len(texts[worst])} tokens; {len(texts)} texts of 1 to {max(map(len, texts)):,} tokens",
            flush=True,
        )


def by_sentence_transformers(folder: Path, texts: Texts) -> Vectors:
    """Embed token ids with sentence-transformers in fp32."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(usable_cores())
    model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True).float()
    vectors = []
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([text])
            found = model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"]
            vectors.append(torch.nn.functional.normalize(found).numpy())
    return np.concatenate(vectors)


def by_graph(checkpoint: Checkpoint, texts: Texts, quantization: Quantization) -> Vectors:
    """Embed token ids with our graph, calibrated like an import."""
    family = FAMILIES[checkpoint.model_type]
    observed = None
    if quantization.has_one_scale:
        tokenizer, prompts = (
            FastTokenizer(checkpoint.folder / "tokenizer.json"),
            prompts_of_checkpoint(checkpoint.prompts),
        )
        sample = [*sample_inputs(prompts), *calibration_inputs(prompts, ())]
        observed = calibrate(checkpoint, family.encoder, [tokenizer.encode(text, 512) for text in sample]).observed
    with tempfile.TemporaryDirectory() as name:
        with GraphBuilder(Path(name)) as graph:
            states = write_encoder(family.encoder(graph, Weights(graph, quantization, observed=observed), checkpoint))
            embedding = write_head(graph, states, checkpoint.head, small=quantization.has_small_table)
            graph.save({INPUT_IDS: (np.int64, ["batch", "tokens"])}, {"embedding": embedding})
        session = open_session(Path(name), usable_cores())
        return np.concatenate([session.run(None, {INPUT_IDS: np.array([text])})[0] for text in texts])


if __name__ == "__main__":
    main()
