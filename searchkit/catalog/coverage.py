"""How much of a collection can be searched, and how: counts for people who watch, quicker to get than a whole status."""

from dataclasses import dataclass

from searchkit.catalog.catalog import CatalogReader


@dataclass(frozen=True, slots=True)
class Coverage:
    """`vectors` of `passages` distinct passages, in `chunks` places, can be found by meaning with `model`."""

    collection: str
    model: str
    chunks: int
    passages: int
    vectors: int


def read_coverage(catalog: CatalogReader, collection: str, fingerprint: str) -> Coverage:
    """The coverage by the model of a fingerprint ("": by none)."""
    from searchkit.catalog import documents, vectors  # which bring NumPy: slow to load for who only shows the counts
    from searchkit.catalog.meta import MODEL, get_meta

    passages, covered = vectors.count_passages(catalog, fingerprint)
    model = get_meta(catalog, MODEL) or ""
    return Coverage(collection, model, documents.count_chunks(catalog), passages, covered)
