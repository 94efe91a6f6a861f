"""Literal matches of a query come first, whatever else is nearer in meaning or has more of its words."""

from pathlib import Path

import pytest

from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.types import NoteKind, SearchMode
from tests.support.files import write

pytestmark = pytest.mark.both_homes

WORDS = "boiler pressure gauge water valve pump heating error manual invoice number function size"


@pytest.fixture
def planted(library: Library, docs: Path) -> Path:
    """Literal things among a hundred notes that are about the same words, a passage each, in ten files."""
    for first in range(0, 100, 10):
        notes = [
            f"# Note {each}\n\n{WORDS} {each}. {f'{WORDS}. ' * 6}error number.\n" for each in range(first, first + 10)
        ]
        write(docs / "notes" / f"notes{first}.md", "\n".join(notes))
    write(docs / "codes.md", "# Codes\n\nThe display shows E0X7 when the flame goes out.\n")
    write(docs / "bills.txt", "Paid on Monday: QX-2025-0071, for the roof.\n")
    write(docs / "api.py", "def frob_widget(size):\n    return size\n")
    write(docs / "letter.txt", "Dear Ann. The gauge of the boiler sings at night. Yours, Bob.\n")
    write(docs / "reports" / "quarter-three.txt", "Sales went up.\n")
    library.index(docs)
    return docs


LITERAL = [
    ("E0X7", "codes.md"),
    ("what does error E0X7 of the boiler mean", "codes.md"),
    ("qx-2025-0071", "bills.txt"),
    ("invoice number QX-2025-0071", "bills.txt"),
    ("frob_widget", "api.py"),
    ("function frob_widget size", "api.py"),
    ("the gauge of the boiler sings at night", "letter.txt"),
    ("the gauge of the BOILER sings", "letter.txt"),
    ("quarter-three.txt", "quarter-three.txt"),
    ("reports/quarter-three.txt", "quarter-three.txt"),
    ("quarter-three", "quarter-three.txt"),
]


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.LEXICAL])
def test_it_is_the_first_hit(library: Library, planted: Path, mode: SearchMode) -> None:
    for query, name in LITERAL:
        hits = library.search(query, mode=mode)

        assert hits[0].path.name == name, query
        assert hits[0].score == 1.0 and not hits[0].weak, query
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_what_has_nothing_to_do_with_the_collection_is_weak(library: Library, docs: Path) -> None:
    library.index(docs)

    hits = library.search("quantum chromodynamics lattice", mode="semantic")
    assert [hit.weak for hit in hits] == [True] * 3
    assert library.search("quantum chromodynamics", mode="lexical") == []


def test_every_number_of_a_rank_is_told(library: Library, planted: Path) -> None:
    hits = library.search("boiler pressure water")
    assert hits
    for hit in hits:
        how = hit.evidence.explanation
        assert how is not None
        assert 0 <= how.meaning <= 1 and 0 <= how.words <= 1 and 0 <= how.word_weight <= 0.5
    totals = [hit.evidence.explanation.total for hit in library.search("boiler") if hit.evidence.explanation]
    assert len(totals) > 1
    assert totals == sorted(totals, reverse=True)


def test_a_ranking_is_the_order_of_a_search(library: Library, planted: Path) -> None:
    found = [(hit.path, hit.text) for hit in library.search("boiler pressure", k=20)]

    assert [
        (hit.path, hit.text) for hit in library.find(SearchRequest("boiler pressure", k=20, ranking_only=True)).hits
    ] == found


def test_a_phrase_that_nothing_holds_is_no_demand_in_a_sentence(library: Library, planted: Path) -> None:
    assert library.search('"the gauge sings loudly" boiler') == []
    assert library.search('what does "the gauge sings loudly" say of boilers') != []
    assert library.search('"gauge of the boiler sings" night')[0].path.name == "letter.txt"


def test_a_number_that_occurs_nowhere_is_said_to(library: Library, planted: Path) -> None:
    hits = library.search("QX-2025-0072")
    assert hits
    assert [hit for hit in hits if not hit.weak] == []


def test_an_identifier_is_counted_among_the_passages_that_the_filters_leave(library: Library, planted: Path) -> None:
    write(planted / "other" / "codes.md", "# More codes\n\nE0X7 is not for you.\n")
    library.index(planted)

    [hit, *_] = library.search("what does error E0X7 of the boiler mean folder:other", mode=SearchMode.LEXICAL)
    assert hit.path.parent.name == "other" and hit.score == 1.0


SPELLINGS = [
    ("13860", "sums.txt"),
    ('"13.860,00" EUR', "sums.txt"),
    ("due 2 August 2025", "sums.txt"),
    ("due 2. August", "sums.txt"),
    ("31.3.", "paid.txt"),
    ('"2025-08-02"', "sums.txt"),
    ("call 030 1234567", "sums.txt"),
    ("QX 2025 0071", "bills.txt"),
    ("qx20250071", "bills.txt"),
]


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.LEXICAL])
def test_another_spelling_of_it_is_the_first_hit(library: Library, planted: Path, mode: SearchMode) -> None:
    write(planted / "sums.txt", "Due on 2.8.2025: EUR 13,860. Ask +49 30 1234567 about it.\n")
    write(planted / "paid.txt", "Paid 31.3. by hand, not 31.4 of them.\n")
    library.index(planted)

    for query, name in SPELLINGS:
        [hit, *_] = library.search(query, mode=mode)
        assert hit.path.name == name, query
        assert hit.score == 1.0, query
        assert hit.marks, (query, hit.snippet)


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.LEXICAL])
def test_the_beginning_of_a_reference_finds_it_first(library: Library, planted: Path, mode: SearchMode) -> None:
    [hit, *_] = library.search("QX-2025-00", mode=mode)
    assert hit.path.name == "bills.txt" and not hit.weak
    assert hit.marks, hit.snippet


