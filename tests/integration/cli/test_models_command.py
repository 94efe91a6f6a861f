"""`models list`, `verify`, `remove` and the store behind them: sound models, damaged ones, and ones in use."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchkit.embedding.model_folder import checksum
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import BUNDLED, ModelStore, bundled_checkpoint
from searchkit.embedding.verify import COSINE_FLOORS, verify_model
from searchkit.errors import ModelError, ModelNotFoundError, UsageError
from searchkit.library import Library
from searchkit.maintenance.switch_model import switch_model
from tests.integration.test_command import Command, json_lines
from tests.support.errors import refused
from tests.support.files import write

pytestmark = [pytest.mark.minilm, pytest.mark.slow]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model, imported."""
    folder = tmp_path_factory.mktemp("models")
    checkpoint = bundled_checkpoint()
    assert checkpoint is not None
    ModelStore(folder).add(checkpoint, name="small")
    return folder / "small"


@pytest.fixture
def home(tmp_path: Path, sound: Path) -> Path:
    """A data directory with one sound model, `small`, whose files are its own."""
    shutil.copytree(sound, tmp_path / "home" / "models" / "small")
    return tmp_path / "home"


@pytest.fixture
def command(home: Path) -> Command:
    return Command(home)


def broken_models(home: Path) -> None:
    """Three folders among the models that cannot be read."""
    models = home / "models"
    write(models / "headless" / "weights.bin", "x" * 1000)
    write(models / "listed" / "model.json", "[]")
    write(models / "torn" / "model.json", '{"format": 1, "na')


def described(folder: Path) -> dict[str, Any]:
    """What model.json says, without the checksum of its own, which early versions did not write."""
    card: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    card.pop("seal", None)
    return card


