"""A model that is damaged: words are still found, everywhere, with a note; meaning alone is refused with the remedy."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from searchkit.cli.main import cli
from searchkit.display import error_text, note_remedy, note_text, remedy_text
from searchkit.embedding.model_folder import GRAPH_FILE, WEIGHTS_FILE, read_model_card
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.store import BUNDLED
from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from searchkit.types import NoteKind, SearchMode
from tests.support.driving import Session, drive
from tests.support.errors import refused
from tests.support.homes import copied
from tests.support.mcp_tool import search_by_mcp

pytestmark = pytest.mark.minilm
AGAIN = f"Get it again: searchkit models pull {BUNDLED}"


def remove(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def own_copy(indexed: Path, home: Path) -> Path:
    """Copy the data directory, the files of its model too: they are to be damaged."""
    shutil.copytree(indexed, home)
    return home


@pytest.fixture(scope="module")
def indexed(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a collection whose folder is beside it."""
    place = tmp_path_factory.mktemp("indexed")
    folder = place / "docs"
    folder.mkdir()
    (folder / "boiler.md").write_text("# Boiler\n\nTop up the water until the gauge shows two bar.\n")
    (folder / "bread.txt").write_text("Knead the dough, let it rest overnight and bake it hot.\n")
    with Library(copied(small_model, place / "home")) as library:
        library.index(folder)
    return place / "home"


@pytest.fixture
def damaged(indexed: Path, tmp_path: Path) -> Iterator[Library]:
    """The same with a graph of which half is left."""
    home = own_copy(indexed, tmp_path / "home")
    cut(home / "models" / BUNDLED / GRAPH_FILE)
    with Library(home) as library:
        yield library


@pytest.mark.parametrize("damage", [remove, cut])
def test_whatever_is_damaged_words_are_found_and_the_note_says_how_to_mend_it(
    damage: Callable[[Path], None], indexed: Path, tmp_path: Path
) -> None:
    files = sorted(read_model_card(indexed / "models" / BUNDLED).checksums)
    assert {GRAPH_FILE, WEIGHTS_FILE} < set(files)
    unharmed = set()
    for name in [*files, "model.json"]:
        home = own_copy(indexed, tmp_path / name)
        damage(home / "models" / BUNDLED / name)
        with Library(home) as library:
            response = library.find(SearchRequest("dough"))
            assert response.hits[0].path.name == "bread.txt", name
            if not response.notes:
                assert response.hits[0].evidence.similarity is not None, name
                unharmed.add(name)
                continue
            [note] = response.notes
            remedy = note_remedy(note)
            assert (note.kind, note.values) == (NoteKind.WORDS_ONLY, ("docs",)), name
            assert remedy is not None, name
            is_no_model = name == "model.json" and damage is remove
            mend = f"Remove it: searchkit models remove {BUNDLED}" if is_no_model else AGAIN
            assert remedy_text(remedy).startswith(mend), (name, remedy_text(remedy))
            with refused(ModelError, f"{mend}.*--mode lexical"):
                library.search("dough", mode=SearchMode.SEMANTIC)
            assert library.search("dough", mode=SearchMode.LEXICAL)
    assert not unharmed & {GRAPH_FILE, WEIGHTS_FILE, "tokenizer.json", "model.json"}


def test_vectors_that_are_not_numbers_are_damage(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Session:
        def run(self, *_: object) -> list[list[np.ndarray]]:
            return [[np.full(384, np.nan, np.float32)]]

    monkeypatch.setattr(OnnxEmbedder, "_session", lambda *_: Session())
    with Library(copied(indexed, tmp_path / "home")) as library:
        [note] = library.find(SearchRequest("dough")).notes
        assert "not numbers" in note_text(note)


def test_http_and_mcp_find_words_and_say_so(damaged: Library) -> None:
    state = open_state(damaged, ServeOptions(workers=1))
    try:
        with TestClient(make_api(state)) as client:
            answer = client.post("/search", json={"query": "dough"})
            semantic = client.post("/search", json={"query": "dough", "mode": "semantic"})
    finally:
        close_state(state, 10)
    assert answer.status_code == 200
    assert answer.json()["hits"][0]["path"].endswith("bread.txt")
    assert "docs: searched by words alone" in str(answer.json()["notes"])
    assert semantic.status_code >= 400
    assert "is damaged (model.onnx is damaged" in semantic.text
    told = search_by_mcp(damaged, "dough", 3)
    assert "docs: searched by words alone" in str(told["notes"])
    assert f"searchkit models pull {BUNDLED}" in str(told["notes"])


def test_the_command_finds_words_and_says_so(damaged: Library) -> None:
    environment = {"SEARCHKIT_HOME": str(damaged.home.path)}
    found = CliRunner().invoke(cli, ["search", "dough"], env=environment)
    assert found.exit_code == 0
    assert "bread.txt" in found.stdout
    assert AGAIN in found.stderr
    semantic = CliRunner().invoke(cli, ["search", "dough", "--mode", "semantic"], env=environment)
    assert isinstance(semantic.exception, ModelError)
    assert AGAIN in error_text(semantic.exception)
    assert "--mode lexical" in error_text(semantic.exception)


def test_the_terminal_ui_finds_words_and_says_so(damaged: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: any("is damaged (model.onnx is damaged" in each for each in session.toasts))
        await session.search("dough")
        assert session.names[:1] == ["bread.txt"]
        await session.until(lambda: "by words alone" in session.seen)

    drive(damaged, scenario, columns=160)


def test_the_command_that_is_named_mends_it_and_the_same_library_finds_meaning_again(damaged: Library) -> None:
    assert [note.kind for note in damaged.find(SearchRequest("dough")).notes] == [NoteKind.WORDS_ONLY]
    mended = CliRunner().invoke(cli, ["models", "pull", BUNDLED], env={"SEARCHKIT_HOME": str(damaged.home.path)})
    assert mended.exit_code == 0, mended.output
    found = damaged.find(SearchRequest("dough"))
    assert found.notes == ()
    assert found.hits[0].evidence.similarity is not None


def test_a_sound_model_is_not_replaced(damaged: Library, indexed: Path) -> None:
    shutil.rmtree(damaged.home.models / BUNDLED)
    shutil.copytree(indexed / "models" / BUNDLED, damaged.home.models / BUNDLED)
    with refused(ModelError, "installed already"):
        damaged.models.free_name(BUNDLED)


def test_a_model_that_came_with_its_package_need_not_be_pulled(indexed: Path) -> None:
    pulled = CliRunner().invoke(cli, ["models", "pull", BUNDLED], env={"SEARCHKIT_HOME": str(indexed)})
    assert (pulled.exit_code, pulled.stderr) == (0, f"{BUNDLED} is installed already.\n")