@pytest.fixture
def ledger(library: Library, tmp_path: Path) -> Library:
    """Things that are looked up as they are written, beside sentences that sound like answers."""
    folder = tmp_path / "ledger"
    write(
        folder / "order.md",
        "Northgate Timber wrote on Monday.\n\n| Item | Price |\n|---|---|\n| Oak boards K-54 | 1,340.00 |\n"
        "| Pine battens K-55 | 96.20 |\n\nThe total is 1,436.20. Ring 089 / 55 27 18-40 about K and 54 others.\n",
    )
    write(folder / "meter.txt", "The meter says 13860 today. It was read twice.\n")
    write(folder / "roof.txt", "The invoice of the roofer came. It asks for 13.860,00 EUR by 2. August 2025.\n")
    write(folder / "trip.txt", "The flight leaves on 2025-08-02 at six. Sun hats are packed.\n")
    write(
        folder / "dumplings.txt", "Six old rolls are cut up. Two eggs, parsley, nutmeg. Leave it for twenty minutes.\n"
    )
    write(
        folder / "code.py",
        "def remove_older_than(days):\n    # Delete snapshots that are older than so many days.\n    return days\n",
    )
    library.index(folder)
    return library


MODES = [SearchMode.HYBRID, SearchMode.LEXICAL]


TYPED = [
    ("K-54", "order.md", ["K-54"]),
    ("k54", "order.md", ["K-54"]),
    ("089552718-40", "order.md", ["089 / 55 27 18-40"]),
    ("13.860,00", "roof.txt", ["13.860,00"]),
    ("13860", "meter.txt", ["13860"]),
    ("2. August 2025", "roof.txt", ["2. August 2025"]),
    ("2025-08-02", "trip.txt", ["2025-08-02"]),
    ('"two eggs"', "dumplings.txt", ["Two eggs"]),
    ("two eggs", "dumplings.txt", ["Two", "eggs"]),
    ('"it for twenty"', "dumplings.txt", ["it for twenty"]),
    ('"2. August 2025"', "roof.txt", ["2. August 2025"]),
    ("remove_older_than", "code.py", ["remove_older_than"]),
]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_marked_is_what_was_typed(ledger: Library, mode: SearchMode) -> None:
    for query, name, marked in TYPED:
        found = ledger.find(SearchRequest(query, mode=mode))
        hit = found.hits[0]

        assert hit.path.name == name, query
        assert [hit.snippet[start:end] for start, end in hit.marks][: len(marked)] == marked
        assert hit.marks[0] in {(hit.snippet.index(marked[0]), hit.snippet.index(marked[0]) + len(marked[0]))}
        assert hit.sentence is not None and marked[0] in hit.text[slice(*hit.sentence)]
        assert not found.notes, query


@pytest.mark.parametrize("query", ["K-54", "remove_older_than"])
def test_the_parts_of_a_reference_are_no_reason_of_their_own(ledger: Library, query: str) -> None:
    hit = ledger.search(query, mode=SearchMode.LEXICAL)[0]
    assert hit.evidence.terms == (query.lower(),)
    assert {hit.snippet[start:end] for start, end in hit.marks} == {query}


def test_a_phrase_in_another_spelling_is_not_said_to_be_missing(ledger: Library) -> None:
    found = ledger.find(SearchRequest('when does the flight to Lisbon leave "2 August 2025"'))
    assert not [note for note in found.notes if note.kind is NoteKind.PHRASES_NOT_FOUND]


def test_nothing_but_words_is_marked_in_a_weak_hit(ledger: Library) -> None:
    weak = [hit for hit in ledger.search("quantum chromodynamics lattice eggs") if hit.weak]
    assert weak
    for hit in weak:
        assert {hit.snippet[start:end].lower() for start, end in hit.marks} <= {"eggs"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "marked"),
    [("ห้องสมุด", "ห้องสมุด"), ("ค่าเช่า", "ค่าเช่า"), ("図書館", "図書館"), ("コーヒー", "ｺｰﾋｰ"), ("เช่าห้องสมุด", "ห้องสมุด")],
)
def test_of_a_script_without_blanks_the_word_is_marked_and_no_scraps_of_others(
    library: Library, tmp_path: Path, mode: SearchMode, query: str, marked: str
) -> None:
    folder = tmp_path / "asia"
    write(folder / "thai.txt", "ค่าเช่าบ้านต้องจ่ายทุกวันที่ห้าของเดือน ห้องสมุดเปิดแปดโมงเช้า\n")
    write(folder / "japan.txt", "ｺｰﾋｰは朝だけ飲む。図書館のカードは引き出しの中にあります。\n")
    library.index(folder)
    hit = library.search(query, mode=mode)[0]
    assert [hit.snippet[start:end] for start, end in hit.marks] == [marked]


def test_the_line_of_a_hit_in_sections_that_were_joined_is_that_of_the_word(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "lease"
    text = "# Lease\n\n## Rent\nEight hundred.\n\n## Deposit\nThree months.\n\n## Pets\n\nCats may stay.\n"
    write(folder / "lease.md", text)
    library.index(folder)
    for word, line in (("hundred", 4), ("months", 7), ("cats", 11)):
        assert library.search(word, mode=SearchMode.LEXICAL)[0].marked_line == line
