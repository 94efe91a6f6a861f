"""Our graphs against sentence-transformers, on texts short and long, in many scripts, up to the longest input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from searchkit.embedding.embedder import prefix
from searchkit.embedding.import_model import import_model
from searchkit.embedding.model_folder import read_model_card
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.store import BUNDLED, ModelStore, bundled_checkpoint
from searchkit.errors import ModelError, ModelNotFoundError, UnsupportedCheckpointError
from searchkit.types import Passage
from tests.support.errors import refused
from tests.support.files import EMBEDDINGGEMMA, ROOT
from tests.support.processor import may_saturate
from tests.support.reference_texts import DOCUMENTS, EMBEDDINGGEMMA_CARD_SIMILARITIES, QUERIES

FP32, INT8 = Quantization.FP32, Quantization.INT8
FAMILIES = [
    pytest.param("minilm", marks=pytest.mark.minilm),
    pytest.param("embeddinggemma", marks=pytest.mark.embeddinggemma),
]
pytestmark = pytest.mark.slow
OpenModel = Callable[[str, Quantization], OnnxEmbedder]


@pytest.fixture(scope="module")
def open_model(tmp_path_factory: pytest.TempPathFactory) -> OpenModel:
    """Imports each model once."""
    folder = tmp_path_factory.mktemp("models")

    def opened(name: str, quantization: Quantization) -> OnnxEmbedder:
        target = folder / f"{name}-{quantization}"
        if not target.exists():
            import_model(checkpoint(name), target, quantization=quantization)
        return OnnxEmbedder(target)

    return opened


def checkpoint(name: str) -> Path:
    bundled = bundled_checkpoint()
    return bundled if name == "minilm" and bundled else EMBEDDINGGEMMA


def reference(name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    with np.load(ROOT / "tests" / "data" / f"reference_{name}.npz") as arrays:
        return arrays["queries"], arrays["documents"]


def similarities(embedder: OnnxEmbedder, name: str) -> npt.NDArray[np.float32]:
    """Cosine to sentence-transformers' vector of every reference text."""
    queries, documents = reference(name)
    own_documents = embedder.embed_documents([Passage("", text) for text in DOCUMENTS])
    own_queries = embedder.embed_queries(QUERIES)
    return np.concatenate([(own_queries * queries).sum(axis=1), (own_documents * documents).sum(axis=1)])


@pytest.mark.parametrize("name", FAMILIES)
def test_fp32_vectors_equal_those_of_sentence_transformers(open_model: OpenModel, name: str) -> None:
    assert similarities(open_model(name, FP32), name).min() >= 0.9999


@pytest.mark.parametrize(
    ("name", "mean", "worst"),
    [
        pytest.param("minilm", 0.99, 0.98, marks=pytest.mark.minilm),
        pytest.param("embeddinggemma", 0.998, 0.996, marks=pytest.mark.embeddinggemma),
    ],
)
def test_int8_vectors_stay_near_the_reference(open_model: OpenModel, name: str, mean: float, worst: float) -> None:
    found = similarities(open_model(name, INT8), name)
    assert found.mean() >= mean
    assert found.min() >= worst - 0.002 * may_saturate()


@pytest.mark.embeddinggemma
@pytest.mark.parametrize(("quantization", "tolerance"), [(FP32, 0.001), (INT8, 0.02)])
def test_the_similarities_of_the_model_card_are_reproduced(
    open_model: OpenModel, quantization: Quantization, tolerance: float
) -> None:
    embedder = open_model("embeddinggemma", quantization)
    query = embedder.embed_queries(QUERIES[:1])[0]
    planets = embedder.embed_documents([Passage("", text) for text in DOCUMENTS[2:6]])
    assert planets @ query == pytest.approx(EMBEDDINGGEMMA_CARD_SIMILARITIES, abs=tolerance)


@pytest.mark.reference
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAMILIES)
def test_a_live_sentence_transformers_agrees(open_model: OpenModel, name: str) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(checkpoint(name)), device="cpu")
    texts = ["a live check", "Ein anderer Satz über Wärmepumpen. " * 60, "短い文"]
    theirs = np.stack([model.encode_document(text, normalize_embeddings=True) for text in texts])
    ours = open_model(name, FP32).embed_documents([Passage("", text) for text in texts])
    assert (ours * theirs).sum(axis=1).min() >= 0.9999


@pytest.mark.embeddinggemma
def test_the_prompts_and_the_title_slot_are_applied(open_model: OpenModel) -> None:
    embedder = open_model("embeddinggemma", FP32)
    text = "It is paid on the third working day."
    by_prompt = embedder.card.prompts
    assert by_prompt.of_query("rent") == "task: search result | query: rent"
    assert by_prompt.of_passage(Passage("", text)) == f"title: none | text: {text}"
    assert by_prompt.of_passage(Passage("Lease", text)) == f"title: Lease | text: {text}"
    vectors = np.concatenate(
        [embedder.embed_queries([text]), embedder.embed_documents([Passage("", text), Passage("Lease", text)])]
    )
    between = vectors @ vectors.T
    assert between[np.triu_indices(3, 1)].max() < 0.99


@pytest.mark.embeddinggemma
def test_braces_in_a_text_are_text(open_model: OpenModel) -> None:
    prompts = open_model("embeddinggemma", INT8).card.prompts
    assert prompts.of_passage(Passage("{content}", "{title} {0}")) == "title: {content} | text: {title} {0}"


