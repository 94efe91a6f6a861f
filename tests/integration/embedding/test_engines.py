"""Passages on another engine: which one is chosen, where the choice holds, and that nothing else changes by it."""

import json
from pathlib import Path

import numpy as np
import pytest

from searchkit.embedding import engine as engines
from searchkit.embedding.engine import Engine, chosen_engine, keep_engine
from searchkit.embedding.onnx_embedder import OnnxEmbedder, Run, Vector
from searchkit.embedding.openvino_session import OpenVinoSession
from searchkit.embedding.store import ModelStore
from searchkit.errors import ModelError
from searchkit.types import Passage
from tests.integration.test_command import Command
from tests.support.homes import copied

PASSAGES = [Passage("", f"Boiler number {n} has a pressure of {n} bar.") for n in range(12)]
NAME = "all-minilm-l6-v2"


@pytest.fixture
def home(small_model: Path, tmp_path: Path) -> Path:
    """A data directory with the small model, converted."""
    home = copied(small_model, tmp_path / "home")
    (home / "models" / NAME / "engine.json").unlink(missing_ok=True)  # the import measured, if it could
    return home


@pytest.fixture
def store(home: Path) -> ModelStore:
    """Its models."""
    return ModelStore(home / "models")


@pytest.mark.reference
def test_the_fastest_engine_is_measured_kept_and_gives_the_same_vectors(store: ModelStore, home: Path) -> None:
    pytest.importorskip("openvino")
    before = store.open(NAME).embed_documents(PASSAGES)
    found = store.measure(NAME)
    assert [each.engine for each in found.engines] == list(Engine)
    assert all(each.mean_cosine > (0.998 if each.engine is found.chosen else 0.99) for each in found.engines)
    assert store.engine(NAME)[0] is found.chosen
    for engine in Engine:
        store.use_engine(NAME, engine)
        embedder = store.open(NAME)
        embedder.use_from_now_on()
        assert (embedder.embed_documents(PASSAGES) * before).sum(axis=1).mean() > 0.99
        assert embedder.embed_many([]).shape == (0, 384)
    assert store.verify(NAME).problems == ()
    assert f"passages on {Engine.OPENVINO_BF16}" in Command(home)("models", "list").stdout


@pytest.mark.reference
@pytest.mark.parametrize("engine", [Engine.OPENVINO_INT8, Engine.OPENVINO_BF16])
@pytest.mark.parametrize("first", [1, 2, 3, 9])
def test_no_length_spoils_what_comes_after_it(store: ModelStore, engine: Engine, first: int) -> None:
    pytest.importorskip("openvino")
    run, expected = (store.open(NAME).runner(each) for each in (engine, Engine.ONNX_RUNTIME))
    for length in (first, 40, 1, 17, 100, first, 41):
        ids = np.arange(1000, 1000 + length)[None]
        assert float(run(ids) @ expected(ids)) > 0.98, length


@pytest.mark.reference
def test_a_vector_that_is_no_numbers_is_made_again_by_onnx_runtime(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr(OpenVinoSession, "vector", lambda *_: np.full(384, np.nan, np.float32))
    embedder = store.open(NAME)
    assert np.isfinite(embedder.runner(Engine.OPENVINO_INT8)(np.array([[101, 2000, 102]]))).all()


@pytest.mark.reference
def test_openvino_reports_to_nobody(store: ModelStore) -> None:
    """Its package brings one that sends events to its makers."""
    pytest.importorskip("openvino")
    import sys

    store.open(NAME).runner(Engine.OPENVINO_INT8)
    assert sys.modules.get("openvino_telemetry") is None


def test_a_choice_holds_for_the_machine_the_model_and_the_package_it_was_made_with(
    store: ModelStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "models" / NAME
    monkeypatch.setattr(engines, "is_installed", lambda: True)
    fingerprint = store.open(NAME).info.fingerprint
    assert chosen_engine(folder, fingerprint) == (Engine.ONNX_RUNTIME, None)
    keep_engine(folder, fingerprint, Engine.OPENVINO_INT8, 1.2)
    assert chosen_engine(folder, fingerprint) == (Engine.OPENVINO_INT8, 1.2)
    assert chosen_engine(folder, "another") == (Engine.ONNX_RUNTIME, None)
    monkeypatch.setattr(engines, "is_installed", lambda: False)
    assert chosen_engine(folder, fingerprint) == (Engine.ONNX_RUNTIME, None)
    monkeypatch.setattr(engines, "is_installed", lambda: True)
    monkeypatch.setattr(engines, "_machine", lambda: "another")
    assert chosen_engine(folder, fingerprint) == (Engine.ONNX_RUNTIME, None)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"engine": "abacus"}', "\x00", '{"engine": 1, "times_as_fast": []}']
)
def test_a_damaged_choice_is_none(store: ModelStore, home: Path, content: str) -> None:
    folder = home / "models" / NAME
    (folder / "engine.json").write_text(content)
    assert store.engine(NAME) == (Engine.ONNX_RUNTIME, None)
    assert store.is_sound(NAME)
    assert "engine.json is damaged" in store.verify(NAME).remark


def test_without_the_package_one_is_told_how_to_get_it(
    store: ModelStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda: False)
    for ask in (lambda: store.measure(NAME), lambda: store.use_engine(NAME, Engine.OPENVINO_INT8)):
        with pytest.raises(ModelError, match="openvino is not installed"):
            ask()
    store.use_engine(NAME, Engine.ONNX_RUNTIME)
    assert json.loads((home / "models" / NAME / "engine.json").read_text())["engine"] == "onnxruntime"


def test_few_texts_and_servers_stay_on_onnx_runtime(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Watched(OnnxEmbedder):
        def runner(self, engine: Engine) -> Run:
            opened.append(engine)
            return super().runner(Engine.ONNX_RUNTIME)

    monkeypatch.setattr(engines, "is_installed", lambda: True)
    store.use_engine(NAME, Engine.OPENVINO_INT8)
    folder = Path(store.open(NAME).folder)
    many = [f"text {n}" for n in range(300)]
    serving = Watched(folder)
    serving.serves_many = True
    few = Watched(folder)
    for embedder in (serving, few):
        assert np.isfinite(embedder.embed_many(many)).all()
        assert opened == []
    serving.embed_many(many)
    assert opened == []
    few.embed_many(many)
    assert opened == [Engine.OPENVINO_INT8]


def test_an_engine_that_fails_is_left(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(OnnxEmbedder):
        def runner(self, engine: Engine) -> Run:
            def run(_: object) -> Vector:
                raise RuntimeError(f"{engine} cannot compile this")

            return run

    monkeypatch.setattr(engines, "is_installed", lambda: True)
    store.use_engine(NAME, Engine.OPENVINO_INT8)
    embedder = Failing(store.open(NAME).folder)
    embedder.use_from_now_on()
    assert np.isfinite(embedder.embed_many(["one", "two"])).all()
