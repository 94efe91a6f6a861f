"""Queries that say too little to rank passages by are answered by files, where that is asked for."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from searchkit.display import note_text
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.types import NAME_ONLY, SearchMode
from tests.support.files import write

_FILES = (  # the last changed first
    ("2025 Zürich plan.md", "A plan of the town.\n"),
    ("theory.md", "The theory of everything.\n"),
    ("sub/mapping.txt", "How c is mapped to d, и так далее.\n"),
    ("Меню.md", "Кухня.\n"),
    ("水.md", "水 flows.\n"),
)


@pytest.fixture
def desk(library: Library, tmp_path: Path) -> Library:
    fill(tmp_path / "desk", _FILES, latest=2_000_000_000)
    library.index(tmp_path / "desk")
    return library


def fill(folder: Path, files: Sequence[tuple[str, str]], latest: int) -> None:
    for number, (name, text) in enumerate(files):
        path = write(folder / name, text)
        os.utime(path, (latest - number * 86_400,) * 2)


def listed(library: Library, query: str, k: int = 10, mode: SearchMode = SearchMode.LEXICAL) -> SearchResponse:
    return library.find(SearchRequest(query, k, mode, lists_files=True))


def names(response: SearchResponse) -> list[str]:
    return [hit.path.name for hit in response.hits]


def said(response: SearchResponse) -> list[str]:
    return [note_text(note) for note in response.notes]


@pytest.mark.both_homes
@pytest.mark.parametrize("mode", list(SearchMode))
def test_nothing_is_answered_by_the_files_that_changed_last(desk: Library, mode: SearchMode) -> None:
    response = listed(desk, "", 3, mode)
    assert names(response) == ["2025 Zürich plan.md", "theory.md", "mapping.txt"]
    assert said(response) == ["Recent files"]
    assert [hit.date for hit in response.hits] == ["2033-05-18", "2033-05-17", "2033-05-16"]
    assert response.hits[0].text == "A plan of the town.\n".strip()


@pytest.mark.both_homes
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("p", ["2025 Zürich plan.md"]),
        ("z", ["2025 Zürich plan.md"]),
        ("the", ["theory.md"]),
        ("М", ["Меню.md"]),
        ("2", ["2025 Zürich plan.md"]),
        ("p z", ["2025 Zürich plan.md"]),
        ('"m', ["mapping.txt"]),
    ],
)
def test_a_letter_or_a_function_word_is_answered_by_names_with_words_that_begin_with_it(
    desk: Library, query: str, wanted: list[str]
) -> None:
    response = listed(desk, query)
    assert names(response) == wanted
    assert said(response)[0].startswith("Files named ")


@pytest.mark.parametrize("query", ["of", "the of", "и", "c", "?"])
def test_where_no_name_has_it_recent_files_are_listed(desk: Library, query: str) -> None:
    response = listed(desk, query)
    assert names(response)[0] == "2025 Zürich plan.md"
    assert len(response.hits) == len(_FILES)
    assert said(response) == [f"Recent files: {query} alone says too little" if query != "?" else "Recent files"]


@pytest.mark.parametrize("query", ['"c"', "水", "theory", "c++", "c -flow", "type:md"])
def test_whatever_says_more_is_searched_for(desk: Library, query: str) -> None:
    with_list, without = listed(desk, query), desk.find(SearchRequest(query, mode=SearchMode.LEXICAL))
    assert with_list == without


def test_filters_hold_for_files_too(desk: Library) -> None:
    assert names(listed(desk, "the type:txt")) == ["mapping.txt"]
    assert names(listed(desk, "m folder:sub")) == ["mapping.txt"]
    nothing = listed(desk, "the type:pdf")
    assert (nothing.hits, said(nothing)) == ((), ["Nothing found of type pdf."])


def test_files_of_several_collections_are_in_one_order(desk: Library, tmp_path: Path) -> None:
    fill(tmp_path / "shelf", [("new.md", "New.\n"), ("old.md", "Old.\n")], latest=2_000_000_100)
    desk.index(tmp_path / "shelf")
    assert names(listed(desk, "", 3)) == ["new.md", "2025 Zürich plan.md", "old.md"]


def test_files_that_are_not_read_are_found_by_their_names_alone(library: Library, tmp_path: Path) -> None:
    fill(tmp_path / "desk", [("hike.mp4", "\0"), ("herbs.md", "Sage.\n")], latest=2_000_000_000)
    library.index(tmp_path / "desk")
    found = listed(library, "h")
    assert [(hit.path.name, hit.place) for hit in found.hits] == [("hike.mp4", NAME_ONLY), ("herbs.md", "")]
    assert names(listed(library, "")) == ["herbs.md"]


def test_unless_files_are_asked_for_an_empty_query_is_refused_and_a_letter_searched_for(desk: Library) -> None:
    with pytest.raises(UsageError):
        desk.find(SearchRequest(""))
    assert names(desk.find(SearchRequest("c", mode=SearchMode.LEXICAL))) == ["mapping.txt"]
