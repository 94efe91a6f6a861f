"""Which model new collections get, over every combination of those that could be installed."""

import itertools
from pathlib import Path

import pytest

from searchkit.embedding import store
from searchkit.embedding.model_folder import ModelCard
from searchkit.embedding.model_info import Prompts, Quantization
from searchkit.embedding.store import BUNDLED, ModelStore
from searchkit.embedding.tokenizer import TokenizerKind
from searchkit.errors import ModelNotFoundError

GEMMA_2, GEMMA, GRANITE, SMALL_GRANITE, OTHER = (
    "embeddinggemma-2",
    "embeddinggemma-300m",
    "granite-embedding-311m-multilingual-r2",
    "granite-embedding-97m-multilingual-r2",
    "bge-small-en-v1.5",
)
ORDER = (GEMMA_2, GEMMA, GRANITE, SMALL_GRANITE, OTHER, BUNDLED)  # the first of these that is there is the best
ARCHITECTURES = {
    GEMMA_2: "embedding_gemma2_text",
    GEMMA: "gemma3_text",
    GRANITE: "modernbert",
    SMALL_GRANITE: "modernbert",
}


def install(
    models: Path, name: str, kind: str = "", *, quantization: Quantization = Quantization.INT8, tuned: bool = False
) -> None:
    kind = kind or name
    card = ModelCard(
        name=name,
        architecture=ARCHITECTURES.get(kind, "bert"),
        dimension=384 if kind in (SMALL_GRANITE, OTHER, BUNDLED) else 768,
        prefix_dimensions=(128,),
        max_tokens=512,
        prompts=Prompts("{content}", "{content}", "{content}"),
        quantization=quantization,
        tokenizer=TokenizerKind.TOKENIZERS,
        tokenizer_file="tokenizer.json",
        licence="",
        source={"base_sha256": "0"} if tuned else {"repository": f"somebody/{kind}"},
        checksums={},
        similarity_range=(0.0, 1.0),
    )
    (models / name).mkdir(parents=True)
    card.write(models / name)


@pytest.fixture(autouse=True)
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model's package is not installed unless a test says so."""
    monkeypatch.setattr(store, "bundled_checkpoint", lambda: None)


@pytest.mark.parametrize("has_package", [False, True])
@pytest.mark.parametrize("count", range(len(ORDER) + 1))
def test_of_any_models_the_best_is_the_first_in_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, has_package: bool
) -> None:
    if has_package:
        monkeypatch.setattr(store, "bundled_checkpoint", lambda: tmp_path)
    for number, installed in enumerate(itertools.combinations(ORDER, count)):
        models = ModelStore(tmp_path / str(number))
        for name in installed:
            install(tmp_path / str(number), name)
        expected = next((name for name in ORDER if name in installed), BUNDLED if has_package else "")
        if expected:
            assert models.best() == expected
        else:
            with pytest.raises(ModelNotFoundError, match="No model is installed"):
                models.best()


def test_of_one_kind_eight_bits_come_first_and_then_the_name(tmp_path: Path) -> None:
    install(tmp_path, "a-granite", GRANITE, quantization=Quantization.FP32)
    assert ModelStore(tmp_path).best() == "a-granite"
    install(tmp_path, "b-granite", GRANITE)
    install(tmp_path, "c-granite", GRANITE)
    assert ModelStore(tmp_path).best() == "b-granite"


def test_a_granite_is_known_by_its_repository_whatever_its_name(tmp_path: Path) -> None:
    install(tmp_path, "mine", GRANITE)
    install(tmp_path, "another", OTHER)
    assert ModelStore(tmp_path).best() == "mine"


def test_a_model_tuned_to_one_collection_comes_after_all_others(tmp_path: Path) -> None:
    install(tmp_path, "tuned", GEMMA_2, tuned=True)
    assert ModelStore(tmp_path).best() == "tuned"
    install(tmp_path, OTHER)
    assert ModelStore(tmp_path).best() == OTHER
