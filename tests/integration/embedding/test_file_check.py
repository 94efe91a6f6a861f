"""A model is believed while its files are those whose checksums are in model.json, which has one itself."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from searchkit.embedding import model_folder
from searchkit.embedding.model_folder import CARD_FILE, CHECKED_FILE, WEIGHTS_FILE, read_model_card
from searchkit.embedding.store import BUNDLED, ModelStore
from searchkit.errors import ModelError
from searchkit.library import Library
from tests.support.errors import refused

pytestmark = pytest.mark.minilm


@pytest.fixture
def store(small_model: Path, tmp_path: Path) -> ModelStore:
    """A store with a small model of its own, which may be damaged."""
    shutil.copytree(small_model / "models", tmp_path / "home" / "models")
    return ModelStore(tmp_path / "home" / "models")


@pytest.fixture
def folder(store: ModelStore, tmp_path: Path) -> Path:
    return tmp_path / "home" / "models" / BUNDLED


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read whole."""
    names: list[str] = []
    checksum = model_folder.checksum

    def noted(path: Path) -> str:
        names.append(path.name)
        return checksum(path)

    monkeypatch.setattr(model_folder, "checksum", noted)
    return names


def flip(path: Path, *, keep_time: bool = False) -> None:
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(status.st_size // 2)
        byte = file.read(1)[0]
        file.seek(status.st_size // 2)
        file.write(bytes([byte ^ 0x40]))
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_flipped_bit_in_the_weights_is_found_before_anything_is_embedded(store: ModelStore, folder: Path) -> None:
    flip(folder / WEIGHTS_FILE)
    with refused(ModelError, "weights.bin is damaged.*models pull"):
        store.open(BUNDLED).embed_queries(["anything"])


def test_files_are_read_once_and_again_when_one_has_changed(store: ModelStore, folder: Path, read: list[str]) -> None:
    store.open(BUNDLED).embed_queries(["anything"])
    assert WEIGHTS_FILE in read
    read.clear()
    store.open(BUNDLED).embed_queries(["anything"])
    store.check(BUNDLED)
    assert read == []
    os.utime(folder / WEIGHTS_FILE)
    store.check(BUNDLED)
    assert WEIGHTS_FILE in read


def test_an_index_run_reads_them_again_after_a_week(store: ModelStore, folder: Path) -> None:
    store.check(BUNDLED)
    flip(folder / WEIGHTS_FILE, keep_time=True)
    store.check(BUNDLED)
    checked = folder / CHECKED_FILE
    known = json.loads(checked.read_bytes())
    checked.write_text(json.dumps({**known, "at": time.time() - 8 * 86400}), "utf-8")
    with refused(ModelError, "weights.bin is damaged"):
        store.check(BUNDLED)


def test_models_verify_reads_them_always(store: ModelStore, folder: Path) -> None:
    assert store.verify(BUNDLED).problems == ()
    flip(folder / WEIGHTS_FILE, keep_time=True)
    assert store.verify(BUNDLED).problems == ("weights.bin is damaged: its SHA-256 is not the one in model.json.",)
    with refused(ModelError, "weights.bin is damaged"):  # what was remembered is forgotten
        store.check(BUNDLED)


def test_where_nothing_can_be_written_they_are_read_by_each_process(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_folder, "write_atomically", refuse)
    for _ in range(2):
        read.clear()
        store.check(BUNDLED)
        assert WEIGHTS_FILE in read


@pytest.mark.parametrize("nonsense", ["", "[]", '{"state": 1}', "\x00"])
def test_a_damaged_record_of_the_check_is_no_check(
    nonsense: str, store: ModelStore, folder: Path, read: list[str]
) -> None:
    (folder / CHECKED_FILE).write_text(nonsense, "utf-8")
    store.check(BUNDLED)
    assert WEIGHTS_FILE in read


def test_a_model_json_of_which_a_value_has_changed_is_damaged(folder: Path) -> None:
    card = folder / CARD_FILE
    sound = card.read_text("utf-8")
    for old, new in (
        ('"max_tokens": 2', '"max_tokens": 3'),
        ('"long_tokens": 1', '"long_tokens": 2'),
        ('"seal"', '"sehl"'),
    ):
        assert old in sound
        card.write_text(sound.replace(old, new), "utf-8")
        with refused(ModelError, "is damaged.*models pull"):
            read_model_card(folder)


def test_a_model_json_of_an_earlier_version_gets_its_checksum_once_the_files_were_found_sound(
    store: ModelStore, folder: Path
) -> None:
    card = folder / CARD_FILE
    content = json.loads(card.read_text("utf-8"))
    del content["seal"]
    card.write_text(json.dumps(content), "utf-8")
    (folder / CHECKED_FILE).unlink(missing_ok=True)
    assert store.verify(BUNDLED).problems == ()
    assert "seal" in json.loads(card.read_text("utf-8"))


def test_an_index_run_with_a_damaged_model_changes_nothing(store: ModelStore, folder: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "bread.txt").write_text("Knead the dough and let it rest.")
    flip(folder / WEIGHTS_FILE)
    with Library(tmp_path / "home") as library:
        with refused(ModelError, "weights.bin is damaged.*models pull"):
            library.index(docs)
        assert library.collections() == []