def seal(folder: Path, name: str) -> None:
    """Note the present content of a file as the right one."""
    card = described(folder)
    card["checksums"][name] = checksum(folder / name)
    write(folder / "model.json", json.dumps(card))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_broken_models_are_listed_with_the_reason_and_the_remedy(command: Command, home: Path) -> None:
    broken_models(home)
    rows = {row["name"]: row for row in json_lines(command("models", "list", "--json"))}
    assert list(rows) == [BUNDLED, "headless", "listed", "small", "torn"]
    assert {name for name, row in rows.items() if row["broken"]} == {"headless", "listed", "torn"}
    assert (rows["headless"]["size_bytes"], rows["headless"]["dimension"]) == (1000, None)
    assert rows["small"]["default"] is True
    lines = command("models", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [BUNDLED, "headless", "listed", "*", "torn"]
    assert "  headless  broken: " in lines[1]
    assert lines[1].endswith("contains no model.json. Remove it: searchkit models remove headless")


def test_broken_models_do_not_stop_the_others(command: Command, home: Path, docs: Path) -> None:
    broken_models(home)
    store = ModelStore(home / "models")
    assert [card.name for card in store.installed()] == ["small"]
    assert store.names() == [BUNDLED, "small"]
    assert store.best() == "small"
    command("index", docs)
    assert "boiler.md" in command("search", "central heating", "-k", "1").stdout


def test_a_broken_model_that_is_asked_for_is_explained(command: Command, home: Path, docs: Path) -> None:
    broken_models(home)
    for arguments in (["models", "use", "torn"], ["index", docs, "--model", "torn"]):
        error = command(*arguments, code=1).stderr
        assert "The model 'torn' is broken. " in error
        assert error.endswith(
            "Import it again: searchkit models import FOLDER --name torn; or remove it: searchkit models remove torn\n"
        )
    shutil.rmtree(home / "models" / "small")
    write(home / "models" / BUNDLED / "model.json", "torn, too")
    store = ModelStore(home / "models")
    assert store.names() == []
    with refused(ModelNotFoundError, r"that can be read\. .*models pull; or"):
        store.best()
    with pytest.raises(ModelError, match=f"'{BUNDLED}' is broken"):
        store.open(BUNDLED)


def test_sound_models_are_verified_one_line_each(command: Command) -> None:
    result = command("models", "verify")
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [[BUNDLED, "ok"], ["small", "ok:"]]
    assert "cosine to the reference 0.99" in result.stdout
    row = json_lines(command("models", "verify", "small", "--json"))[0]
    assert (row["name"], row["ok"], row["problems"], row["remark"]) == ("small", True, [], "")
    assert COSINE_FLOORS["int8"] < float(str(row["worst_cosine"])) < float(str(row["mean_cosine"])) <= 1


@pytest.mark.parametrize(
    ("damage", "file", "problem"),
    [
        (flip_a_bit, "weights.bin", "weights.bin is damaged"),
        (cut, "weights.bin", "weights.bin is damaged"),
        (flip_a_bit, "model.onnx", "model.onnx is damaged"),
        (Path.unlink, "tokenizer.json", "tokenizer.json is missing"),
        (Path.unlink, "model.json", "contains no model.json"),
        (cut, "model.json", "is not a readable model folder"),
    ],
)
def test_a_damaged_model_fails_its_verification(
    command: Command, home: Path, damage: Callable[[Path], None], file: str, problem: str
) -> None:
    damage(home / "models" / "small" / file)
    result = command("models", "verify", code=1)
    assert result.stdout.splitlines()[0].startswith(f"{BUNDLED}  ok")
    failed = result.stdout.splitlines()[1]
    assert failed.startswith("small  FAILED: ")
    assert problem in failed
    assert failed.endswith("Remove it and get it again: searchkit models remove small")
    row = json_lines(command("models", "verify", "small", "--json", code=1))[0]
    assert row["ok"] is False
    assert problem in str(row["problems"])


def test_vectors_far_from_the_reference_fail(home: Path) -> None:
    folder = home / "models" / "small"
    reference = np.load(folder / "reference.npy")
    np.save(folder / "reference.npy", reference[::-1])
    seal(folder, "reference.npy")
    found = verify_model(folder)
    assert found.worst_cosine is not None
    assert found.worst_cosine < 0.5
    assert "too far from the reference" in found.problems[0]
    np.save(folder / "reference.npy", reference[:, :100])
    seal(folder, "reference.npy")
    assert "has the shape (40, 100), not (40, 384)" in verify_model(folder).problems[0]
    write(folder / "reference.npy", "no array")
    seal(folder, "reference.npy")
    assert len(verify_model(folder).problems) == 1


def test_a_model_without_reference_vectors_passes_with_a_remark(home: Path) -> None:
    folder = home / "models" / "small"
    card = described(folder)
    del card["checksums"]["reference.npy"]
    write(folder / "model.json", json.dumps(card))
    found = verify_model(folder)
    assert (found.problems, found.mean_cosine) == ((), None)
    assert "imported by an older version" in found.remark


def test_a_changed_description_is_a_problem_and_not_a_crash(home: Path) -> None:
    folder = home / "models" / "small"
    card = described(folder)
    changes: list[dict[str, object]] = [
        {"checksums": {}},
        {"checksums": 5},
        {"dimension": 100},
        {"prompts": {"query": 1, "document": "", "untitled": ""}},
        {"checksums": {**card["checksums"], "../small/model.onnx": card["checksums"]["model.onnx"]}},
    ]
    write(folder / "model.json", json.dumps(card))
    assert not verify_model(folder).problems
    for change in changes:
        write(folder / "model.json", json.dumps({**card, **change}))
        assert verify_model(folder).problems, change


def test_every_quantization_has_a_floor() -> None:
    assert {kind.value for kind in Quantization} == set(COSINE_FLOORS)


def test_an_import_that_fails_its_verification_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = bundled_checkpoint()
    assert checkpoint is not None
    monkeypatch.setitem(COSINE_FLOORS, "int8", 1.1)
    with pytest.raises(ModelError, match=r"did not pass its verification, and was deleted. Its vectors are"):
        ModelStore(tmp_path / "models").add(checkpoint, name="small")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_removed_model_is_gone_and_no_longer_the_default(command: Command, home: Path) -> None:
    command("models", "use", "small")
    assert (home / "config.toml").read_text("utf-8") == 'model = "small"\n'
    assert command("models", "remove", "small").stderr.startswith("Removed small: 3")
    assert list((home / "models").iterdir()) == []
    assert (home / "config.toml").read_text("utf-8") == ""
    assert "* all-minilm-l6-v2" in command("models", "list").stdout


def test_a_model_in_use_is_removed_by_force_only(command: Command, home: Path, docs: Path) -> None:
    command("index", docs, "-c", "work")
    command("index", docs, "-c", "play")
    error = command("models", "remove", "small", code=1).stderr
    assert "'small' is used by: play, work. Switch to another first: searchkit models use NAME -c play" in error
    assert "--force" in error
    assert (home / "models" / "small").is_dir()
    command("models", "remove", "small", "--force")
    assert not (home / "models" / "small").exists()
    assert "bread.txt" in command("search", "dough", "-k", "1", "--mode", "lexical").stdout


def test_broken_models_can_be_removed_and_nothing_else(command: Command, home: Path) -> None:
    broken_models(home)
    write(home / "precious" / "file", "x")
    for name in ("headless", "listed", "torn"):
        assert f"Removed {name}: " in command("models", "remove", name).stderr
    for name in ("../precious", ".", "..", "", "gpt", str(home / "precious")):
        refusal = command("models", "remove", name, code=1).stderr
        assert f"No model named '{name}'. Installed: {BUNDLED}, small." in refusal
    assert (home / "precious" / "file").is_file()
    assert [path.name for path in (home / "models").iterdir()] == ["small"]
    assert f"Uninstall its package, gt-{BUNDLED}, with pip" in command("models", "remove", BUNDLED, code=1).stderr


def test_the_bundled_model_is_converted_again_after_its_removal(home: Path) -> None:
    with Library(home) as library:
        assert library.models.open(BUNDLED).info.dimension == 384
        flip_a_bit(home / "models" / BUNDLED / "weights.bin")
        assert library.models.verify(BUNDLED).problems
        assert library.remove_model(BUNDLED) > 20_000_000
        assert library.models.verify(BUNDLED).remark.startswith("not converted yet")
        assert library.models.open(BUNDLED).info.dimension == 384
        assert library.models.verify(BUNDLED).problems == ()


def test_a_library_lets_go_of_a_model_that_it_removes(home: Path, docs: Path) -> None:
    with Library(home) as library:
        library.index(docs, model="small", collection="mine")
        assert library.collections_using("small") == ["mine"]
        with pytest.raises(UsageError, match="is used by: mine"):
            library.remove_model("small")
        switch_model(library.collection("mine"), BUNDLED)
        library.remove_model("small")
        assert library.collections_using("small") == []
        with pytest.raises(ModelNotFoundError):
            library.remove_model("small")
