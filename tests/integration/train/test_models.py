"""Adapted models: their vectors are the mapped ones, a collection switches by one product, and back to the same bytes."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from searchkit.catalog.connection import reading, writing
from searchkit.catalog.meta import INDEX, set_meta
from searchkit.catalog.vector_codes import decoded
from searchkit.cli.main import cli
from searchkit.embedding.adapted_model import CARD_FILE, Adaptation, Matrix, mapped, write_adapted_model
from searchkit.embedding.model_folder import ADAPTER_FILE, read_model_card
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.store import BUNDLED, bundled_checkpoint
from searchkit.embedding.verify import verify_model
from searchkit.errors import ModelError
from searchkit.home import Home, existing_collection
from searchkit.library import Library
from searchkit.maintenance.switch_model import embed_and_switch, switch_model
from searchkit.reports import Progress
from searchkit.types import Passage
from searchkit_indexes import faiss_codes
from tests.support.files import write
from tests.support.homes import copied

pytestmark = [pytest.mark.minilm, pytest.mark.slow]
DIMENSION = 384
TEXTS = (
    "a kettle is descaled with vinegar",
    "the lease ends in March",
    "git reset undoes a commit",
    "Kinder spielen im Garten",
)


def matrix(seed: int = 0, strength: float = 0.01) -> Matrix:
    rng = np.random.default_rng(seed)
    return (np.eye(DIMENSION) + strength * rng.standard_normal((DIMENSION, DIMENSION))).astype(np.float32)


def adaptation(change: Matrix) -> Adaptation:
    return Adaptation(change, (0.1, 0.6), {"adapted_to": "docs"}, "# A model\n\nLicence: apache-2.0\n")


@pytest.fixture(scope="module")
def models(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the small model in 8 bits and in floats."""
    home = copied(small_model, tmp_path_factory.mktemp("home"))
    checkpoint = bundled_checkpoint()
    assert checkpoint is not None
    with Library(home) as library:
        library.models.add(checkpoint, name="exact", quantization=Quantization.FP32)
    yield home


@pytest.fixture
def home(models: Path, tmp_path: Path) -> Path:
    """A home of one's own with the same models, and a collection of some notes."""
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True, mode=0o700)
    for name in (BUNDLED, "exact"):
        (home / "models" / name).symlink_to(models / "models" / name)
    for number, text in enumerate(TEXTS):
        write(tmp_path / "docs" / f"{number}.md", f"# Note {number}\n\n{text}.\n")
    with Library(home) as library:
        library.index(tmp_path / "docs", model=BUNDLED)
    return home


def stored(home: Path, fingerprint: str) -> dict[bytes, bytes]:
    with reading(existing_collection(Home(home), "docs")) as connection:
        query = f"SELECT content_hash, vector FROM vectors WHERE model = {connection.dialect.model}"
        return dict(connection.execute(query, (fingerprint,)).fetchall())


@pytest.mark.parametrize("name", ["exact", BUNDLED])
def test_the_adapted_models_vectors_are_the_mapped_ones(models: Path, tmp_path: Path, name: str) -> None:
    base = OnnxEmbedder(models / "models" / name)
    write_adapted_model(models / "models" / name, tmp_path / "new", adaptation(matrix()))
    new = OnnxEmbedder(tmp_path / "new")
    passages = [Passage("", text) for text in TEXTS]
    assert np.abs(new.embed_documents(passages) - mapped(base.embed_documents(passages), matrix())).max() < 1e-6
    assert np.abs(new.embed_queries(TEXTS) - mapped(base.embed_queries(TEXTS), matrix())).max() < 1e-6


def test_a_model_adapted_twice_is_adapted_once_by_the_product(models: Path, tmp_path: Path) -> None:
    base = models / "models" / "exact"
    write_adapted_model(base, tmp_path / "one", adaptation(matrix(1)))
    card = write_adapted_model(tmp_path / "one", tmp_path / "two", adaptation(matrix(2)))
    expected = mapped(mapped(OnnxEmbedder(base).embed_queries(TEXTS), matrix(1)), matrix(2))
    assert np.abs(OnnxEmbedder(tmp_path / "two").embed_queries(TEXTS) - expected).max() < 1e-5
    assert card.root_fingerprint == read_model_card(base).fingerprint


