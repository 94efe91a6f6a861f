"""What can be marked in a passage, which of it is, and how it is shown."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.answer.retrieve import _one
from searchkit.catalog.fulltext import Stemmer
from searchkit.catalog.passages import StoredPassage
from searchkit.cli.hits import _wrapped
from searchkit.display import place
from searchkit.search.lexical.bm25 import LexicalQuery
from searchkit.search.results.highlights import Extract, Highlighter, PassageWords, snippet_around
from searchkit.search.sentences import is_date, sentences, shown_lines
from searchkit.types import Evidence, Hit, Passage
from tests.support.hash_embedder import HashEmbedder

MAIL = """From: Kita Regenbogen <info@kita-regenbogen.example>
To: Eltern <alle@kita-regenbogen.example>
Date: Mon, 12 May 2025 07:31:00 +0200
Subject: Neues aus der Kita

Liebe Eltern,

am Freitag bleibt die Einrichtung wegen einer Fortbildung zu. Bitte denken Sie an Wechselkleidung."""
LIST = """## This week

- [x] water plants
- [x] call the plumber, the basement is under water after the storm
- [ ]
- [ ] bring back books"""
TABLE = """| who | today |
|---|:--|
| Ana | writes release notes |
| Ben | on sick leave |"""


def marked(text: str, title: str = "", *, is_code: bool = False) -> list[str]:
    return [text[start:end] for start, end in sentences(text, title, is_code=is_code)]


def stored(text: str, name: str = "notes.txt", title: str = "") -> StoredPassage:
    return StoredPassage(1, 1, 0, b"", "/docs", name, title, text, None, 1, text.count("\n") + 1, "", "", "")


def extract(
    text: str, query: str, weights: dict[str, float] | None = None, *, reads: bool = True, title: str = ""
) -> Extract:
    """What is shown of a passage for a query of words that all weigh the same."""
    stemmer, embedder = Stemmer(), HashEmbedder()
    stems = dict.fromkeys(stemmer.stems(query.split()).values(), 1.0) if weights is None else weights
    asked = LexicalQuery(query, "", stems, {})

    def read(wanted: dict[bytes, Passage]) -> dict[bytes, object]:
        return dict(zip(wanted, embedder.embed_documents([*wanted.values()]), strict=True)) if reads else {}

    words = PassageWords.read(stored(text, title=title), asked, stemmer)
    highlighter = Highlighter(asked, embedder, embedder.embed_queries([query])[0], read)  # type: ignore[arg-type]
    try:
        return highlighter.extract(stored(text, title=title), words)
    finally:
        stemmer.close()


@pytest.mark.parametrize(
    ("text", "never"),
    [
        (MAIL, "From:"),
        (MAIL, "Date:"),
        (MAIL, "Subject:"),
        (LIST, "This week"),
        (LIST, "- [ ]\n"),
        (TABLE, "who"),
        (TABLE, "---"),
        ("# Deploying\n\n```sh\nmake release\n```\n\nTell the team.", "```"),
        ("# Deploying\n\nTell the team.", "Deploying"),
        ("Deploying\n=========\n\nTell the team.", "Deploying"),
        ("2025-08-14\n\nHot all day long.\n\nSat 15 August 2025, 10:30\n\nCold.", "2025"),
        (
            "Von: A <a@b.example>\nGesendet: Montag, 5. Mai 2025 10:00\nBetreff: Heizung\n\nSie ist wieder warm.",
            "Betreff",
        ),
        ("{\n  [\n}\nvalue = 1", "{"),
    ],
)
def test_what_only_leads_to_an_answer_cannot_be_marked(text: str, never: str) -> None:
    assert marked(text)
    assert not any(never in each for each in marked(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TABLE, ["| Ana | writes release notes |", "| Ben | on sick leave |"]),
        ("- one thing to do\n- another thing to do", ["- one thing to do", "- another thing to do"]),
        (
            "**Juni.** Blattläuse am Hibiskus. Seife hilft immer.",
            ["**Juni.** Blattläuse am Hibiskus.", "Seife hilft immer."],
        ),
        ("Ring Dr. Lohrer in the Bahnhofstr. before noon. She is kind.", None),
        ("a line that was broken\nto fit a narrow column. The next one.", None),
        ("第一句很长很长。第二句也很长。", ["第一句很长很长。", "第二句也很长。"]),
        ("hall: white, matt\nkitchen: latex, washable", ["hall: white, matt", "kitchen: latex, washable"]),
    ],
)
def test_sentences_rows_and_items_are_whole(text: str, expected: list[str] | None) -> None:
    first, second = expected or marked(text)
    assert marked(text) == [first, second]
    assert first.endswith((".", "|", "do", "。", "matt"))


def test_a_comment_of_a_program_goes_with_what_it_describes() -> None:
    text = "/// The validated flag.\nbool isValidated() const { return flag; }\n}\nint other = 1;"
    assert marked(text, is_code=True)[0] == "/// The validated flag.\nbool isValidated() const { return flag; }"


def test_a_heading_that_the_text_repeats_is_not_marked() -> None:
    assert marked("Notice period\nThree months, in writing, always.", "Lease › Notice period") == [
        "Three months, in writing, always."
    ]


@given(st.text(alphabet=st.sampled_from('aB. !?。;:"”|-#[x]\n\t字।…`=1'), max_size=80))
def test_what_can_be_marked_is_in_order_and_without_white_space_around_it(text: str) -> None:
    found = sentences(text)
    assert found == sorted(found)
    assert all(a < b and text[a:b] == text[a:b].strip() for a, b in found)
    assert all(b <= c for (_, b), (c, _) in pairwise(found))


@pytest.mark.parametrize("text", ["2025-08-14", "Mon, 3 March 2025", "12. Mai 2025, 10:30 Uhr", "**2025-04-08**"])
def test_dates_by_themselves_are_recognised(text: str) -> None:
    assert is_date(text)
    assert not is_date(f"{text} the boiler was replaced")


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("end", ["Yours\nAnna", "Viele Grüße\nAnna", "- Anna\n- Ben", "敬具"])
def test_a_greeting_under_a_heading_like_the_query_is_not_what_answers(end: str, reads: bool) -> None:
    found = extract(f"Please bring the bunch to the office.\n\n{end}", "keys", title="keys", reads=reads)
    assert found.sentence in (None, (0, len("Please bring the bunch to the office.")))


def test_the_date_of_a_mail_is_not_what_says_that_the_kindergarten_is_closed() -> None:
    found = extract(MAIL, "Freitag Fortbildung geschlossen", weights={})
    assert found.sentence is not None
    assert MAIL[slice(*found.sentence)] == "am Freitag bleibt die Einrichtung wegen einer Fortbildung zu."
    assert found.snippet.startswith("Liebe Eltern")
    assert [found.snippet[slice(*mark)] for mark in found.marks] == [MAIL[slice(*found.sentence)]]


@pytest.mark.parametrize("reads", [True, False])
def test_a_flooded_cellar_is_not_watered_plants(*, reads: bool) -> None:
    found = extract(LIST, "basement after the storm", weights={}, reads=reads)
    assert found.sentence is not None
    assert LIST[slice(*found.sentence)].startswith("- [x] call the plumber")


def test_nothing_is_marked_where_nothing_is_near() -> None:
    found = extract("Tea and honey.\n\nBread and butter too.", "quarks", weights={})
    assert (found.marks, found.sentence) == ((), None)


def test_an_identifier_is_marked_whole() -> None:
    found = extract(
        "Contract number SA-2025-007, of February. It ends in March.", "SA-2025-007", {"sa": 1.0, "007": 1.0}
    )
    assert [found.snippet[slice(*mark)] for mark in found.marks] == ["SA-2025-007"]


def test_a_snippet_has_the_sentence_and_little_before_it() -> None:
    text = "Something else is said here. " * 20 + "The answer is here. " + "And more of it follows. " * 20
    start = text.index("The answer")
    snippet, ((first, last),) = snippet_around(text, (start, start + 19))
    assert snippet[first:last] == "The answer is here."
    assert 0 < first <= 107
    assert len(snippet) > 240


def hit(text: str, snippet: str, marks: tuple[tuple[int, int], ...] = (), **fields: object) -> Hit:
    end = 10 + text.count("\n")
    known = Hit("docs", Path("/docs/a.txt"), "", None, 10, end, 1.0, text, snippet, marks, Evidence(None, None, ()))
    return known if not fields else Hit(**{**{name: getattr(known, name) for name in known.__slots__}, **fields})


def test_the_line_of_a_hit_is_that_of_its_sentence_with_the_passage_beside_it() -> None:
    text = "One line.\nAnother line.\nThe answer."
    found = hit(text, text, sentence=(24, 35))
    assert found.marked_line == 12
    assert place(found) == "/docs/a.txt:12 (10–12)"
    assert place(hit(text, text)) == "/docs/a.txt:10"


def test_lines_that_are_not_those_of_the_file_name_no_line() -> None:
    assert hit("One line.\nThe answer.", "x", sentence=(10, 21), line_end=40).marked_line is None


def test_rows_stay_rows_and_headers_have_a_line_of_their_own() -> None:
    assert _wrapped(hit(TABLE, TABLE), 90) == [
        "| who | today |",
        "| Ana | writes release notes |",
        "| Ben | on sick leave |",
    ]
    assert len(shown_lines(MAIL)) == 2
    assert _wrapped(hit(MAIL, MAIL), 300)[1].startswith("Liebe Eltern, am Freitag")


@pytest.mark.parametrize(
    "text",
    [
        "Item | Price\nSpade | 19.90\nHose | 9.90",
        "Ana | Leeds | 0711 | sister\nBen | Bath | 0712 | doctor | new",
        "Present\n\nIlse and Tom.\n\nRoof\n\nIt is put off until spring.",
    ],
)
def test_rows_of_any_number_of_columns_and_headings_in_a_passage_have_lines_of_their_own(text: str) -> None:
    assert _wrapped(hit(text, text), 90) == [line for line in text.split("\n") if line]


def test_a_paragraph_that_was_broken_to_fit_is_one_line() -> None:
    text = "This is broken\nto fit a\nnarrow column.\n\nAnother follows."
    assert _wrapped(hit(text, text), 90) == ["This is broken to fit a narrow column. Another follows."]


def test_a_row_has_its_line_beside_its_place() -> None:
    text = "Ana | Leeds\nBen | Bath\nDiego | Sevilla"
    found = hit(text, text, sentence=(24, 39), place="rows 9–11")
    assert place(found) == "/docs/a.txt:12, rows 9–11"


def test_a_cut_is_shown() -> None:
    text = "Before it. The answer is here. After it."
    assert _wrapped(hit(text, "The answer is here."), 90) == ["… The answer is here. …"]
    assert _wrapped(hit(text, text), 90) == [text]


def test_a_mark_far_down_in_a_table_is_shown() -> None:
    text = "\n".join(f"| {number} | row |" for number in range(20))
    start = text.index("| 15")
    assert any("«| 15 | row |»" in line for line in _wrapped(hit(text, text, ((start, start + 12),)), 90))


def test_the_sentence_of_hits_that_are_joined_is_still_where_it_was() -> None:
    before, best = hit("Before it.", "Before it."), hit("No.\nThe answer.", "x", sentence=(4, 15), score=2.0)
    one = _one([before, best])
    assert one.sentence is not None
    assert one.text[slice(*one.sentence)] == "The answer."
