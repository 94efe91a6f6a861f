"""Embedding on the machines of a Ray cluster: two nodes of two cores each, all of them this machine."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.passages import count_passages
from searchkit.catalog.roots import add_root
from searchkit.collection import Collection
from searchkit.embedding.open_models import OpenModels
from searchkit.embedding.store import ModelStore
from searchkit.errors import ClusterError, ExtraMissingError, ModelError, UsageError
from searchkit.home import CollectionFolder, DatabaseUrl
from searchkit.ingest.on_ray import RayCluster, Work, connected
from searchkit.library import Library
from searchkit.reports import Progress
from searchkit.types import Passage
from tests.support.dying_embedder import DyingEmbedder, FailingEmbedder
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.homes import copied
from tests.support.postgres import empty_database
from tests.support.stored_files import chunk, put_file


def on_ray(test: Callable[..., None]) -> Callable[..., None]:
    """Mark what needs Ray: starting machines takes long, and they leave sockets and files to the garbage collector."""
    for mark in (pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")):
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of two machines."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    cluster.add_node(num_cpus=2)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def team(tmp_path: Path, embedder: HashEmbedder) -> Iterator[Library]:
    """A library whose collection `team` is in a database."""
    with empty_database() as url, Library(tmp_path / "home", embedder=embedder) as opened:
        write(opened.home.config, f'[collections.team]\nurl = "{url}"\n')
        yield opened


def fill(library: Library, documents: int, each: int = 64) -> Collection:
    """Store documents of so many passages each."""
    collection = library.collection("team")
    with collection.writing(lambda _: None) as catalog, catalog.transaction():  # actors of the last test may be ending
        add_root(catalog, Path("/srv/archive"))
        for number in range(documents):
            put_file(
                catalog, f"{number}.txt", [chunk(f"Pump {number} has valve {n}.", f"Part {n}") for n in range(each)]
            )
    return collection


def embedded_by(cluster: RayCluster, catalog: CatalogWriter, embedder: HashEmbedder) -> list[tuple[float, int]]:
    """Embed; when how many were done."""
    seen: list[tuple[float, int]] = []
    cluster(catalog, embedder, lambda done: seen.append((time.monotonic(), done.passages)))
    return seen


@on_ray
@pytest.mark.postgres
def test_two_machines_embed_all_with_progress_and_the_vectors_are_the_embedders(
    team: Library, address: str, embedder: HashEmbedder
) -> None:
    collection = fill(team, 10)
    seen: list[Progress] = []
    report = collection.embed(on_progress=seen.append, ray=address)
    assert (report.embedded, report.left, report.model) == (640, 0, "hash")
    last = seen[-1]
    assert (last.stage, last.done, last.total, last.work_done) == ("Embedding", 640, 640, last.work_total)
    assert {each.done for each in seen} > {640}, "there was progress before the end"
    assert collection.is_covered()
    with collection.reading() as catalog:
        rows = catalog.execute("SELECT content_hash, title, text FROM chunks ORDER BY id LIMIT 100").fetchall()
        stored = vectors.vectors_of_hashes(catalog, embedder.info.fingerprint, [row[0] for row in rows])
    expected = embedder.embed_documents([Passage(title, text) for _, title, text in rows])
    np.testing.assert_allclose(np.stack([stored[row[0]] for row in rows]), expected, atol=1e-3)
    assert collection.embed(ray=address).embedded == 0


@on_ray
@pytest.mark.postgres
def test_an_actor_that_is_killed_loses_nothing_and_is_started_again(
    team: Library, address: str, tmp_path: Path
) -> None:
    collection = fill(team, 20)
    marker = tmp_path / "died"
    embedder = DyingEmbedder(marker, delay_seconds=0.002)
    with connected(address), collection.writing(beside_others=True) as catalog:
        embedded_by(RayCluster(collection.folder, OpenModels(ModelStore(tmp_path), embedder)), catalog, embedder)
        assert count_passages(catalog, embedder.info.fingerprint) == (1280, 1280)
        assert catalog.count_rows("vectors") == 1280
    assert marker.exists(), "one was killed"


@on_ray
@pytest.mark.postgres
def test_an_interrupted_run_keeps_what_was_stored(team: Library, address: str, embedder: HashEmbedder) -> None:
    collection = fill(team, 10)
    cluster = RayCluster(collection.folder, OpenModels(team.models, embedder))
    with connected(address), collection.writing(beside_others=True) as catalog:
        done = cluster(catalog, embedder, lambda _: None, lambda: True)
        stored = catalog.count_rows("vectors")
        assert done.passages <= stored <= 640
        assert done.passages >= 128
        assert sum(count for _, count in embedded_by(cluster, catalog, embedder)[-1:]) == 640 - stored
        assert catalog.count_rows("vectors") == 640


@on_ray
@pytest.mark.postgres
def test_four_actors_are_more_than_twice_as_fast_as_one(team: Library, address: str, tmp_path: Path) -> None:
    embedder = HashEmbedder(delay_seconds=0.005)
    collection = fill(team, 48)
    models = OpenModels(ModelStore(tmp_path), embedder)
    rates = []
    with connected(address), collection.writing(beside_others=True) as catalog:
        for actors in (1, 4):
            seen = embedded_by(RayCluster(collection.folder, models, cores=1, actors=actors), catalog, embedder)
            (begun, first), (ended, last) = seen[0], seen[-1]
            assert last == 3072
            rates.append((last - first) / (ended - begun))
            with catalog.transaction():
                vectors.remove_vectors(catalog, embedder.info.fingerprint)
    assert rates[1] > 2 * rates[0]


@on_ray
@pytest.mark.postgres
def test_a_machine_without_the_model_is_named_before_anything_is_embedded(
    team: Library, address: str, embedder: HashEmbedder, tmp_path: Path
) -> None:
    collection = fill(team, 1)
    with connected(address), collection.writing(beside_others=True) as catalog:
        lacking = RayCluster(collection.folder, OpenModels(ModelStore(tmp_path)))
        with pytest.raises(ModelError, match=f"The machine {socket.gethostname()} has no model 'hash'") as caught:
            embedded_by(lacking, catalog, embedder)
        assert caught.value.remedy is not None
        assert "copy its folder" in caught.value.remedy.sentence
        other = RayCluster(collection.folder, OpenModels(team.models, HashEmbedder(32)))
        with pytest.raises(ModelError, match="is not the one that is here"):
            embedded_by(other, catalog, embedder)
        assert catalog.count_rows("vectors") == 0


@on_ray
@pytest.mark.postgres
def test_what_an_actor_raises_is_raised_here(team: Library, address: str, embedder: HashEmbedder) -> None:
    collection = fill(team, 1)
    with connected(address), collection.writing(beside_others=True) as catalog:
        cluster = RayCluster(collection.folder, OpenModels(team.models, FailingEmbedder()))
        with pytest.raises(ModelError, match=r"^The model hash is damaged\.$"):
            embedded_by(cluster, catalog, embedder)


def test_a_collection_of_this_machine_is_told_how_to_move(library: Library, docs: Path) -> None:
    library.index(docs)
    with pytest.raises(UsageError, match="lives on this machine") as caught:
        library.collection("docs").embed(ray="local")
    assert caught.value.remedy is not None
    assert caught.value.remedy.action == "move"


@pytest.mark.postgres
def test_without_ray_what_to_install_is_said(team: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraMissingError) as caught:
        fill(team, 1).embed(ray="local")
    assert caught.value.remedy is not None
    assert caught.value.remedy.extra == "ray"


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: f"127.0.0.1:{closed_port()}", "answers at 127.0.0.1:"),
        (lambda: "there", "not the address of a Ray cluster"),
        (lambda: "ray://127.0.0.1:10001", "not the address of a Ray cluster"),
        (lambda: "127.0.0.1:99999", "answers at 127.0.0.1:99999"),
    ],
)
@on_ray
@pytest.mark.postgres
def test_an_address_where_no_cluster_answers_is_said_at_once(
    team: Library, wrong: Callable[[], str], said: str
) -> None:
    began = time.monotonic()
    with pytest.raises(ClusterError, match=said):
        fill(team, 1).embed(ray=wrong())
    assert time.monotonic() - began < 60


@pytest.mark.minilm
def test_an_actor_refuses_a_damaged_model(small_model: Path, tmp_path: Path) -> None:
    shutil.copytree(small_model, tmp_path / "home")
    models = OpenModels(ModelStore(tmp_path / "home" / "models"))
    name = models.names()[0]
    work = Work(CollectionFolder(tmp_path), models, name, models.fingerprint(name), 1)
    assert work.open_model().info.name == name
    weights = tmp_path / "home" / "models" / name / "weights.bin"
    damaged = bytearray(weights.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    weights.write_bytes(damaged)
    with pytest.raises(ModelError, match="damaged"):
        work.open_model()


def test_what_is_told_to_actors_shows_no_password() -> None:
    folder = CollectionFolder(Path("team"), DatabaseUrl("postgresql://anna:s3cret@db/search"))
    assert "s3cret" not in repr(Work(folder, OpenModels(ModelStore(Path())), "hash", "", 1))


@pytest.mark.minilm
@on_ray
@pytest.mark.postgres
def test_the_command_starts_a_cluster_of_its_own_and_writes_no_password(small_model: Path, tmp_path: Path) -> None:
    home, logs = copied(small_model, tmp_path / "home"), Path(tempfile.mkdtemp(prefix="ray-"))
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "RAY_TMPDIR": str(logs), "COLUMNS": "100"}
    try:
        with empty_database() as url:
            secret = url.replace("postgres:@", "postgres:s3cret@")
            assert secret != url
            write(home / "config.toml", f'[collections.team]\nurl = "{secret}"\n')
            with Library(home) as library:
                fill(library, 6)
            command = [sys.executable, "-m", "searchkit", "embed", "-c", "team", "--ray", "local", "--json"]
            done = subprocess.run(
                command, check=False, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stderr
            assert '"embedded": 384, "left": 0' in done.stdout
            written = [done.stdout, done.stderr]
            written += [path.read_text("utf-8", "replace") for path in logs.rglob("logs/**/*") if path.is_file()]
            assert len(written) > 5
            assert not [text for text in written if "s3cret" in text]
            assert not any("Usage stats collection is enabled" in text for text in written)
    finally:
        shutil.rmtree(logs, ignore_errors=True)
