"""A query is embedded once, for however many collections of its model; of a long one the model reads the beginning."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from searchkit.embedding.embedder import Embedder
from searchkit.library import Library
from searchkit.search.on_demand import OnDemandReader, beginning_of
from searchkit.search.request import SearchRequest
from searchkit.types import NoteKind, SearchMode
from searchkit_indexes import Vectors
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder


class CountingEmbedder(HashEmbedder):
    """Notes the queries that it is asked for."""

    def __init__(self, name: str = "hash") -> None:
        super().__init__(name=name)
        self.queries: list[str] = []

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        self.queries += queries
        return super().embed_queries(queries)


def several(home: Path, folder: Path, embedder: Embedder) -> Library:
    library = Library(home, embedder=embedder)
    for name in ("one", "two", "three"):
        write(folder / name / "note.txt", f"The roses of {name} are pruned in March.")
        library.index(folder / name)
    return library


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.SEMANTIC])
def test_a_query_is_embedded_once_for_all_collections_and_for_who_asks_again(tmp_path: Path, mode: SearchMode) -> None:
    embedder = CountingEmbedder()
    with several(tmp_path / "home", tmp_path, embedder) as library:
        embedder.queries.clear()
        assert len({hit.collection for hit in library.search("roses", mode=mode)}) == 3
        assert embedder.queries == ["roses"]
        with library.sibling() as sibling:
            sibling.search("roses", mode=mode)
        library.search("roses", mode=mode)
        assert embedder.queries == ["roses"]


def test_a_vector_is_that_of_its_model_and_few_are_remembered() -> None:
    reader, first, second = OnDemandReader(), CountingEmbedder(), CountingEmbedder("other")
    for number in range(40):
        reader.query_vector(first, f"query {number}")
    reader.query_vector(second, "query 39")
    assert (len(first.queries), second.queries) == (40, ["query 39"])
    reader.query_vector(first, "query 39")
    assert len(first.queries) == 40
    reader.query_vector(first, "query 0")
    assert len(first.queries) == 41


def test_of_a_long_query_the_model_reads_512_tokens_and_a_note_says_so_once(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    with several(tmp_path / "home", tmp_path, embedder) as library:
        embedder.queries.clear()
        found = library.find(SearchRequest("roses pruned in March " * 500))
        assert found.hits
        [read] = embedder.queries
        assert embedder.count_tokens(read) == 512
        assert [note.values for note in found.notes if note.kind is NoteKind.QUERY_CUT] == [("512", "2,000")]
        short = library.find(SearchRequest("roses pruned in March"))
        assert NoteKind.QUERY_CUT not in {note.kind for note in short.notes}
        by_words = library.find(SearchRequest("roses pruned in March " * 500, mode=SearchMode.LEXICAL))
        assert NoteKind.QUERY_CUT not in {note.kind for note in by_words.notes}


@pytest.mark.parametrize(
    ("query", "read"),
    [("a b c", "a b c"), ("aaaa b c", "aaaa b"), ("abcdefghij", "abcde"), ("  aa  bb  cc  ", "  aa  bb")],
)
def test_the_beginning_ends_with_a_word(query: str, read: str) -> None:
    assert beginning_of(query, lambda text: len(text.replace(" ", "")), 5) == read