@pytest.mark.minilm
@pytest.mark.parametrize("name", ["minilm", pytest.param("embeddinggemma", marks=pytest.mark.embeddinggemma)])
def test_a_batch_gives_the_same_vectors_as_single_texts(open_model: OpenModel, name: str) -> None:
    embedder = open_model(name, FP32)
    passages = [Passage("", text) for text in DOCUMENTS[1:14]]
    alone = np.concatenate([embedder.embed_documents([passage]) for passage in passages])
    np.testing.assert_allclose(embedder.embed_documents(passages), alone, atol=1e-5)


@pytest.mark.minilm
def test_nothing_to_embed_gives_no_vectors(open_model: OpenModel) -> None:
    embedder = open_model("minilm", INT8)
    assert embedder.embed_documents([]).shape == (0, 384)
    assert embedder.embed_queries([]).shape == (0, 384)


@pytest.mark.embeddinggemma
def test_the_beginning_of_a_text_sees_its_end(open_model: OpenModel) -> None:
    """A causal encoder would give the first words the same states whatever follows."""
    embedder = open_model("embeddinggemma", FP32)
    vectors = embedder.embed_documents([Passage("", "bank of the river"), Passage("", "bank of the nation")])
    assert float(vectors[0] @ vectors[1]) < 0.95


@pytest.mark.embeddinggemma
def test_the_window_reaches_256_tokens_to_each_side_also_in_a_config_that_was_saved_again(tmp_path: Path) -> None:
    from searchkit.embedding.graph.gemma3 import gemma3_shape

    config = json.loads((EMBEDDINGGEMMA / "config.json").read_text("utf-8"))
    assert gemma3_shape(config).reach == 256
    assert gemma3_shape({**config, "sliding_window": 257}).reach == 256
    with refused(UnsupportedCheckpointError, "Set it to 512"):
        gemma3_shape({**config, "sliding_window": 129})


def test_a_prefix_is_normalised_again() -> None:
    vectors = np.random.default_rng(0).standard_normal((5, 16)).astype(np.float32)
    short = prefix(vectors, 4)
    np.testing.assert_allclose(np.linalg.norm(short, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(short[0], vectors[0, :4] / np.linalg.norm(vectors[0, :4]), atol=1e-6)
    with pytest.raises(ValueError, match="no prefix of 17"):
        prefix(vectors, 17)


@pytest.mark.minilm
def test_a_model_folder_describes_and_seals_itself(open_model: OpenModel) -> None:
    card = open_model("minilm", INT8).card
    assert (card.dimension, card.max_tokens, card.prefix_dimensions) == (384, 256, (384,))
    assert card.licence == "apache-2.0"
    described = {"tokenizer.json", "reference.npy", "judged.npy", "static.npy"}
    described |= {"provisional.npy", "provisional_correction.npy"}
    assert set(card.checksums) == {"model.onnx", "weights.bin", *described}
    assert card.fingerprint != open_model("minilm", FP32).info.fingerprint


@pytest.mark.minilm
def test_the_bundled_model_is_converted_when_first_opened(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    assert store.best() == BUNDLED
    assert store.open(BUNDLED).info.dimension == 384
    assert [card.name for card in store.installed()] == [BUNDLED]


def test_an_unknown_model_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="No model named 'gpt'"):
        ModelStore(tmp_path).open("gpt")


@pytest.mark.minilm
def test_a_taken_or_impossible_name_is_refused(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    store.add(checkpoint("minilm"), name="small")
    with pytest.raises(ModelError, match="installed already"):
        store.add(checkpoint("minilm"), name="small")
    with pytest.raises(ModelError, match="cannot be a model's name"):
        store.add(checkpoint("minilm"), name="../evil")


@pytest.mark.minilm
@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", '{"model_type": "mpnet"}', "mpnet model"),
        ("config.json", "not json", "not valid JSON"),
        ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true}', "pools by max_tokens"),
        ("modules.json", '[{"type": "a.Transformer", "path": ""}, {"type": "a.LSTM", "path": "1"}]', "LSTM module"),
        (
            "modules.json",
            '[{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "1_Pooling"},'
            ' {"type": "a.Pooling", "path": "1_Pooling"}]',
            "one Pooling",
        ),
        ("model.safetensors", "cut", "damaged or cut short"),
    ],
)
def test_an_unfit_checkpoint_is_refused_with_the_reason(tmp_path: Path, file: str, content: str, reason: str) -> None:
    source = tmp_path / "checkpoint"
    shutil.copytree(checkpoint("minilm"), source)
    (source / file).write_text(content, encoding="utf-8")
    with pytest.raises(UnsupportedCheckpointError, match=reason):
        import_model(source, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.minilm
def test_pooling_that_leaves_the_prompt_out_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint"
    shutil.copytree(checkpoint("minilm"), source)
    pooling = source / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({**json.loads(pooling.read_text("utf-8")), "include_prompt": False}), "utf-8")
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}}
    (source / "config_sentence_transformers.json").write_text(json.dumps(prompts), "utf-8")
    with pytest.raises(UnsupportedCheckpointError, match="leaves the prompt out"):
        import_model(source, tmp_path / "model")


@pytest.mark.minilm
def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint"
    shutil.copytree(checkpoint("minilm"), source)
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    with pytest.raises(UnsupportedCheckpointError, match="pickled"):
        import_model(source, tmp_path / "model")


@pytest.mark.minilm
def test_a_damaged_model_folder_says_what_to_do(open_model: OpenModel, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(open_model("minilm", INT8).folder, folder)
    (folder / "weights.bin").write_bytes(b"")
    with refused(ModelError, "[Ii]mport it again"):
        OnnxEmbedder(folder).embed_queries(["anything"])
    (folder / "model.json").write_text('{"format": 1}', encoding="utf-8")
    with refused(ModelError, "Import it again"):
        read_model_card(folder)
