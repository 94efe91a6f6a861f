"""Vectors that a damaged model made are found, whatever their checksums, and made again."""

from pathlib import Path

import numpy as np
import pytest

from searchkit.catalog import vectors
from searchkit.embedding.open_models import OpenModels
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

FILES = 40


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The state of the model's files, which a test may change."""
    states = ["sound"]
    monkeypatch.setattr(OpenModels, "check", lambda *_: states[-1])
    return states


@pytest.fixture
def indexed(library: Library, tmp_path: Path, state: list[str]) -> Path:
    folder = tmp_path / "notes"
    for number in range(FILES):
        write(folder / f"{number}.txt", f"Note {number} is about subject{number} and nothing else.")
    library.index(folder)
    return folder


def ruin(library: Library, above: int) -> None:
    """Store vectors that a damaged model could have made, with checksums that are right."""
    with library.collection("notes").writing() as catalog, catalog.transaction():
        fingerprint = HashEmbedder().info.fingerprint
        hashes = [
            content_hash
            for (content_hash,) in catalog.execute(
                "SELECT content_hash FROM vectors WHERE id > ? ORDER BY id", (above,)
            )
        ]
        vectors.remove_vectors(catalog, fingerprint, above=above)
        wrong = np.random.default_rng(0).standard_normal((len(hashes), 64)).astype(np.float32)
        vectors.put_vectors(catalog, fingerprint, hashes, wrong / np.linalg.norm(wrong, axis=1, keepdims=True))


def similarities(library: Library) -> list[float | None]:
    return [library.search(f"subject{n}", k=1)[0].evidence.similarity for n in range(FILES)]


@pytest.mark.parametrize("above", [0, 25])
def test_the_next_run_after_the_model_was_mended_makes_them_again(
    above: int, library: Library, indexed: Path, state: list[str], embedder: HashEmbedder
) -> None:
    before = similarities(library)
    ruin(library, above)
    state.append("mended")
    embedder.embedded.clear()
    report = library.index(indexed)
    assert report.embedded == report.remade >= FILES - above
    assert similarities(library) == before
    embedder.embedded.clear()
    assert library.index(indexed).remade == 0
    assert embedder.embedded == []  # nothing is compared while the files are the same


def test_verify_finds_them_and_rebuild_makes_them_again(library: Library, indexed: Path) -> None:
    before = similarities(library)
    ruin(library, 0)
    [damage] = verify_collection(library.collection("notes"))
    assert damage.part == "vectors"
    assert "not those of the model 'hash'" in damage.what
    assert rebuild_collection(library.collection("notes"), [], lambda _: None).run.remade == FILES
    assert verify_collection(library.collection("notes")) == []
    assert similarities(library) == before


def test_vectors_that_are_no_numbers_are_found(library: Library, indexed: Path, state: list[str]) -> None:
    with library.collection("notes").writing() as catalog, catalog.transaction():
        fingerprint = HashEmbedder().info.fingerprint
        [(content_hash,)] = catalog.execute("SELECT content_hash FROM vectors ORDER BY id LIMIT 1").fetchall()
        vectors.remove_vectors(catalog, fingerprint)
        vectors.put_vectors(catalog, fingerprint, [content_hash], np.full((1, 64), np.nan, np.float32))
    state.append("mended")
    assert library.index(indexed).remade == 1
