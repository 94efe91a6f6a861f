"""The table of a collection's words follows what is stored, whether words are added or all are counted again."""

from pathlib import Path

from searchkit.catalog.connection import reading
from searchkit.catalog.vocabulary import words_beginning
from searchkit.home import Home, existing_collection
from searchkit.library import Library
from searchkit.types import SearchMode
from tests.support.files import write


def words_of(home: Home, *beginnings: str) -> dict[str, int]:
    with reading(existing_collection(home, "docs")) as catalog:
        return {word: count for each in beginnings for word, count in words_beginning(catalog, each, 1_000_000).items()}


def words_that_are_stored(home: Home) -> dict[str, int]:
    with reading(existing_collection(home, "docs")) as catalog:
        rows = catalog.execute("SELECT term, doc FROM fulltext_terms WHERE term NOT GLOB '*[0-9]*'").fetchall()
    return dict(rows)


def test_every_word_is_counted_that_could_be_mistyped(library: Library, docs: Path) -> None:
    write(docs / "a.txt", "Möbel und Größen, 12 Stück; Ελληνικά мебель दस्तावेज़ 4711-A.\n")
    write(docs / "b.txt", "Möbel aus Holz.\n")
    library.index(docs)

    assert words_of(library.home, "")["mobel"] == 2
    assert words_of(library.home, "") == words_that_are_stored(library.home)


def test_words_of_few_new_chunks_are_added_and_those_of_many_counted(library: Library, docs: Path) -> None:
    for number in range(120):
        write(docs / f"{number}.txt", f"Page {'x' * number} of a long report.\n")
    library.index(docs)

    write(docs / "new.txt", "A report on kumquats.\n")
    library.index(docs)
    assert words_of(library.home, "kumq", "report") == {"kumquat": 1, "report": 121}

    for number in range(40):
        write(docs / f"many-{number}.txt", "Pomegranates, a report.\n")
    library.index(docs)
    assert words_of(library.home, "") == words_that_are_stored(library.home)


def test_a_changed_file_brings_its_new_words(library: Library, docs: Path) -> None:
    file = write(docs / "a.txt", "Quinces are ripe.\n")
    library.index(docs)
    file.write_text("Medlars are ripe, and were written later.\n")
    library.index(docs)

    assert words_of(library.home, "") == words_that_are_stored(library.home)
    assert "quinc" not in words_of(library.home, "")


def test_words_that_are_gone_correct_nothing(library: Library, docs: Path) -> None:
    for number in range(200):
        write(docs / f"{number}.txt", f"Page {number} of a report.\n")
    file = write(docs / "a.txt", "Quinces are ripe.\n")
    library.index(docs)
    file.unlink()
    library.index(docs)

    assert "quinc" in words_of(library.home, ""), "The test means words that the table still has."
    for typed in ("quinses", "quin"):
        assert not library.search(typed, mode=SearchMode.LEXICAL)


def test_forgotten_words_are_not_kept(library: Library, docs: Path) -> None:
    for number in range(200):
        write(docs / f"{number}.txt", f"Page {number} of a report.\n")
    file = write(docs / "a.txt", "Quinces are ripe.\n")
    library.index(docs)
    library.forget(file)

    assert "quinc" not in words_of(library.home, "")
