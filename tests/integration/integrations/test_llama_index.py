"""The retriever for LlamaIndex, in a query engine of LlamaIndex's own with its fake language model."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, QueryBundle

from searchkit.display.installation import Installation
from searchkit.errors import UsageError
from searchkit.integrations.llama_index import SearchkitRetriever
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.serve.references import open_passage


@pytest.fixture
def indexed(library: Library, docs: Path) -> Library:
    library.index(docs)
    return library


@pytest.fixture
def retriever(indexed: Library) -> Iterator[SearchkitRetriever]:
    made = SearchkitRetriever(library=indexed, k=2)
    yield made
    made.close()


def test_a_node_says_what_it_is_and_where_it_stands(
    retriever: SearchkitRetriever, indexed: Library, docs: Path
) -> None:
    best, _ = retriever.retrieve("when to prune roses")
    assert best.node.get_content() == "Prune the roses in March, above an outward bud."
    assert best.score is not None
    assert 0.5 <= best.score <= 1
    assert best.node.metadata["source"] == str(docs / "garden" / "roses.md")
    assert best.node.metadata["line"] == 3
    assert open_passage(indexed, best.node.node_id).passage.text == best.node.get_content()
    told = best.node.get_content(MetadataMode.LLM)
    assert told == "title: roses.md: Roses\n\nPrune the roses in March, above an outward bud."


def test_it_is_a_part_of_a_query_engine(retriever: SearchkitRetriever) -> None:
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    answer = engine.query("when to prune roses")
    assert "Prune the roses in March" in str(answer), "the fake model repeats what it was asked"
    assert answer.source_nodes[0].node.metadata["title"] == "roses.md: Roses"


def test_it_works_in_an_event_loop_and_in_many_threads(retriever: SearchkitRetriever) -> None:
    async def many() -> list[str]:
        found = await asyncio.gather(*(retriever.aretrieve(QueryBundle(f"roses {n}")) for n in range(20)))
        return [nodes[0].node.metadata["title"] for nodes in found]

    with ThreadPoolExecutor(8) as threads:
        in_threads = [nodes[0].node.metadata["title"] for nodes in threads.map(retriever.retrieve, ["roses"] * 20)]
    assert {*in_threads, *asyncio.run(many())} == {"roses.md: Roses"}


def test_what_is_retrieved_can_be_narrowed(indexed: Library) -> None:
    made = SearchkitRetriever(library=indexed, filters=Filters(types=("txt",)), mode="semantic", min_score=0.1)
    assert [node.node.metadata["title"] for node in made.retrieve("knead the dough")] == ["bread.txt"]
    made.close()
    with pytest.raises(UsageError, match="closed"):
        made.retrieve("roses")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k": 0}, "k is the number"),
        ({"collections": "docs"}, "list of names"),
        ({"mode": "fuzzy"}, "mode is one of"),
        ({"min_score": 2}, "from 0 to 1"),
    ],
)
def test_mistakes_are_told_when_it_is_made(indexed: Library, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SearchkitRetriever(library=indexed, **options)


def test_without_the_framework_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['llama_index'] = None\n"
        "try:\n    import searchkit.integrations.llama_index\n"
        "except ModuleNotFoundError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    adding = Installation.here().adding("llama-index")
    assert said == f"The retriever for LlamaIndex needs the package llama-index-core: {adding}\n"