def test_an_adapted_model_shares_the_weights_and_passes_its_verification(models: Path, tmp_path: Path) -> None:
    base = models / "models" / BUNDLED
    card = write_adapted_model(base, models / "models" / "shared", adaptation(matrix()))
    assert (models / "models" / "shared" / "weights.bin").samefile(base / "weights.bin")
    assert card.fingerprint != read_model_card(base).fingerprint
    assert card.licence == read_model_card(base).licence
    assert not verify_model(models / "models" / "shared").problems
    assert (models / "models" / "shared" / CARD_FILE).read_text().startswith("# A model")


def test_removing_an_adapted_model_frees_what_is_its_own_and_leaves_the_base(home: Path) -> None:
    with Library(home) as library:
        (home / "models" / "base").mkdir()
        for file in (home / "models" / BUNDLED).iterdir():
            shutil.copy(file, home / "models" / "base")
        library.models.add_adapted("base", "adapted", adaptation(matrix()))
        assert library.remove_model("adapted") < 3_000_000  # its weights are the base's
        assert not verify_model(home / "models" / "base").problems


def test_another_matrix_gives_another_fingerprint(models: Path, tmp_path: Path) -> None:
    cards = [
        write_adapted_model(models / "models" / BUNDLED, tmp_path / str(seed), adaptation(matrix(seed)))
        for seed in (1, 2)
    ]
    assert cards[0].fingerprint != cards[1].fingerprint


@pytest.mark.parametrize(
    "change", [np.eye(3, dtype=np.float32), np.full((DIMENSION, DIMENSION), np.nan, np.float32)], ids=["shape", "nan"]
)
def test_a_matrix_that_does_not_fit_is_refused(models: Path, tmp_path: Path, change: Matrix) -> None:
    with pytest.raises(ModelError, match="does not fit"):
        write_adapted_model(models / "models" / BUNDLED, tmp_path / "new", adaptation(change))
    assert not (tmp_path / "new").exists()


def test_a_matrix_that_cannot_be_undone_is_refused(models: Path, tmp_path: Path) -> None:
    flat = np.eye(DIMENSION, dtype=np.float32)
    flat[:, -1] = 0
    with pytest.raises(ModelError, match="cannot be undone"):
        write_adapted_model(models / "models" / BUNDLED, tmp_path / "new", adaptation(flat))


def test_a_collection_switches_without_embedding_and_back_to_the_same_bytes(home: Path) -> None:
    with Library(home) as library:
        base = library.models.open(BUNDLED).info.fingerprint
        before = stored(home, base)
        card = library.models.add_adapted(BUNDLED, "adapted", adaptation(matrix()))
        assert switch_model(library.collection("docs"), "adapted") == 0
        assert library.collection("docs").is_covered()
        new = stored(home, card.fingerprint)
        assert new.keys() == before.keys()
        for content_hash, vector in new.items():
            old = decoded([before[content_hash]], 384)
            assert (decoded([vector], 384) * mapped(old, matrix())).sum() > 0.9999  # it is rounded to 8 bits
        assert "lease" in library.search("when does the rent contract end", collections=["docs"], k=1)[0].text
        report = library.collection("docs").refresh()
        assert (report.embedded, report.unchanged) == (0, len(TEXTS))  # nor is any file read again
        assert switch_model(library.collection("docs"), BUNDLED) == 0
        assert stored(home, base) == before
        assert stored(home, card.fingerprint) == {}
        assert library.collection("docs").refresh().embedded == 0


def test_what_the_index_has_learned_is_mapped_and_not_learned_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(home) as library:
        library.models.add_adapted(BUNDLED, "adapted", adaptation(matrix()))
        with writing(existing_collection(Home(home), "docs")) as connection, connection.transaction():
            set_meta(connection, INDEX, f"ivf-1bit-{DIMENSION}")
        library.collection("docs").refresh()
        monkeypatch.setattr(faiss_codes, "_cluster_centres", None)  # it would be called to learn
        for model in ("adapted", BUNDLED):
            assert switch_model(library.collection("docs"), model) == 0
            index = library.status("docs").index
            assert index is not None and (index.name, index.recall) == (f"ivf-1bit-{DIMENSION}", 1.0)
            assert "lease" in library.search("when does the rent contract end", collections=["docs"], k=1)[0].text


