"""A folder that takes a while to index, and the collection that an undisturbed run makes of it."""

from pathlib import Path

import pytest

from searchkit.library import Library
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of several formats and lengths, with copies among them. For reading only."""
    root = tmp_path_factory.mktemp("long") / "docs"
    for i in range(30):
        sections = "".join(
            f"## Chapter {c}\n\n{' '.join(f'Number {i} in chapter {c} says {w * i}.' for w in range(40))}\n\n"
            for c in range(4)
        )
        write(root / f"part{i % 3}" / f"doc{i}.md", f"# Document {i}\n\n{sections}")
    for i in range(5):
        write(root / f"copy{i}.txt", "A copied text about the boiler pressure.")
    (root / "bad.md").write_bytes(b"\x00\x00")
    return root


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A data directory in which the folder is indexed. For reading only."""
    home = tmp_path_factory.mktemp("calm") / "home"
    with Library(home, embedder=HashEmbedder()) as library:
        library.index(folder)
    return home
