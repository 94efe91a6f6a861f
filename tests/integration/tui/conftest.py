"""A library over a few files, as the tests of the UI want it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.library import Library
from tests.support.driving import FILES, GatedEmbedder, write_files


@pytest.fixture
def embedder() -> Iterator[GatedEmbedder]:
    embedder = GatedEmbedder()
    yield embedder
    embedder.gate.set()
    embedder.warm.set()


@pytest.fixture
def library(tmp_path: Path, embedder: GatedEmbedder) -> Iterator[Library]:
    folder = write_files(tmp_path / "notes", FILES)
    with Library(tmp_path / "home", embedder=embedder) as library:
        library.index(folder)
        yield library
