"""Calibration, quantization and the checks of an import.

On copies of MiniLM, which import sooner, that know the words of the texts here only and give them the same ids.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from searchkit.cli.main import cli
from searchkit.display import note_text
from searchkit.embedding import calibrate as calibration
from searchkit.embedding import import_model as import_module
from searchkit.embedding.calibrate import Calibration, calibrate
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.embedder import normalized
from searchkit.embedding.graph.bert import BertEncoder
from searchkit.embedding.import_model import import_model, known_vectors
from searchkit.embedding.model_folder import ModelCard, checksum, read_model_card
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit.embedding.store import ModelStore, bundled_checkpoint
from searchkit.embedding.tokenizer import FastTokenizer
from searchkit.embedding.verify import COSINE_FLOORS, verify_model
from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.types import NoteKind, Passage, SearchMode
from searchkit_indexes import Vectors
from tests.integration.test_command import Command, json_lines
from tests.support.hash_embedder import HashEmbedder

pytestmark = [pytest.mark.minilm, pytest.mark.slow]
FP32, INT4 = Quantization.FP32, Quantization.INT4
LAYERS = 6
SHALLOW = 1  # layers of the copy for what does not depend on all of them
MARKS = 104  # the first ids are those of [CLS], [SEP] and the like
WIDTHS = {"qkv": 384, "attention.output.dense": 384, "up": 384, "output.dense": 1536}  # inputs of a layer's products
TEXTS = (
    "",
    "a",
    "The lease ends in March; the deposit is paid back within six weeks.",
    "Der Vertrag verlängert sich um ein Jahr. " * 10,
    "Radiators are bled from the ground floor up, the pump switched off. " * 40,  # longer than the model reads
)
PASSAGES = [
    Passage("Boiler", "Top up the water until the gauge shows two bar. " * 6),
    Passage("", "Knead the dough, let it rest overnight and bake it hot. " * 6),
    Passage("Roses", "Prune the roses in March, above an outward bud. " * 6),
]
Tensor = npt.NDArray[np.generic]


def minilm() -> Path:
    checkpoint = bundled_checkpoint()
    assert checkpoint is not None
    return checkpoint


def write_checkpoint(source: Path, target: Path, tensors: Mapping[str, Tensor], **changes: object) -> Path:
    """A copy of a checkpoint with other tensors, and another configuration to go with them."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"))
    change_json(target / "config.json", **changes)
    save_file(dict(tensors), target / "model.safetensors")
    return target


def token_ids(checkpoint: Path, texts: Sequence[str]) -> list[list[int]]:
    tokenizer = FastTokenizer(checkpoint / "tokenizer.json")
    return [tokenizer.encode(text, 256) for text in texts]


def shrink(source: Path, target: Path, layers: int) -> Path:
    """A checkpoint's first layers, and the words that are needed here; these keep their order and lose their numbers."""
    sample, passages = sum(SAMPLE_PAIRS, ()), [text for passage in PASSAGES for text in (passage.title, passage.text)]
    texts = [*sample, *TEXTS, *passages]
    used = {number for ids in token_ids(source, texts) for number in ids}
    kept = [*range(MARKS), *sorted(used - set(range(MARKS)))]
    tensors = {
        name: tensor[kept] if name == "embeddings.word_embeddings.weight" else tensor
        for name, tensor in load_file(source / "model.safetensors").items()
        if not name.startswith("encoder.layer.") or int(name.split(".")[2]) < layers
    }
    write_checkpoint(source, target, tensors, num_hidden_layers=layers, vocab_size=len(kept))
    model = json.loads((source / "tokenizer.json").read_text("utf-8"))["model"]
    words = {number: word for word, number in model["vocab"].items()}
    vocabulary = {words[number]: place for place, number in enumerate(kept)}
    change_json(target / "tokenizer.json", model={**model, "vocab": vocabulary})
    return target


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Imported:
    """A model folder, and the vectors it gives to TEXTS."""

    folder: Path
    card: ModelCard
    vectors: Vectors


OpenModel = Callable[[Quantization], Imported]


