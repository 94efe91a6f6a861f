"""What is mistyped or half typed finds what was meant, and the answer says so."""

from pathlib import Path

import pytest

from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.types import Note, NoteKind, SearchMode
from tests.support.files import write

pytestmark = pytest.mark.both_homes

MODES = [SearchMode.HYBRID, SearchMode.LEXICAL]


@pytest.fixture
def papers(library: Library, docs: Path) -> Library:
    write(docs / "invoice.txt", "Rechnung der Werkstatt: Zahnriemen gewechselt, 489,00 EUR.\n")
    write(docs / "dentist.txt", "Der Zahnarzt hat am Montag eine Füllung gemacht.\n")
    write(docs / "lease.txt", "Die Kaution für die Wohnung beträgt drei Monatsmieten; Möbel sind keine da.\n")
    write(docs / "garden.txt", "Batteries for the hedge trimmer are in the cellar.\n")
    library.index(docs)
    return library


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "name", "typed", "shown"),
    [
        ("Zahnrimen", "invoice.txt", "zahnrimen", "zahnriemen"),
        ("Zanhriemen", "invoice.txt", "zanhriemen", "zahnriemen"),
        ("Zajnrienen Rechnung", "invoice.txt", "zajnrienen", "zahnriemen"),
        ("kauton", "lease.txt", "kauton", "kaution"),
        ("wohnugn", "lease.txt", "wohnugn", "wohnung"),
        ("battries cellar", "garden.txt", "battries", "batteries"),
    ],
)
def test_a_mistyped_word_finds_what_was_meant_and_says_so(
    papers: Library, mode: SearchMode, query: str, name: str, typed: str, shown: str
) -> None:
    found = papers.find(SearchRequest(query, mode=mode))

    assert found.hits[0].path.name == name
    assert found.notes[0] == Note(NoteKind.CORRECTED, (typed, shown))
    assert shown in found.hits[0].evidence.terms
    marks = [found.hits[0].snippet[start:end].lower() for start, end in found.hits[0].marks]
    assert shown in marks


@pytest.mark.parametrize("query", ["moebel", "MÖBEL", "mobel", "fuellung"])
def test_umlauts_may_be_typed_with_an_e(papers: Library, query: str) -> None:
    [hit] = papers.search(query, mode=SearchMode.LEXICAL)
    assert hit.path.name == ("dentist.txt" if query.startswith("f") else "lease.txt")


@pytest.mark.parametrize("mode", MODES)
def test_a_half_typed_last_word_finds_what_begins_so(papers: Library, mode: SearchMode) -> None:
    for typed in ("zah", "zahnr", "zahnriem", "rechnung zahnr", "Rechn", "möb", "batt", "kau"):
        found = papers.find(SearchRequest(typed, mode=mode))
        begun = typed.rsplit(maxsplit=1)[-1].lower()

        assert any(term.startswith(begun) for term in found.hits[0].evidence.terms), typed
        assert NoteKind.CORRECTED not in [note.kind for note in found.notes]


def test_quoted_words_are_never_corrected(papers: Library) -> None:
    assert papers.search('"kauton"', mode=SearchMode.LEXICAL) == []
    noted = papers.find(SearchRequest('drei Monatsmieten für die Wohnung "kauton"', mode=SearchMode.LEXICAL)).notes
    assert NoteKind.CORRECTED not in [note.kind for note in noted]


def test_what_is_written_somewhere_is_not_corrected(papers: Library, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other / "names.txt", "Herr Kauton wohnt hier.\n")
    papers.index(other, collection="other")
    found = papers.find(SearchRequest("kauton", mode=SearchMode.LEXICAL))
    assert NoteKind.CORRECTED not in [note.kind for note in found.notes]


@pytest.mark.parametrize("query", ["what does the roof cost here", "cost of it", "auto cost parts"])
def test_scraps_of_words_are_not_what_was_meant(papers: Library, tmp_path: Path, query: str) -> None:
    write(
        tmp_path / "more" / "scraps.txt",
        "We co-operate, and re-use a co-op; the roof has nine parts, he said. It is in au.\n",
    )
    papers.index(tmp_path / "more")

    notes = papers.find(SearchRequest(query, collections=("more",))).notes
    assert not [note for note in notes if note.kind is NoteKind.CORRECTED], notes


def test_a_question_in_another_language_is_left_as_it_is(papers: Library) -> None:
    asked = "quando podemos visitar alguma cidade grande"
    found = papers.find(SearchRequest(asked, mode=SearchMode.LEXICAL))
    assert NoteKind.CORRECTED not in [note.kind for note in found.notes]


@pytest.mark.parametrize(
    "query", ["x" * 5_000, "кк", "e07", "zz-top", "हिन्ददी", "字典", "ab\0cd", "%_*", "zahn\u0301rimen"]
)
def test_no_word_breaks_it(papers: Library, query: str) -> None:
    found = papers.find(SearchRequest(query, mode=SearchMode.LEXICAL))
    assert all(0 <= hit.score <= 1 for hit in found.hits)
    corrected = [note.values for note in found.notes if note.kind is NoteKind.CORRECTED]
    assert all(values and all(values) for values in corrected)


def test_words_that_are_gone_correct_nothing(library: Library, docs: Path) -> None:
    file = write(docs / "quinces.txt", "Quinces are ripe.\n")
    library.index(docs)
    assert library.search("quinses", mode=SearchMode.LEXICAL)
    file.unlink()
    library.index(docs)

    for typed in ("quinses", "quin"):
        assert not library.search(typed, mode=SearchMode.LEXICAL)


def test_of_several_collections_one_that_knows_what_was_meant_is_enough(papers: Library, tmp_path: Path) -> None:
    write(tmp_path / "ships" / "log.txt", "The ferry left the pier at eight, with a dinghy in tow.\n")
    papers.index(tmp_path / "ships")

    found = papers.find(SearchRequest("kauton dinhgy", mode=SearchMode.LEXICAL))
    [note] = [note for note in found.notes if note.kind is NoteKind.CORRECTED]
    assert dict(zip(note.values[::2], note.values[1::2], strict=True)) == {"kauton": "kaution", "dinhgy": "dinghy"}


def test_a_word_that_one_collection_has_is_not_said_to_be_corrected(papers: Library, tmp_path: Path) -> None:
    write(tmp_path / "names" / "people.txt", "Mr. Kauton came to dinner.\n")
    papers.index(tmp_path / "names")
    found = papers.find(SearchRequest("kauton", mode=SearchMode.LEXICAL))
    assert NoteKind.CORRECTED not in {note.kind for note in found.notes}
    assert found.hits[0].path.name == "people.txt"


def test_a_collection_that_filters_leave_empty_says_nothing_about_words(papers: Library, tmp_path: Path) -> None:
    write(tmp_path / "names" / "people.md", "Mr. Miller came to dinner.\n")
    papers.index(tmp_path / "names")
    found = papers.find(SearchRequest("kauton type:text", mode=SearchMode.LEXICAL))
    assert found.hits[0].path.name == "lease.txt"
    assert found.notes[0] == Note(NoteKind.CORRECTED, ("kauton", "kaution"))


def test_what_has_a_word_as_it_is_typed_goes_before_what_has_only_a_correction(papers: Library, docs: Path) -> None:
    write(docs / "flood.txt", "We came home late. Home is where it was wet, home again at nine.\n")
    papers.index(docs)
    hits = papers.find(SearchRequest("Kaution höhe", mode=SearchMode.LEXICAL)).hits
    assert hits[0].path.name == "lease.txt"
    assert "flood.txt" in [hit.path.name for hit in hits]
