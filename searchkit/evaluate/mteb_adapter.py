"""Lets the package `mteb` evaluate an embedder of searchkit; mteb itself is imported only when it asks for the metadata.

import mteb
from searchkit import Library
from searchkit.evaluate.mteb_adapter import MtebEncoder

with Library() as library:
    mteb.evaluate(MtebEncoder(library.models.open("embeddinggemma-300m")), mteb.get_task("NFCorpus"))
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.embedder import Embedder, prefix
from searchkit.errors import ExtraMissingError, UsageError
from searchkit.types import Passage
from searchkit_indexes import Vectors

Batch = Mapping[str, Sequence[Any]]  # columns of texts by name: text; for documents also title and body


class MtebEncoder:
    """Wraps an embedder as mteb's `EncoderProtocol` (mteb 2), for texts.

    `dimension`: prefix of each vector to use, None for the full vector. Queries get the model's query prompt, documents its
    document prompt with their titles. Tasks with neither, such as classification, get the document prompt; the task's own
    prompts are ignored.
    """

    def __init__(self, embedder: Embedder, dimension: int | None = None) -> None:
        if dimension is not None and not 0 < dimension <= embedder.info.dimension:
            raise UsageError(
                f"The model {embedder.info.name} has {embedder.info.dimension} dimensions, not {dimension}."
            )
        self._embedder = embedder
        self._dimension = dimension or embedder.info.dimension

    def encode(
        self,
        inputs: Iterable[Batch],
        *,
        task_metadata: object = None,
        hf_split: str = "",
        hf_subset: str = "",
        prompt_type: str | None = None,
        **kwargs: object,
    ) -> Vectors:
        """Embed the texts of all batches: (n, dimension) unit vectors. Of the keywords only `prompt_type` has an effect."""
        del task_metadata, hf_split, hf_subset, kwargs
        is_query = prompt_type is not None and str(getattr(prompt_type, "value", prompt_type)) == "query"
        parts = [self._queries(batch) if is_query else self._documents(batch) for batch in inputs]
        vectors = np.concatenate(parts) if parts else self._embedder.embed_queries([])
        return vectors if self._dimension == self._embedder.info.dimension else prefix(vectors, self._dimension)

    def similarity(self, embeddings1: npt.ArrayLike, embeddings2: npt.ArrayLike) -> Vectors:
        """Compute (n, m) cosines of n vectors (or one) with m; all of unit length, as `encode` returns them."""
        cosines: Vectors = _rows(embeddings1) @ _rows(embeddings2).T
        return cosines

    def similarity_pairwise(self, embeddings1: npt.ArrayLike, embeddings2: npt.ArrayLike) -> Vectors:
        """Compute (n,) cosines of n pairs of vectors."""
        cosines: Vectors = np.einsum("ij,ij->i", _rows(embeddings1), _rows(embeddings2))
        return cosines

    @property
    def mteb_model_meta(self) -> Any:
        """The `mteb.ModelMeta` with the model's name, and its fingerprint as revision, so that results of another
        quantization or prefix are kept apart. Raises ExtraMissingError if mteb 2 is not installed.
        """
        try:
            from mteb.models.model_meta import ModelMeta, ScoringFunction
        except ImportError as error:
            raise ExtraMissingError(
                "The package mteb, version 2, is not installed.", remedy="Install it: pip install 'mteb>=2'"
            ) from error
        known = {
            "name": f"searchkit/{self._embedder.info.name}",
            "revision": f"{self._embedder.info.fingerprint}-{self._dimension}",
            "max_tokens": self._embedder.info.max_tokens,
            "embed_dim": self._dimension,
            "similarity_fn_name": ScoringFunction.COSINE,
            "framework": ["ONNX"],
            "use_instructions": True,
            "open_weights": True,
        }
        return ModelMeta.create_empty(overwrites=known)

    def _queries(self, batch: Batch) -> Vectors:
        return self._embedder.embed_queries(list(batch["text"]))

    def _documents(self, batch: Batch) -> Vectors:
        """Embed documents. "text" combines title and body; if both are given separately, the prompt has a slot for each."""
        texts = list(batch.get("body", batch["text"]))
        titles = list(batch.get("title", ())) if "body" in batch else []
        titles = titles or [""] * len(texts)
        passages = [Passage(title or "", text) for title, text in zip(titles, texts, strict=True)]
        return self._embedder.embed_documents(passages)


def _rows(embeddings: npt.ArrayLike) -> Vectors:
    """Convert to rows; a single vector becomes one row."""
    return np.atleast_2d(np.asarray(embeddings, np.float32))