def imported(source: Path, target: Path, quantization: Quantization, passages: list[Passage] | None = None) -> Imported:
    card = import_model(source, target, quantization=quantization, passages=passages or [])
    return Imported(target, card, OnnxEmbedder(target).embed_many(TEXTS))


def cosines(a: Vectors, b: Vectors) -> Vectors:
    """Of unit vectors, row by row."""
    found: Vectors = (a * b).sum(axis=1)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All layers of MiniLM, and few words."""
    return shrink(minilm(), tmp_path_factory.mktemp("checkpoints") / "whole", LAYERS)


@pytest.fixture(scope="module")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first layers, and few words."""
    return shrink(minilm(), tmp_path_factory.mktemp("checkpoints") / "shallow", SHALLOW)


@pytest.fixture(scope="module")
def open_whole(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenModel:
    """Imports it once for each quantization."""
    folder = tmp_path_factory.mktemp("models")
    return cache(lambda quantization: imported(whole, folder / quantization, quantization))


@pytest.fixture(scope="module")
def plain(shallow: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """The shallow copy in 4 bits, calibrated with the built-in sample only."""
    return imported(shallow, tmp_path_factory.mktemp("models") / "plain", INT4)


def observe(checkpoint: Path, texts: Sequence[str]) -> Calibration:
    return calibrate(Checkpoint(checkpoint), BertEncoder, token_ids(checkpoint, texts))


# Calibration


def test_vectors_of_a_layer_at_a_time_are_those_of_the_whole_model(whole: Path, open_whole: OpenModel) -> None:
    found = observe(whole, TEXTS)
    assert found.vectors.shape == (len(TEXTS), 384)
    assert cosines(found.vectors, open_whole(FP32).vectors).min() > 0.99999


def test_the_inputs_of_every_product_are_observed(shallow: Path) -> None:
    observed = observe(shallow, TEXTS).observed
    expected = {f"encoder.layer.{layer}.{name}": width for layer in range(SHALLOW) for name, width in WIDTHS.items()}
    assert {group: inputs.largest.shape for group, inputs in observed.items()} == {
        group: (width,) for group, width in expected.items()
    }
    for group, inputs in observed.items():
        assert inputs.gram.shape == (expected[group], expected[group])
        assert inputs.gram.dtype == inputs.largest.dtype == np.float32
        np.testing.assert_allclose(inputs.gram, inputs.gram.T, rtol=1e-3, atol=1e-2)
        diagonal, tokens = inputs.gram.diagonal(), sum(map(len, token_ids(shallow, TEXTS)))
        assert (inputs.largest**2 <= diagonal * 1.001).all()
        assert (diagonal <= tokens * inputs.largest**2 * 1.001).all()


def test_observations_of_several_texts_are_joined(shallow: Path) -> None:
    both, first, second = (observe(shallow, texts).observed for texts in (TEXTS, TEXTS[:2], TEXTS[2:]))
    for group, inputs in both.items():
        np.testing.assert_allclose(inputs.largest, np.maximum(first[group].largest, second[group].largest), rtol=1e-4)
        np.testing.assert_allclose(inputs.gram, first[group].gram + second[group].gram, rtol=1e-3, atol=1e-2)


def test_passages_change_how_weights_are_rounded_and_little_else(
    shallow: Path, plain: Imported, tmp_path: Path
) -> None:
    calibrated = imported(shallow, tmp_path / "calibrated", INT4, PASSAGES)
    assert calibrated.card.fingerprint != plain.card.fingerprint
    assert cosines(calibrated.vectors, plain.vectors).min() > 0.98
    assert verify_model(calibrated.folder).problems == ()


# The command


@pytest.fixture
def home(tmp_path: Path, docs: Path) -> Path:
    """A data directory with one collection, `house`, that was indexed with another embedder."""
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        library.index(docs, collection="house")
    return tmp_path / "home"


def test_an_import_is_calibrated_on_a_collection(home: Path, shallow: Path, plain: Imported) -> None:
    command = Command(home)
    result = command("models", "import", shallow, "--quantization", "int4", "--calibrate", "house")
    assert result.stdout == ""
    assert re.sub("Converting: .*\n", "", result.stderr).startswith("Imported shallow-int4: 384 dimensions, int4, ")
    folder = home / "models" / "shallow-int4"
    card = read_model_card(folder)
    assert (card.quantization, card.source["checkpoint"]) == (INT4, "shallow")
    assert card.checksums["weights.bin"] != plain.card.checksums["weights.bin"]
    exact, expected = (np.load(model / "reference.npy") for model in (folder, plain.folder))
    np.testing.assert_allclose(exact, expected, atol=1e-3)


def test_an_unknown_collection_is_refused_before_anything_is_written(home: Path, shallow: Path) -> None:
    before = sorted(home.rglob("*"))
    error = Command(home)("models", "import", shallow, "--calibrate", "garage", code=1).stderr
    assert "No collection named 'garage'" in error
    assert sorted(home.rglob("*")) == before


# What an import is checked against


@pytest.mark.parametrize("quantization", list(Quantization))
def test_every_quantization_passes_its_verification(open_whole: OpenModel, quantization: Quantization) -> None:
    model = open_whole(quantization)
    assert model.card.quantization is quantization
    found = verify_model(model.folder)
    assert found.problems == ()
    assert found.worst_cosine is not None
    assert found.worst_cosine > COSINE_FLOORS[quantization.value]


def test_the_exact_vectors_of_an_import_are_those_of_sentence_transformers(open_whole: OpenModel) -> None:
    known = np.load(known_vectors(checksum(minilm() / "model.safetensors"))).astype(np.float32)
    for quantization in (FP32, INT4):
        kept = np.load(open_whole(quantization).folder / "reference.npy").astype(np.float32)
        assert cosines(normalized(kept), normalized(known)).min() > 0.9999
    assert not known_vectors("0" * 64).is_file()


def test_an_import_that_differs_from_the_known_vectors_is_refused_and_leaves_nothing(
    shallow: Path, plain: Imported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = np.load(plain.folder / "reference.npy")
    np.save(tmp_path / "known.npy", exact)
    monkeypatch.setattr(import_module, "known_vectors", lambda _: tmp_path / "known.npy")
    import_model(shallow, tmp_path / "right")
    np.save(tmp_path / "known.npy", exact[::-1])
    with pytest.raises(ModelError, match="differ from those of sentence-transformers"):
        import_model(shallow, tmp_path / "wrong")
    with pytest.raises(ModelError, match="differ from those of sentence-transformers"):
        ModelStore(tmp_path / "models").add(shallow, name="wrong")
    assert {path.name for path in tmp_path.iterdir()} == {"known.npy", "right", "models"}
    assert list((tmp_path / "models").iterdir()) == []


def test_a_changed_configuration_of_known_weights_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint"
    shutil.copytree(minilm(), source)
    change_json(source / "config.json", num_attention_heads=6)
    with pytest.raises(ModelError, match="configuration may have been changed"):
        import_model(source, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16])
def test_weights_in_half_precision_give_nearly_the_same_vectors(
    shallow: Path, tmp_path: Path, half: npt.DTypeLike
) -> None:
    tensors = load_file(shallow / "model.safetensors")
    halves = {name: tensor.astype(half) if tensor.dtype == np.float32 else tensor for name, tensor in tensors.items()}
    source = write_checkpoint(shallow, tmp_path / "halved", halves)
    assert (source / "model.safetensors").stat().st_size < 0.6 * (shallow / "model.safetensors").stat().st_size
    exact, halved = imported(shallow, tmp_path / "exact", FP32), imported(source, tmp_path / "half", FP32)
    assert cosines(halved.vectors, exact.vectors).min() > 0.999


# Products that 8 bits would distort


def plant(source: Path, target: Path, layers: Sequence[int]) -> Path:
    """A copy that gives the same vectors in floats, in which some values of attention are a hundred times the others."""
    tensors = dict(load_file(source / "model.safetensors"))
    for layer in layers:
        at, channels = f"encoder.layer.{layer}.attention.", [5, 77, 200]
        value, bias, out = (f"{at}self.value.weight", f"{at}self.value.bias", f"{at}output.dense.weight")
        tensors |= {name: tensors[name].astype(np.float32) for name in (value, bias, out)}
        tensors[value][channels] *= 100
        tensors[bias][channels] *= 100
        tensors[out][:, channels] /= 100
    return write_checkpoint(source, target, tensors)


@pytest.fixture(scope="module")
def planted(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(whole, tmp_path_factory.mktemp("checkpoints") / "planted", (0, 1, 2))


def test_products_with_outliers_stay_in_floats(planted: Path, open_whole: OpenModel, tmp_path: Path) -> None:
    found = import_model(planted, tmp_path / "planted").fidelity
    assert found is not None and found.is_enough
    assert 0 < len(found.floats) <= 3
    assert all(name.endswith("attention.output.dense") for name in found.floats)
    usual = open_whole(Quantization.INT8).card.fidelity
    assert usual is not None and usual.is_enough and usual.floats == ()
    assert read_model_card(tmp_path / "planted").fidelity == found


def test_without_floats_the_import_says_what_helps(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_MOST_FLOATS", 0)
    monkeypatch.setitem(COSINE_FLOORS, "int8", 0.5)
    environment = {"SEARCHKIT_HOME": str(tmp_path)}
    said = CliRunner().invoke(cli, ["models", "import", str(planted)], env=environment).stderr
    assert "Warning: its vectors are not quite its own" in said
    assert "--quantization weights8" in said
    found = read_model_card(tmp_path / "models" / "planted").fidelity
    assert found is not None and not found.is_enough and found.floats == ()
    finer = import_model(planted, tmp_path / "finer", quantization=Quantization.WEIGHTS8).fidelity
    assert finer is not None and finer.mean_cosine > 0.998


# Models that do not distinguish texts


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM with random weights."""
    random = np.random.default_rng(0)
    tensors = {
        name: np.ones_like(tensor)
        if name.endswith("LayerNorm.weight")
        else random.normal(0, 0.05, tensor.shape).astype(np.float32)
        for name, tensor in load_file(minilm() / "model.safetensors").items()
        if tensor.dtype.kind == "f"
    }
    return write_checkpoint(minilm(), tmp_path_factory.mktemp("checkpoints") / "untrained", tensors)


def test_a_model_with_random_weights_ends_as_words_only(untrained: Path, tmp_path: Path, docs: Path) -> None:
    command = Command(tmp_path)
    said = command("models", "import", untrained, "--quantization", "fp32").stderr
    assert "Warning: it does not distinguish passages that answer a query from others" in said
    (row,) = [row for row in json_lines(command("models", "list", "--json")) if row["name"] == "untrained-fp32"]
    assert row["languages"] == [] and row["mean_cosine"] == pytest.approx(1.0)
    command("index", docs, "--model", "untrained-fp32", "-c", "docs")
    with Library(tmp_path) as library:
        by_words = library.search("gauge boiler", mode="lexical")
        hybrid = library.find(SearchRequest("gauge boiler"))
        semantic = library.find(SearchRequest("gauge boiler", mode=SearchMode.SEMANTIC))
    assert [hit.text for hit in hybrid.hits] == [hit.text for hit in by_words]
    assert all(hit.evidence.similarity is None for hit in hybrid.hits)
    assert NoteKind.WORDS_ONLY in {note.kind for note in hybrid.notes}
    assert semantic.hits and NoteKind.MEANINGLESS in {note.kind for note in semantic.notes}
    assert "does not distinguish" in " ".join(map(note_text, (*hybrid.notes, *semantic.notes)))


def test_the_small_model_knows_english_and_code(tmp_path: Path) -> None:
    card = import_model(minilm(), tmp_path / "small")
    assert card.scale.languages == ("en", "code")
    assert card.fidelity is not None and card.fidelity.mean_cosine >= 0.995
    assert read_model_card(tmp_path / "small").scale == card.scale
