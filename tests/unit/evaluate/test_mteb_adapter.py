"""The adapter for mteb, with batches as its loaders give them; mteb itself need not be installed."""

import importlib.util
from enum import StrEnum

import numpy as np
import pytest

from searchkit.embedding.embedder import prefix
from searchkit.errors import ExtraMissingError, UsageError
from searchkit.evaluate.mteb_adapter import MtebEncoder
from searchkit.types import Passage
from tests.support.errors import refused
from tests.support.hash_embedder import HashEmbedder


class PromptType(StrEnum):
    """mteb's."""

    query = "query"
    document = "document"


def test_documents_are_embedded_with_their_titles_apart(embedder: HashEmbedder) -> None:
    batches = [
        {"id": ["1", "2"], "text": ["Roses prune", "bake"], "body": ["prune", "bake"], "title": ["Roses", ""]},
        {"id": ["3"], "text": ["valve"], "body": ["valve"]},
    ]
    vectors = MtebEncoder(embedder).encode(
        batches, prompt_type=PromptType.document, batch_size=8, task_metadata=object()
    )
    expected = embedder.embed_documents([Passage("Roses", "prune"), Passage("", "bake"), Passage("", "valve")])
    assert np.array_equal(vectors, expected)


def test_queries_and_texts_of_other_tasks_are_embedded(embedder: HashEmbedder) -> None:
    encoder = MtebEncoder(embedder)
    batches = [{"text": ["when to prune"], "query": ["when to prune"]}]
    assert np.array_equal(encoder.encode(batches, prompt_type="query"), embedder.embed_queries(["when to prune"]))
    assert np.array_equal(encoder.encode(batches), embedder.embed_documents([Passage("", "when to prune")]))
    assert encoder.encode([], prompt_type="query").shape == (0, 64)


def test_a_prefix_is_unit_length_again(embedder: HashEmbedder) -> None:
    batches = [{"text": ["prune roses", "bake bread"]}]
    vectors = MtebEncoder(embedder, dimension=16).encode(batches)
    assert np.allclose(vectors, prefix(MtebEncoder(embedder).encode(batches), 16))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    with pytest.raises(UsageError, match="64 dimensions, not 65"):
        MtebEncoder(embedder, dimension=65)


def test_similarities_are_cosines_of_all_or_of_pairs(embedder: HashEmbedder) -> None:
    encoder = MtebEncoder(embedder)
    vectors = encoder.encode([{"text": ["prune roses", "bake bread", "roses"]}])
    everything = encoder.similarity(vectors[:2], vectors)
    assert everything.shape == (2, 3)
    assert np.allclose(everything[0, 0], 1)
    assert encoder.similarity(vectors[0], vectors).shape == (1, 3)
    assert np.allclose(encoder.similarity_pairwise(vectors, vectors[::-1])[1], 1)


@pytest.mark.skipif(importlib.util.find_spec("mteb") is not None, reason="mteb is installed")
def test_without_mteb_only_its_metadata_is_missing(embedder: HashEmbedder) -> None:
    with refused(ExtraMissingError, "pip install 'mteb>=2'"):
        _ = MtebEncoder(embedder).mteb_model_meta