def test_what_was_indexed_since_comes_back_through_the_inverse(home: Path, tmp_path: Path) -> None:
    with Library(home) as library:
        library.models.add_adapted(BUNDLED, "adapted", adaptation(matrix()))
        switch_model(library.collection("docs"), "adapted")
        write(tmp_path / "docs" / "new.md", "# Roses\n\nPrune the roses in March.\n")
        assert library.collection("docs").refresh().embedded == 1
        assert switch_model(library.collection("docs"), BUNDLED) == 0
        embedder = library.models.open(BUNDLED)
        expected = embedder.embed_documents([Passage("Roses", "Prune the roses in March.")])
        found = decoded(list(stored(home, embedder.info.fingerprint).values()), 384)
        assert (found @ expected[0]).max() > 0.9999


def test_what_can_be_mapped_is_not_embedded_before_a_switch(home: Path) -> None:
    def embedding(_: Progress) -> None:
        raise AssertionError("something was embedded")

    with Library(home) as library:
        library.models.add_adapted(BUNDLED, "adapted", adaptation(matrix()))
        assert embed_and_switch(library.collection("docs"), "adapted", embedding)
        assert library.status("docs").model == "adapted"
        assert library.collection("docs").is_covered()


def test_a_model_of_another_family_is_embedded_before_the_switch_if_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCHKIT_HOME", str(home))
    without = CliRunner().invoke(cli, ["models", "use", "exact", "-c", "docs"])
    assert "4 passages can be found by words alone until they are embedded" in without.output
    CliRunner().invoke(cli, ["models", "use", BUNDLED, "-c", "docs"])
    said = CliRunner().invoke(cli, ["models", "use", "exact", "-c", "docs", "--embed"])
    assert said.output == "docs now uses exact; all its vectors are there.\n"
    with Library(home) as library:
        assert library.collection("docs").is_covered()
    assert CliRunner().invoke(cli, ["models", "use", "exact", "--embed"]).exit_code == 2


def test_a_new_collection_does_not_get_a_model_adapted_to_another(home: Path) -> None:
    with Library(home) as library:
        (home / "models" / "exact").unlink()  # else that one were the best
        library.models.add_adapted(BUNDLED, "adapted", adaptation(matrix()))
        assert library.models.best() == BUNDLED


SWITCH_SLOWLY = """
import sys, time
from pathlib import Path
from searchkit.index_store import remap
from searchkit.library import Library
from searchkit.maintenance.switch_model import switch_model

def slow(vectors, matrix, ready=Path(sys.argv[2])):
    ready.touch()
    time.sleep(60)

remap.mapped = slow
with Library(sys.argv[1]) as library:
    switch_model(library.collection("docs"), "adapted")
"""


def test_a_switch_that_is_killed_leaves_the_old_vectors_answering(home: Path, tmp_path: Path) -> None:
    with Library(home) as library:
        library.models.add_adapted(BUNDLED, "adapted", adaptation(matrix()))
        before = stored(home, library.models.open(BUNDLED).info.fingerprint)
    ready = tmp_path / "ready"
    process = subprocess.Popen([sys.executable, "-c", SWITCH_SLOWLY, str(home), str(ready)])
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    with Library(home) as library:
        assert library.status("docs").model == BUNDLED
        assert stored(home, library.models.open(BUNDLED).info.fingerprint) == before
        assert "lease" in library.search("when does the rent contract end", collections=["docs"], k=1)[0].text
        assert switch_model(library.collection("docs"), "adapted") == 0


def test_the_matrix_is_where_the_graph_reads_it(models: Path, tmp_path: Path) -> None:
    write_adapted_model(models / "models" / "exact", tmp_path / "new", adaptation(matrix()))
    assert np.array_equal(np.load(tmp_path / "new" / ADAPTER_FILE), matrix())
