"""Queries of every kind get the right passage, a clear answer, or a clear refusal."""

from pathlib import Path

import pytest

from searchkit.errors import CollectionNotFoundError, UsageError
from searchkit.library import Library
from searchkit.types import SearchMode
from tests.support.errors import refused
from tests.support.files import write

pytestmark = pytest.mark.both_homes

MODES = list(SearchMode)


@pytest.fixture
def indexed(library: Library, docs: Path) -> Library:
    """A library with the small folder and a few documents more."""
    write(docs / "march.md", "# March\n\nInvoice HV-2025-48213 was paid late.\n")
    write(docs / "april.md", "# April\n\nInvoice HV-2025-99999 is open.\n")
    write(docs / "chinese.txt", "把根部插入水杯,用塑料袋罩住叶子,放进冰箱。\n")
    write(docs / "accents.txt", "Die Kündigung der Wohnung; la crème brûlée.\n")
    write(docs / "report_final_v2.txt", "Nothing of note happened on the second day.\n")
    library.index(docs)
    return library


@pytest.mark.parametrize("mode", MODES)
def test_the_document_that_shares_the_words_wins(indexed: Library, mode: SearchMode) -> None:
    hit = indexed.search("gauge water bar", mode=mode)[0]
    assert (hit.path.name, hit.heading, hit.line) == ("boiler.md", "Boiler › Pressure", 5)
    assert 0 < hit.score <= 1


def test_the_reason_of_the_match_is_marked(indexed: Library) -> None:
    hit = indexed.search("water gauges", mode=SearchMode.LEXICAL)[0]
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["water", "gauge"]
    assert hit.evidence.terms == ("water", "gauge")
    assert hit.evidence.similarity is None


def test_an_identifier_finds_its_document_before_its_neighbours(indexed: Library) -> None:
    first, second = indexed.search("HV-2025-48213", mode=SearchMode.LEXICAL)[:2]
    assert "48213" in first.text
    assert "99999" in second.text
    assert first.score > second.score


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("report_final_v2", "report_final_v2.txt"),
        ("塑料袋", "chinese.txt"),
        ("kundigung", "accents.txt"),
        ("CRÈME BRULEE", "accents.txt"),
        ("roses pruning", "roses.md"),
    ],
)
def test_words_are_found_in_names_and_every_script(indexed: Library, query: str, name: str) -> None:
    assert indexed.search(query, mode=SearchMode.LEXICAL)[0].path.name == name


BREAKING = [
    '"', "'", '""', '"unclosed', "a OR", "NEAR(", "col:x", "text:water",
    "*", "-water", "^water", "(water", "%_\\",
    "water AND NOT",
    "💧" * 50, "\u202e\u200b", "; DROP TABLE chunks", "x" * 30_000, "word " * 5_000, "\ud800", "?", "the of and",
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_no_query_text_breaks_a_search(indexed: Library, mode: SearchMode) -> None:
    for query in BREAKING:
        hits = indexed.search(query, mode=mode)
        assert all(0 <= hit.score <= 1 for hit in hits), query


def test_scores_fall_with_the_rank_and_k_is_kept(indexed: Library) -> None:
    for mode in MODES:
        hits = indexed.search("the invoice was paid", k=3, mode=mode)
        assert len(hits) <= 3
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(indexed.search("invoice", k=1000)) == indexed.status("docs").passages


def test_a_word_that_is_nowhere_finds_nothing_by_words(indexed: Library) -> None:
    assert indexed.search("xylophone", mode=SearchMode.LEXICAL) == []


def test_marks_stay_inside_the_snippet_of_long_passages(library: Library, docs: Path) -> None:
    text = " ".join(f"Sentence {i} talks about subject {i * 7 % 50}." for i in range(400)) + " The zebra sleeps."
    write(docs / "long.txt", text)
    library.index(docs)
    hit = library.search("zebra", mode=SearchMode.LEXICAL)[0]
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["zebra"]
    assert len(hit.snippet) <= 320


@pytest.mark.parametrize("query", ["", "   ", "\n\t", "\0"])
def test_an_empty_query_is_refused_with_an_example(indexed: Library, query: str) -> None:
    with pytest.raises(UsageError, match="The query is empty"):
        indexed.search(query)


def test_searching_without_a_collection_says_how_to_make_one(library: Library) -> None:
    with refused(CollectionNotFoundError, "searchkit index FOLDER"):
        library.search("anything")
    with pytest.raises(CollectionNotFoundError, match="No collection named 'docs'"):
        library.search("anything", collections=["docs"])


def test_an_unknown_collection_is_refused_with_those_there_are(indexed: Library) -> None:
    with pytest.raises(CollectionNotFoundError, match="Choose from: docs"):
        indexed.search("anything", collections=["doc"])


def test_the_only_passage_of_a_collection_gets_the_score_it_deserves(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "one" / "lease.md", "# Lease\n\nThe tenancy ends on 30 June.\n")
    library.index(tmp_path / "one")
    for mode in MODES:
        assert library.search("when does the tenancy end in june", mode=mode)[0].score > 0.05


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("Wie lange läuft der Vertrag noch?", "Verträgen"),
        ("Vertrag Kündigungsfrist", "Kündigungsfristen"),  # no word tells the language: the collection's
        ("Где находится библиотека?", "библиотеке"),
        ("¿Cuáles son las obligaciones del inquilino?", "obligación"),
        ("புத்தகம்", "புத்தகங்கள்"),  # the last letter and its mark change
        ("किताब", "किताबें"),
    ],
)
def test_words_are_found_in_the_forms_of_their_language(
    library: Library, tmp_path: Path, query: str, written: str
) -> None:
    write(
        tmp_path / "docs" / "de.txt",
        "In allen Verträgen mit der Stadt stehen die Kündigungsfristen, die für sie gelten.\n",
    )
    write(tmp_path / "docs" / "de2.txt", "Der Garten und das Haus sind nicht für alle, die in der Stadt wohnen.\n")
    write(tmp_path / "docs" / "ru.txt", "Книги можно взять в городской библиотеке, если вы там записаны.\n")
    write(tmp_path / "docs" / "es.txt", "La obligación de quien alquila una casa es pagar el agua y la luz.\n")
    write(tmp_path / "docs" / "ta.txt", "நூலகத்தில் பல புத்தகங்கள் உள்ளன.\n")
    write(tmp_path / "docs" / "hi.txt", "मेज़ पर तीन किताबें रखी हैं।\n")
    library.index(tmp_path / "docs")

    hit = library.search(query, mode=SearchMode.LEXICAL)[0]

    assert written in hit.text
    assert written.lower() in hit.evidence.terms
    assert written in [hit.snippet[start:end] for start, end in hit.marks]


