"""What embedders that stand before another one have in common."""

from searchkit.embedding.embedder import Embedder, root_fingerprint


class WrappedEmbedder:
    """Says of itself what the embedder behind it does; how it embeds is for those made from it."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.dimension = embedder.dimension
        self.prefix_dimensions = embedder.prefix_dimensions
        self.fingerprint = embedder.fingerprint
        self.root_fingerprint = root_fingerprint(embedder)
        self.max_tokens = embedder.max_tokens
        self.similarity_range = embedder.similarity_range
        self.count_tokens = embedder.count_tokens
        self.token_vectors = embedder.token_vectors
        self._embedder = embedder
