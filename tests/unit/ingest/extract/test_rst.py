from searchkit.ingest.extract.markup.rst import extract_rst
from searchkit.types import Block, BlockKind

H, P, C, T = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.CODE, BlockKind.TABLE


def blocks(source: str) -> list[Block]:
    return list(extract_rst(source.encode()).blocks)


def outline(source: str) -> list[tuple[BlockKind, str, tuple[str, ...]]]:
    return [(block.kind, block.text, block.headings) for block in blocks(source)]


def test_sections_rank_by_the_order_in_which_their_lines_appear() -> None:
    source = "=====\nGuide\n=====\n\nSoil\n~~~~\n\nClay\n----\n\nwet\n\nBeds\n~~~~\n\nraised\n"
    assert outline(source) == [
        (H, "Guide", ("Guide",)),
        (H, "Soil", ("Guide", "Soil")),
        (H, "Clay", ("Guide", "Soil", "Clay")),
        (P, "wet", ("Guide", "Soil", "Clay")),
        (H, "Beds", ("Guide", "Beds")),
        (P, "raised", ("Guide", "Beds")),
    ]
    assert extract_rst(source.encode()).title == "Guide"


def test_an_overlined_title_is_not_the_same_level_as_an_underlined_one() -> None:
    found = outline("===\nTop\n===\n\nPart\n====\n\ntext\n")
    assert found[-1][2] == ("Top", "Part")


def test_directives_of_code_and_literal_blocks_are_code() -> None:
    source = (
        "Run it::\n\n    make\n\n    make test\n\nthen\n\n.. code-block:: python\n   :linenos:\n\n   x\n\n   y\n\nend\n"
    )
    assert [(b.kind, b.line, b.line_end) for b in blocks(source)] == [
        (P, 1, 1),
        (C, 3, 5),
        (P, 7, 7),
        (C, 9, 14),
        (P, 16, 16),
    ]
    assert blocks(source)[1].text == "    make\n\n    make test"


def test_other_directives_and_comments_are_text() -> None:
    source = ".. note:: Water early.\n   Not at noon.\n\n.. image:: bed.png\n   :alt: the bed\n\n.. why this is\n"
    assert [b.text for b in blocks(source)] == source.strip().split("\n\n")


def test_tables_are_one_block() -> None:
    grid = "+---+---+\n| a | b |\n+---+---+\n| 1 | 2 |\n+---+---+"
    simple = "=== ===\na   b\n=== ===\n1   2\n\n3   4\n=== ==="
    assert [(b.kind, b.text) for b in blocks(f"{grid}\n\n{simple}\n\nend\n")] == [(T, grid), (T, simple), (P, "end")]


def test_a_field_list_at_the_top_is_metadata() -> None:
    source = "Title\n=====\n\ntext\n"
    document = extract_rst((":Author: Ada\n:Date: 2024-5-1\n:Abstract: long\n  words\n\n" + source).encode())
    assert document.metadata == {"author": "Ada", "date": "2024-05-01", "abstract": "long words"}
    assert [b.line for b in document.blocks] == [6, 9]


def test_a_field_list_further_down_is_text() -> None:
    assert outline("text\n\n:param x: the bed\n")[1] == (P, ":param x: the bed", ())


def test_lines_hold_the_text_they_are_said_to_hold() -> None:
    source = (
        "intro\n\nA\n=\n\n- a\n- b\n\n  c\n\n>>> x\n1\n\n.. toctree::\n\n   a\n   b\n\nB\n=\nno blank\n\n::\n\n  end"
    )
    lines = source.split("\n")
    for block in blocks(source):
        assert block.line is not None
        assert block.line_end is not None
        held = "\n".join(lines[block.line - 1 : block.line_end])
        assert block.text in held
    joined = "".join("".join(b.text for b in blocks(source)).split())
    assert joined == "".join(source.replace("\n=\n", "\n").split())


def test_nothing_gives_no_blocks() -> None:
    assert blocks("") == blocks(" \n\n") == []
