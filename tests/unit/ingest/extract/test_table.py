import pytest

from searchkit.ingest.extract.data.table import extract_table
from searchkit.types import Block, BlockKind


def blocks(source: str) -> list[Block]:
    return list(extract_table(source.encode()).blocks)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_sign_that_parts_cells_is_found(delimiter: str) -> None:
    source = "name,size,price\nbolt,M4,3\nnut,M5,4\n".replace(",", delimiter)
    heading, rows = blocks(source)
    assert (heading.kind, heading.text, heading.line) == (BlockKind.HEADING, "name | size | price", 1)
    assert rows == Block(
        "bolt | M4 | 3\nnut | M5 | 4", BlockKind.TABLE, ("name | size | price",), line=2, line_end=3, place="rows 2–3"
    )


def test_decimal_commas_part_no_cells() -> None:
    assert blocks("name;price\nbolt;1,5\nnut;2,5\n")[1].text == "bolt | 1,5\nnut | 2,5"


def test_a_first_row_with_numbers_is_no_header() -> None:
    assert [(b.text, b.headings, b.place) for b in blocks("bolt,3\nnut,4\n")] == [("bolt | 3\nnut | 4", (), "rows 1–2")]


def test_quoted_line_breaks_belong_to_their_row() -> None:
    rows = blocks('name,note\nbolt,"long,\nrusty ""old"" one"\nnut,x\n')[1]
    assert (rows.text, rows.line, rows.line_end) == ('bolt | long, rusty "old" one\nnut | x', 2, 4)


def test_rows_are_joined_to_blocks_of_some_hundred_characters() -> None:
    found = blocks("name,size\n" + "".join(f"part{i:04},{i}\n" for i in range(1000)))
    assert all(len(block.text) <= 600 for block in found)
    assert found[1].place == f"rows 2–{found[1].line_end}"
    assert found[-1].place.endswith("–1001")
    assert "\n".join(block.text for block in found[1:]).count("\n") == 999


def test_a_quote_that_is_never_closed_costs_nothing() -> None:
    source = 'a,b\n1,"x\n' + "".join(f"{i},word{i}\n" for i in range(30_000))
    text = "\n".join(block.text for block in blocks(source))
    assert "29999 | word29999" in text
    assert text.count("word17 ") + text.count("word17\n") == 1


def test_one_column_is_lines() -> None:
    assert [b.text for b in blocks("one\ntwo words\n")] == ["one\ntwo words"]


@pytest.mark.parametrize("source", ["", "\n\n", " , ,\n"])
def test_nothing_gives_no_blocks(source: str) -> None:
    assert blocks(source) == []


def test_one_line_of_a_million_cells_is_cut() -> None:
    found = blocks("ab," * 200_000)
    assert sum(block.text.count("ab") for block in found) == 200_000
    assert max(len(block.text) for block in found) <= 20_000
