"""Makes a model whose cosines lie close together, as those of other models do, and its collections of judged corpora.

Usage: python -m benchmarks.squeezed FOLDER FOLDER ... [--model NAME] [--unrelated 0.65]      (folders in BEIR's layout)

Its vectors are another model's with a constant added, and normalised: unrelated texts get the given cosine, and everything else
is squeezed into what is left. Nothing is embedded; vectors that exist are mapped. Afterwards `searchkit eval retrieval` and
`benchmarks.weak_matches` take it by its name, NAME-squeezed.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from searchkit.catalog.connection import reading, writing
from searchkit.catalog.meta import COVERED, MODEL, set_meta
from searchkit.catalog.vectors import map_vectors, vector_batches
from searchkit.embedding.embedder import normalized
from searchkit.embedding.graph.onnx_format import ElementType, encode_node, encode_tensor, extended_model
from searchkit.embedding.model_folder import (
    GRAPH_FILE,
    JUDGED_FILE,
    REFERENCE_FILE,
    ModelCard,
    checksum,
    read_model_card,
)
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.scale import judged_vectors, measure_scale, write_judged_vectors
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.retrieval.corpus import Corpus, collection_name, corpus_collection
from searchkit.home import CollectionFolder, Home, collection_at
from searchkit.ingest.index_run import IndexRun
from searchkit.ingest.sandbox.messages import Limits
from searchkit.reports import RunOptions
from searchkit_indexes import Vectors


def main() -> None:
    """Make the model, then its collections."""
    options = read_options()
    home = Home.default()
    base = home.models / options.model
    target = home.models / f"{options.model}-squeezed"
    source = OnnxEmbedder(base)
    corpora = [Corpus(data.name, data.documents) for data in map(read_beir, options.folders)]
    embedded = [corpus_collection(home, corpus, source).folder for corpus in corpora]
    constant = constant_for(
        source.card, options.unrelated, None if options.random else unused_direction(embedded, source)
    )
    if not target.exists():
        card = write_squeezed(base, target, constant)
        print(f"{card.name}: similarity range {card.similarity_range}, {card.scale}")
    squeezed = OnnxEmbedder(target)
    for corpus, folder in zip(corpora, embedded, strict=True):
        map_collection(folder, collection_at(home.evaluation, collection_name(corpus, squeezed)), squeezed, constant)
        print(f"{corpus.name} mapped", flush=True)


def unused_direction(folders: Sequence[CollectionFolder], source: OnnxEmbedder) -> Vectors:
    """(dimension,) float32, unit length: the direction that the collections' vectors have least of.

    A constant there changes nothing but the scale of cosines. One in any other direction also moves some vectors more than
    others, which alone exchanges one in twenty of the ten nearest.
    """
    total = np.zeros((source.info.dimension, source.info.dimension))
    for folder in folders:
        with reading(folder) as catalog:
            for _, vectors in vector_batches(catalog, source.info.fingerprint, source.info.dimension):
                total += vectors.T.astype(np.float64) @ vectors
    direction: Vectors = np.linalg.eigh(total)[1][:, 0].astype(np.float32)
    return direction


def constant_for(card: ModelCard, unrelated: float, direction: Vectors | None) -> Vectors:
    """(dimension,) float32: the direction, None for a random one, as long as it takes to give unrelated texts that cosine."""
    if direction is None:
        direction = normalized(np.random.default_rng(0).standard_normal((1, card.dimension)).astype(np.float32))[0]
    before = card.similarity_range[0]
    length = ((unrelated - before) / (1 - unrelated)) ** 0.5
    constant: Vectors = (length * direction).astype(np.float32)
    return constant


def write_squeezed(base: Path, target: Path, constant: Vectors) -> ModelCard:
    """Write the model folder: the base's with two more nodes in its graph, and calibrated by itself."""
    card = read_model_card(base)
    shutil.copytree(base, target)
    graph = extended_model(
        (base / GRAPH_FILE).read_bytes(),
        renamed={"embedding": "plain"},
        initializers=[encode_tensor("constant", constant.shape, ElementType.FLOAT32, constant.tobytes())],
        nodes=[
            encode_node("Add", ["plain", "constant"], ["moved"]),
            encode_node("LpNormalization", ["moved"], ["embedding"], attributes={"axis": -1, "p": 2}),
        ],
    )
    (target / GRAPH_FILE).write_bytes(graph)
    reference = np.load(base / REFERENCE_FILE).astype(np.float32)
    np.save(target / REFERENCE_FILE, normalized(reference + constant).astype(np.float16))
    judged = normalized(judged_vectors(base, card) + constant)
    write_judged_vectors(target, judged)
    names = {*card.checksums, JUDGED_FILE}
    ends = range_of(normalized(reference + constant))
    squeezed = replace(
        card,
        name=target.name,
        checksums={name: checksum(target / name) for name in sorted(names)},
        similarity_range=ends,
        scale=measure_scale(judged, ends, OnnxEmbedder(base).count_tokens),
    )
    squeezed.write(target)
    return squeezed


def range_of(sample: Vectors) -> tuple[float, float]:
    """The mean cosines of unrelated and of matching pairs of the sample, as the import has them."""
    queries, passages = np.split(sample, 2)
    cosines, matching = queries @ passages.T, np.eye(len(queries), dtype=bool)
    return round(float(cosines[~matching].mean()), 4), round(float(cosines[matching].mean()), 4)


def map_collection(
    source: CollectionFolder, target: CollectionFolder, squeezed: OnnxEmbedder, constant: Vectors
) -> None:
    """Copy a collection and map its vectors to those of the squeezed model."""
    if target.exists():
        return
    shutil.copytree(source.path, target.path, ignore=shutil.ignore_patterns("index"))
    with writing(target) as catalog:
        with catalog.transaction():
            before = catalog.meta(COVERED) or ""
            sources = [(before, len(constant), lambda vectors: normalized(vectors + constant))]
            map_vectors(catalog, sources, squeezed.info.fingerprint)
            set_meta(catalog, MODEL, squeezed.info.name)
        IndexRun(target, catalog, squeezed, Limits(0, 0), lambda _: None, RunOptions()).finish(is_same=False)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="embeddinggemma-300m")
    parser.add_argument("--random", action="store_true", help="add it in a random direction, not in one hardly used")
    parser.add_argument("--unrelated", type=float, default=0.65, help="cosine of unrelated texts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
