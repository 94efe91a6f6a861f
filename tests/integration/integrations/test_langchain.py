"""The retriever for LangChain, in chains of LangChain's own with its fake chat model."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from pydantic import ValidationError

from searchkit.display.installation import Installation
from searchkit.errors import CollectionNotFoundError, UsageError
from searchkit.integrations.langchain import SearchkitRetriever
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.serve.references import open_document, open_passage
from tests.support.errors import refused


@pytest.fixture
def indexed(library: Library, docs: Path) -> Library:
    library.index(docs)
    return library


@pytest.fixture
def retriever(indexed: Library) -> Iterator[SearchkitRetriever]:
    made = SearchkitRetriever(library=indexed, k=2)
    yield made
    made.close()


def test_a_document_says_what_it_is_and_where_it_stands(
    retriever: SearchkitRetriever, indexed: Library, docs: Path
) -> None:
    best, _ = retriever.invoke("when to prune roses")
    assert best.page_content == "Prune the roses in March, above an outward bud."
    about = best.metadata
    assert (about["source"], about["title"]) == (str(docs / "garden" / "roses.md"), "roses.md: Roses")
    assert (about["line"], about["heading"], about["collection"], about["weak"]) == (3, "Roses", "docs", False)
    assert 0.5 <= about["score"] <= 1
    assert "page" not in about, "a text file has none"
    assert best.id == about["id"]
    assert open_passage(indexed, about["id"]).passage.text == best.page_content
    assert open_document(indexed, about["document_id"]).document.path == docs / "garden" / "roses.md"


def test_it_is_a_part_of_a_chain(retriever: SearchkitRetriever) -> None:
    seen: list[str] = []

    def joined(documents: list[Document]) -> str:
        seen.extend(document.metadata["title"] for document in documents)
        return "\n\n".join(f"[{document.metadata['title']}] {document.page_content}" for document in documents)

    prompt = ChatPromptTemplate.from_template("Answer from these sources:\n{sources}\n\nQuestion: {question}")
    asked: list[str] = []
    model = FakeListChatModel(responses=["In March [roses.md]."])

    def noted(value: PromptValue) -> PromptValue:
        asked.append(value.to_string())
        return value

    sources = {"sources": retriever | joined, "question": RunnablePassthrough()}
    chain = sources | prompt | RunnableLambda(noted) | model | StrOutputParser()
    assert chain.invoke("when to prune roses") == "In March [roses.md]."
    assert seen[0] == "roses.md: Roses"
    assert "Prune the roses in March" in asked[0]


def test_it_works_in_an_event_loop_and_in_many_threads(retriever: SearchkitRetriever) -> None:
    async def many() -> list[list[Document]]:
        return await asyncio.gather(*(retriever.ainvoke(f"roses {number}") for number in range(20)))

    with ThreadPoolExecutor(8) as threads:
        in_threads = list(threads.map(retriever.invoke, ["roses"] * 20))
    found = [*in_threads, *asyncio.run(many()), *retriever.batch(["roses"] * 5)]
    assert {documents[0].metadata["title"] for documents in found} == {"roses.md: Roses"}


def test_what_is_retrieved_can_be_narrowed(indexed: Library) -> None:
    for options in (
        {"filters": Filters(types=("txt",))},
        {"collections": ["docs"], "mode": "lexical"},
        {"min_score": 0.5},
    ):
        made = SearchkitRetriever(library=indexed, **options)
        titles = {document.metadata["title"] for document in made.invoke("knead the dough")}
        made.close()
        assert titles == {"bread.txt"}


def test_options_of_one_call_take_the_place_of_the_retrievers_own(retriever: SearchkitRetriever) -> None:
    assert len(retriever.invoke("roses", k=1)) == 1
    assert len(asyncio.run(retriever.ainvoke("roses", k=1))) == 1
    assert len(retriever.invoke("roses")) == 2


def test_mistakes_are_told(retriever: SearchkitRetriever, indexed: Library) -> None:
    with pytest.raises(ValidationError):
        SearchkitRetriever(library=indexed, k=0)
    for options, said in (
        ({"collection": "docs"}, "Extra inputs"),
        ({"collections": "docs"}, "list of names"),
        ({"min_score": 2}, "min_score"),
    ):
        with pytest.raises(ValidationError, match=said):
            SearchkitRetriever(library=indexed, **options)
    with pytest.raises(UsageError, match="mode is one of hybrid"):
        SearchkitRetriever(library=indexed, mode="fuzzy")
    with refused(UsageError, "Give the retriever a few words"):
        retriever.invoke(" ")
    with pytest.raises(UsageError, match="A query is a text, not NoneType"):
        retriever.invoke(None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no option 'top_k'"):
        retriever.invoke("roses", top_k=1)
    other = SearchkitRetriever(library=indexed, collections=["nope"])
    with pytest.raises(CollectionNotFoundError, match="nope"):
        other.invoke("roses")
    other.close()
    other.close()
    with pytest.raises(UsageError, match="closed"):
        other.invoke("roses")


def test_it_opens_a_library_of_its_own(indexed: Library) -> None:
    made = SearchkitRetriever(home=indexed.home.path, mode="lexical")
    assert made.invoke("roses")[0].metadata["title"] == "roses.md: Roses"
    made.close()


def test_without_the_framework_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['langchain_core'] = None\n"
        "try:\n    import searchkit.integrations.langchain\n"
        "except ModuleNotFoundError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    adding = Installation.here().adding("langchain")
    assert said == f"The retriever for LangChain needs the package langchain-core: {adding}\n"
