from searchkit.ingest.extract.markup.org import extract_org
from searchkit.types import Block, BlockKind

H, P, C, T = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.CODE, BlockKind.TABLE


def blocks(source: str) -> list[Block]:
    return list(extract_org(source.encode()).blocks)


def test_keywords_are_title_and_metadata() -> None:
    document = extract_org(
        b"#+TITLE: Garden\n#+AUTHOR: Ada\n#+DATE: <2024-05-01 Wed 7:30>\n#+filetags: :soil:frost:\n\ntext\n"
    )
    assert document.title == "Garden"
    assert document.metadata == {
        "title": "Garden",
        "author": "Ada",
        "date": "2024-05-01T07:30",
        "tags": "soil, frost",
    }
    assert [(b.text, b.line) for b in document.blocks] == [("text", 6)]


def test_headings_are_named_without_state_and_tags_which_stay_findable() -> None:
    found = blocks("* Garden\n** TODO [#A] Dig the bed :soil:spring:\nbefore frost\n* Kitchen\n")
    assert [(b.kind, b.text, b.headings) for b in found] == [
        (H, "Garden", ("Garden",)),
        (P, "TODO [#A] Dig the bed :soil:spring:", ("Garden", "Dig the bed")),
        (P, "before frost", ("Garden", "Dig the bed")),
        (H, "Kitchen", ("Kitchen",)),
    ]


def test_source_tables_and_drawers_are_blocks_of_their_kind() -> None:
    source = (
        "text\n#+BEGIN_SRC python\n* no heading\n\nx = 1\n#+END_SRC\n| a | b |\n|---+---|\n| 1 | 2 |\n"
        ":PROPERTIES:\n:ID: 7\n:END:\n: fixed\nend\n#+begin_quote\nwords\n#+end_quote\n"
    )
    found = [(b.kind, b.line, b.line_end) for b in blocks(source)]
    assert found[0] == (P, 1, 1)
    assert (T, 7, 9) in found
    assert (T, 10, 12) in found
    assert (C, 13, 13) in found
    assert (P, 15, 17) in found


def test_a_source_block_is_code_to_its_end() -> None:
    (code, after) = blocks("#+begin_src sh\nls\n\npwd\n#+end_src\nafter\n")
    assert (code.kind, code.text) == (C, "#+begin_src sh\nls\n\npwd\n#+end_src")
    assert after.text == "after"


def test_a_block_that_is_never_closed_is_text() -> None:
    assert [b.text for b in blocks("#+begin_src sh\nls\n* H\nx\n")] == ["#+begin_src sh\nls", "H", "x"]


def test_nothing_that_is_written_is_lost() -> None:
    source = "* A\n:LOGBOOK:\n- note\n:END:\n- item\n  more\n\n#+RESULTS:\n| 1 |\nend [[link][words]]\n*bold* start\n"
    joined = "".join("".join(b.text for b in blocks(source)).split())
    assert joined == "".join(source.removeprefix("* ").split())