_LEASE = (
    "The tenant pays the rent by the third working day of each month and keeps the stairs clean in turn with the others."
    " Whoever moves out gives notice in writing before the end of a quarter and leaves the rooms as they were handed over."
)


def test_one_hit_stands_for_all_that_say_nearly_the_same(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "lease.txt", f"{_LEASE}\n")
    write(
        tmp_path / "docs" / "lease_old.txt", f"{_LEASE.replace('the stairs', 'stairs').replace('notice', 'notices')}\n"
    )
    write(tmp_path / "docs" / "lease_copy.txt", f"{_LEASE}\n")
    write(
        tmp_path / "docs" / "other.txt",
        "The stairs are made of stone, and the tenant of the first floor waters the flowers.\n",
    )
    library.index(tmp_path / "docs")
    for mode in MODES:
        first, *others = library.search("tenant rent stairs", mode=mode)

        assert first.copies == 2
        assert {path.name for path in (first.path, *first.copies_at)} == {
            "lease.txt",
            "lease_old.txt",
            "lease_copy.txt",
        }
        assert [hit.path.name for hit in others] == ["other.txt"]


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("third", "fourth"),
        ("pays the rent", "pays no rent"),
        ("keeps", "never keeps"),
        ("in writing", "without writing"),
        ("quarter", "year"),
        ("others.", "others. Flat 17."),
        ("tenant", "Tenants"),
    ],
)
def test_what_says_something_else_is_no_copy(library: Library, tmp_path: Path, written: str, instead: str) -> None:
    write(tmp_path / "docs" / "a.txt", _LEASE)
    write(tmp_path / "docs" / "b.txt", _LEASE.replace(written, instead))
    library.index(tmp_path / "docs")

    assert [hit.copies for hit in library.search("rent stairs")] == [0, 0]


def test_of_copies_the_file_that_is_named_is_shown(library: Library, tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / "docs" / "sub" / f"{name}.txt", _LEASE)
    library.index(tmp_path / "docs")

    for query in ("c.txt", "sub/c.txt", str(tmp_path / "docs" / "sub" / "c.txt"), "what is in sub/c.txt about rent"):
        (hit,) = library.search(query)
        assert (hit.path.name, hit.copies, hit.score) == ("c.txt", 2, 1.0)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("елка", "Ёлка стояла в углу."),
        ("ёлка", "Елка стояла в углу."),
        ("Lodz", "Pociąg do Łodzi; stacja Łódź."),
        ("smorrebrod", "Vi spiser smørrebrød."),
        ("LINDENSTRASSE", "Sie wohnt in der Lindenstraße."),
        ('"coeur du gateau"', "Le cœur du gâteau est chaud."),
        ("final office", "The ﬁnal oﬃce is closed."),
        ("Dampfschiff", "Das Dampf\u00adschiff fährt."),
        ("zerowidth", "A zero\u200bwidth space."),
        ("fatal", "\x1b[31mFATAL\x1b[0m the disk is full"),
        ("茶 豆", "他喜欢喝绿茶和吃大豆。"),
    ],
)
def test_letters_that_are_written_in_two_ways_are_one(library: Library, tmp_path: Path, query: str, text: str) -> None:
    write(tmp_path / "docs" / "a.txt", text)
    library.index(tmp_path / "docs")

    (hit,) = library.search(query, mode=SearchMode.LEXICAL)

    assert hit.path.name == "a.txt"


@pytest.mark.parametrize("query", ["*", "...", "the of and", "!!! ???"])
def test_a_query_that_says_nothing_finds_weak_matches_at_most(indexed: Library, query: str) -> None:
    hits = indexed.search(query)
    assert hits
    assert [hit for hit in hits if not hit.weak] == []


def test_scores_do_not_depend_on_how_many_hits_are_asked_for(indexed: Library) -> None:
    for query in ("gauge water bar", "invoice paid", "roses in winter"):
        scores = [hit.score for hit in indexed.search(query, k=50)]
        for k in (1, 3, 10):
            assert [hit.score for hit in indexed.search(query, k=k)] == scores[:k]


def test_the_same_words_with_other_numbers_are_no_copies(library: Library, tmp_path: Path) -> None:
    for number in (17, 18):
        write(tmp_path / "docs" / f"{number}.txt", f"{_LEASE} The rent is due for flat {number}.\n")
    library.index(tmp_path / "docs")

    assert [hit.copies for hit in library.search("rent stairs")] == [0, 0]
