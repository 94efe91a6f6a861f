"""Embedding a collection with another model while the one in use answers, and switching at the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from searchkit.catalog.connection import reading
from searchkit.catalog.meta import MODEL
from searchkit.errors import ModelNotFoundError
from searchkit.home import Home, existing_collection
from searchkit.library import Library
from searchkit.maintenance.switch_model import embed_and_switch
from searchkit.reports import Progress
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

Open = Callable[[str], HashEmbedder]
FILES = 40


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, HashEmbedder]:
    """Two models that count as installed."""
    known = {name: HashEmbedder(name=name) for name in ("old", "new")}

    def require(_: object, name: str) -> None:
        if name not in known:
            raise ModelNotFoundError(f"No model named '{name}'.")

    monkeypatch.setattr("searchkit.embedding.store.ModelStore.require", require)
    monkeypatch.setattr("searchkit.embedding.store.ModelStore.names", lambda _: sorted(known))
    monkeypatch.setattr("searchkit.embedding.store.ModelStore.open", lambda _, name, *_progress: known[name])
    monkeypatch.setattr("searchkit.embedding.store.ModelStore.best", lambda _: "old")
    return known


@pytest.fixture
def home(tmp_path: Path, models: dict[str, HashEmbedder]) -> Path:
    """A collection of `old`."""
    for number in range(FILES):
        write(
            tmp_path / "docs" / f"{number}.txt",
            f"Note {number} speaks of subject{number} and of nothing else at all.\n",
        )
    with Library(tmp_path / "home") as library:
        library.index(tmp_path / "docs", model="old")
    return tmp_path / "home"


def model_of(home: Path) -> str | None:
    with reading(existing_collection(Home(home), "docs")) as connection:
        return connection.meta(MODEL)


def test_the_old_model_answers_until_the_last_vector_is_there(home: Path, models: dict[str, HashEmbedder]) -> None:
    found: list[str] = []
    with Library(home) as library, Library(home) as reader:

        def search(_: Progress) -> None:
            assert model_of(home) == "old"
            found.append(reader.search("subject7", mode="semantic", k=1)[0].path.name)

        assert embed_and_switch(library.collection("docs"), "new", search)
        assert found
        assert set(found) == {"7.txt"}
        assert model_of(home) == "new"
        before = len(models["old"].embedded)
        assert reader.search("subject9", mode="semantic", k=1)[0].path.name == "9.txt"
    assert len(models["new"].embedded) == FILES
    assert len(models["old"].embedded) == before


def test_an_interrupted_switch_changes_nothing_and_goes_on(home: Path, models: dict[str, HashEmbedder]) -> None:
    with Library(home) as library:
        assert not embed_and_switch(library.collection("docs"), "new", lambda _: None, lambda: True)
        assert model_of(home) == "old"
        half = len(models["new"].embedded)
        assert 0 < half < FILES
        assert embed_and_switch(library.collection("docs"), "new", lambda _: None)
    assert model_of(home) == "new"
    assert len(models["new"].embedded) == FILES


def test_the_way_back_embeds_nothing(home: Path, models: dict[str, HashEmbedder]) -> None:
    with Library(home) as library:
        embed_and_switch(library.collection("docs"), "new", lambda _: None)
        before = len(models["old"].embedded)
        assert embed_and_switch(library.collection("docs"), "old", lambda _: None)
        assert library.search("subject3", mode="semantic", k=1)[0].path.name == "3.txt"
    assert len(models["old"].embedded) == before


def test_a_model_that_is_not_there_is_refused(home: Path) -> None:
    with Library(home) as library, pytest.raises(ModelNotFoundError):
        embed_and_switch(library.collection("docs"), "nowhere", lambda _: None)
    assert model_of(home) == "old"
