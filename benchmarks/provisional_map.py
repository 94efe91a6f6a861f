"""Learns the map from a checkpoint's token table to its vectors, which provisional vectors are made with.

Usage: python -m benchmarks.provisional_map MODEL CHECKPOINT PASSAGES [--vectors FILE] [--most 6000]

PASSAGES: lines of JSON with `title` and `text`, in many languages and of many kinds; `--from-collection NAME` writes such a file
of a collection's passages first. The vectors of MODEL are computed unless FILE has them. The map is written into the package, for
every checkpoint of the family with a token table of that size; import the model again to use it.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.embedder import normalized, prefix
from searchkit.embedding.import_model import FAMILIES
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.provisional import DIMENSION, INPUT_SCALE, GeneralMap, centred
from searchkit.embedding.tokenizer import open_tokenizer
from searchkit.library import Library
from searchkit.types import Passage
from searchkit_indexes import Vectors

_RIDGE = 30.0
_SEED = 1


def main() -> None:
    """Learn a map and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("passages", type=Path)
    parser.add_argument("--from-collection", default="")
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--most", type=int, default=6000)
    options = parser.parse_args()
    with Library() as library:
        if options.from_collection:
            write_passages(library, options.from_collection, options.passages)
        embedder = OnnxEmbedder(library.home.models / options.model)
    passages = [Passage(**json.loads(line)) for line in options.passages.read_text("utf-8").splitlines()]
    passages = random.Random(_SEED).sample(passages, min(options.most, len(passages)))
    if options.vectors and options.vectors.is_file():
        vectors = np.load(options.vectors)
    else:
        vectors = embedder.embed_documents(passages)
        if options.vectors:
            np.save(options.vectors, vectors)
    print(learn(embedder, Checkpoint(options.checkpoint), passages, vectors))


def write_passages(library: Library, collection: str, file: Path) -> None:
    """Write the distinct passages of a collection as lines of JSON."""
    with library.collection(collection).reading() as catalog, file.open("w", encoding="utf-8") as lines:
        for title, text in catalog.execute("SELECT DISTINCT title, text FROM chunks ORDER BY content_hash"):
            lines.write(json.dumps({"title": title, "text": text}, ensure_ascii=False) + "\n")


def learn(embedder: OnnxEmbedder, checkpoint: Checkpoint, passages: list[Passage], vectors: Vectors) -> Path:
    """Learn the map from passages and their (n, dimension) vectors; returns the file."""
    card = embedder.card
    tokenize = open_tokenizer(card.tokenizer, embedder.folder / card.tokenizer_file).encode_many
    ids = tokenize([f"{passage.title}\n{passage.text}" for passage in passages])
    tokens = FAMILIES[checkpoint.model_type].tokens
    table = checkpoint.table(f"{checkpoint.prefix_of(tokens)}{tokens}")
    frequency = np.zeros(table.shape[0])
    for each in ids:
        frequency[np.unique(each)] += 1
    idf = np.log((len(ids) + 1) / (frequency + 0.5)).astype(np.float32)
    used = np.flatnonzero(frequency)
    rows = centred(table, used)
    place = np.zeros(table.shape[0], np.int64)
    place[used] = np.arange(len(used))
    inputs = np.zeros((len(ids), table.shape[1] + 1))
    for row, each in enumerate(ids):
        weights = idf[each]
        inputs[row, :-1] = INPUT_SCALE * (weights @ rows[place[each]]) / max(float(weights.sum()), 1e-9)
        inputs[row, -1] = 1
    wanted = prefix(normalized(vectors), min(DIMENSION, vectors.shape[1]))
    gram = inputs.T @ inputs + _RIDGE * np.eye(inputs.shape[1])
    learned = np.linalg.solve(gram, inputs.T @ wanted).astype(np.float32)
    found = normalized((inputs @ learned).astype(np.float32))
    print(f"{len(ids):,} passages, cosine {float((found * wanted).sum(axis=1).mean()):.3f}")
    return GeneralMap(learned, idf).save(checkpoint.model_type, table)


if __name__ == "__main__":
    main()
