"""The engines by name. None is imported before it is requested."""

import importlib.util
from importlib import import_module

from benchmarks.ann.engine import Engine

NEIGHBOURS = {
    "faiss-flat": "benchmarks.ann.engines.faiss_engines:Flat",
    "faiss-ivf": "benchmarks.ann.engines.faiss_engines:Ivf",
    "faiss-hnsw": "benchmarks.ann.engines.faiss_engines:Hnsw",
    "hnswlib": "benchmarks.ann.engines.hnswlib_engine:Hnswlib",
    "rabitqlib-4bit": "benchmarks.ann.engines.rabitqlib_engine:RabitqLib",
    "rabitqlib-8bit": "benchmarks.ann.engines.rabitqlib_engine:RabitqLib8",
    "turbovec": "benchmarks.ann.engines.turbovec_engine:TurboVec",
    "usearch": "benchmarks.ann.engines.usearch_engine:Usearch",
    "lancedb": "benchmarks.ann.engines.lancedb_engine:LanceDb",
    "lancedb-ivf-pq": "benchmarks.ann.engines.lancedb_engine:LanceDbIndexed",
    "chroma": "benchmarks.ann.engines.chroma_engine:Chroma",
}
_OURS = "benchmarks.ann.ours"  # has ENGINES, the same kind of mapping


def engine_names() -> list[str]:
    """List all engines, ours first."""
    return list(_places())


def make_engine(name: str) -> Engine:
    """Create an engine with nothing open. Raises ModuleNotFoundError if its library is not installed."""
    module, _, attribute = _places()[name].partition(":")
    engine: Engine = getattr(import_module(module), attribute)()
    return engine


def _places() -> dict[str, str]:
    ours: dict[str, str] = import_module(_OURS).ENGINES if importlib.util.find_spec(_OURS) else {}
    return {**ours, **NEIGHBOURS}
