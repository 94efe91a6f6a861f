"""A server over two small collections, with a scripted language model, for tests with real clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from searchkit.library import Library
from tests.support.fake_llm import FakeLlm, fake_llm
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.serve_process import Server, serving

QUESTION = "until what does the gauge show water"


@pytest.fixture(scope="module")
def llm() -> Iterator[FakeLlm]:
    with fake_llm() as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    write(folder / "docs" / "boiler.md", "# Boiler\n\n## Pressure\n\nTop up the water until the gauge shows two bar.\n")
    write(folder / "docs" / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    write(folder / "docs" / "garden" / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    write(folder / "letters" / "lease.md", "---\ndate: 2024-05-01\n---\n# Lease\n\nThe lease ends on 31 March 2026.\n")
    with Library(folder / "home", embedder=HashEmbedder()) as library:
        library.index(folder / "docs")
        library.index(folder / "letters")
    return folder / "home"


@pytest.fixture(scope="module")
def server(home: Path, llm: FakeLlm) -> Iterator[Server]:
    with serving(home, llm=llm.base) as running:
        yield running


@pytest.fixture
def openai(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=server.token, max_retries=0) as client:
        yield client
