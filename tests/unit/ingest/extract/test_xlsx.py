from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.ingest.extract.office import sheets
from searchkit.ingest.extract.office.cell_formats import date_text, number_format, number_text
from searchkit.ingest.extract.office.sheets import Row, place, sheet_blocks
from searchkit.ingest.extract.office.xlsx import extract_xlsx
from searchkit.types import Block, BlockKind
from tests.support.office_files import ooxml, relations

_SPACES = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:xdr="http://x/xdr" xmlns:a="http://x/a"'
_STYLES = """<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[$-409]d. mmm yyyy"/>
<numFmt numFmtId="165" formatCode="&quot;days&quot; 0.0"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="9"/>
<xf numFmtId="22"/></cellXfs>
</styleSheet>"""
_STRINGS = """<sst><si><t>Item</t></si><si><r><t>Pri</t></r><r><t>ce</t></r></si><si><t>Date</t></si>
<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si><si><t>two_x000D_
lines</t></si></sst>"""


def package(
    rows: str,
    around: Mapping[str, tuple[str, str]] | None = None,
    *,
    name: str = "Costs",
    workbook: str = "",
    links: Mapping[str, str] | None = None,
    behind: str = "",
) -> bytes:
    """A workbook of one sheet; `around`: (kind, XML) by name of what the sheet refers to; `links`: addresses by relation id."""
    around = around or {}
    files: dict[str, str | bytes] = {f"xl/worksheets/{part}": content for part, (_, content) in around.items()}
    files["xl/worksheets/sheet1.xml"] = (
        f"<worksheet {_SPACES}><dimension ref='A1:XFD1048576'/><sheetData>{rows}</sheetData>{behind}</worksheet>"
    )
    external = {
        identifier: ("hyperlink", f'{address}" TargetMode="External') for identifier, address in (links or {}).items()
    }
    files["xl/worksheets/_rels/sheet1.xml.rels"] = relations(
        {f"r{i}": (kind, part) for i, (part, (kind, _)) in enumerate(around.items())} | external
    )
    files["xl/styles.xml"], files["xl/sharedStrings.xml"] = _STYLES, _STRINGS
    files["xl/workbook.xml"] = (
        f'<workbook {_SPACES}>{workbook}<sheets><sheet name="{name}" sheetId="1" state="hidden" r:id="r1"/></sheets></workbook>'
    )
    files["xl/_rels/workbook.xml.rels"] = relations(
        {
            "r1": ("worksheet", "worksheets/sheet1.xml"),
            "r2": ("styles", "styles.xml"),
            "r3": ("sharedStrings", "sharedStrings.xml"),
        }
    )
    return ooxml("xl/workbook.xml", "spreadsheetml.sheet", files)


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def c(reference: str, value: str, attributes: str = "") -> str:
    return f'<c r="{reference}" {attributes}><v>{value}</v></c>'


def blocks_of(rows: str, around: Mapping[str, tuple[str, str]] | None = None) -> list[Block]:
    return list(extract_xlsx(package(rows, around)).blocks)


def test_rows_stand_under_sheet_and_column_names_with_their_range() -> None:
    header = row(2, c("A2", "0", 't="s"'), c("B2", "1", 't="s"'), c("C2", "2", 't="s"'))
    data = row(3, c("A3", "Tea", 't="str"'), c("B3", "3.0"), c("C3", "45352", 's="1"'))
    found = blocks_of(header + data + row(5, c("B5", "7")))
    assert [(block.kind, block.text, block.place) for block in found] == [
        (BlockKind.HEADING, "Item | Price | Date", "Costs!A2:C2"),
        (BlockKind.TABLE, "Tea | 3 | 2024-03-01\n | 7", "Costs!A3:C5"),
    ]
    assert all(block.headings == ("Costs", "Item | Price | Date") for block in found)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (c("A1", "3", 't="s"'), "東京"),
        (c("A1", "4", 't="s"'), "two lines"),
        (c("A1", "99", 't="s"') + c("B1", "x", 't="str"'), "x"),
        ('<c r="A1" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c>', "inline"),
        ('<c r="A1"><f>1+1</f><v>2</v></c>', "2"),
        ('<c r="A1"><f>1+1</f></c>' + c("B1", "1"), "1"),
        (c("A1", "1", 't="b"'), "TRUE"),
        (c("A1", "#N/A", 't="e"'), "#N/A"),
        (c("A1", "45352.5", 's="5"'), "2024-03-01 12:00"),
        (c("A1", "45352", 's="2"'), "1. Mar 2024 (2024-03-01)"),
        (c("A1", "45352", 's="3"'), "days 45352.0 (45352)"),
        (c("A1", "0.255", 's="4"'), "26% (25.5%, 0.255)"),
        (c("A1", "2024-03-01T00:00:00", 't="d"'), "2024-03-01"),
        (c("A1", "0.1", 's="999"'), "0.1"),
    ],
)
def test_cells_are_read_as_they_are_shown(cell: str, shown: str) -> None:
    assert blocks_of(row(1, cell))[0].text == shown


def test_rows_and_cells_without_references_are_counted() -> None:
    (block,) = blocks_of("<row><c><v>1</v></c></row><row/><row><c/><c><v>2</v></c></row>")
    assert (block.text, block.place) == ("1\n | 2", "Costs!A1:B3")


def test_the_calendar_of_1904_is_kept() -> None:
    content = package(row(1, c("A1", "43890", 's="1"')), workbook='<workbookPr date1904="1"/>')
    assert next(iter(extract_xlsx(content).blocks)).text == "2024-03-01"


def test_comments_stand_at_their_cell_and_threads_say_their_own_words() -> None:
    notes = '<comments><commentList><comment ref="B3"><text><r><t>too </t></r><r><t>dear</t></r></text></comment>'
    notes += '<comment ref="C4"><text><t>[Threaded comment] your version of Excel</t></text></comment></commentList></comments>'
    thread = '<ThreadedComments><threadedComment ref="C4"><text>Why?</text></threadedComment>'
    thread += '<threadedComment ref="C4"><text>Because.</text></threadedComment></ThreadedComments>'
    found = blocks_of("", {"comments1.xml": ("comments", notes), "thread.xml": ("threadedComment", thread)})
    assert [(block.text, block.place) for block in found] == [
        ("too dear", "Costs!B3, comment"),
        ("Why?\nBecause.", "Costs!C4, comment"),
    ]


def test_text_boxes_on_a_sheet_are_read() -> None:
    drawing = f"<xdr:wsDr {_SPACES}><xdr:sp><xdr:txBody><a:p><a:r><a:t>Look here</a:t></a:r></a:p></xdr:txBody></xdr:sp></xdr:wsDr>"
    assert [(b.text, b.place) for b in blocks_of("", {"d.xml": ("drawing", drawing)})] == [
        ("Look here", "Costs, drawing")
    ]


def test_an_empty_sheet_has_no_blocks() -> None:
    assert blocks_of("".join(f'<row r="{i}"><c r="A{i}" s="1"/></row>' for i in range(1, 2000))) == []


def numbers(count: int, first: int = 1) -> Iterator[Row]:
    yield from (Row(i, i, [(1, f"row {i}"), (2, "7" * 90)], words=False) for i in range(first, first + count))


def test_blocks_hold_several_rows_and_are_made_as_they_are_asked_for() -> None:
    asked: list[int] = []

    def rows() -> Iterator[Row]:
        for line in numbers(1_000):
            asked.append(line.first)
            yield line

    blocks = sheet_blocks("S", rows())
    assert next(blocks).text.count("\n") == 1
    assert len(asked) < 10
    assert sum(block.text.count("\n") + 1 for block in blocks) == 998


def test_a_row_longer_than_a_block_is_a_block() -> None:
    rows = [Row(i, i, [(1, "word " * 300)], words=False) for i in (1, 2)]
    assert [block.place for block in sheet_blocks("S", rows)] == ["S!A1", "S!A2"]


def test_a_second_table_on_a_sheet_has_column_names_of_its_own() -> None:
    first = [Row(1, 1, [(1, "Item"), (2, "Price")], words=True), *numbers(2, first=2)]
    second = [Row(9, 9, [(1, "City"), (2, "People")], words=True), *numbers(2, first=10)]
    assert [(block.headings[1], block.place) for block in sheet_blocks("S", [*first, *second])] == [
        ("Item | Price", "S!A1:B1"),
        ("Item | Price", "S!A2:B3"),
        ("City | People", "S!A9:B9"),
        ("City | People", "S!A10:B11"),
    ]


def test_a_title_above_the_table_is_no_row_of_column_names() -> None:
    rows = [
        Row(1, 1, [(1, "Budget")], words=True),
        Row(2, 2, [(1, "Item"), (2, "Price")], words=True),
        *numbers(1, first=3),
    ]
    found = list(sheet_blocks("S", rows))
    assert [(block.text.partition("\n")[0], block.headings) for block in found[:2]] == [
        ("Budget", ("S",)),
        ("Item | Price", ("S", "Item | Price")),
    ]


def test_what_stands_far_apart_has_places_of_its_own() -> None:
    rows = [Row(1, 1, [(1, "1")], words=False), Row(1_048_576, 1_048_576, [(16_384, "2")], words=False)]
    assert [block.place for block in sheet_blocks("S", rows)] == ["S!A1", "S!XFD1048576"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("3.0", "3"),
        ("0.30000000000000004", "0.3"),
        ("1E-7", "0.0000001"),
        ("1e17", "100000000000000000"),
        ("-2.50", "-2.5"),
        ("-0.0", "0"),
        ("1e300", "1e+300"),
        ("nonsense", "nonsense"),
        ("1234567890123", "1234567890123"),
    ],
)
def test_numbers_are_written_as_people_do(value: str, shown: str) -> None:
    assert number_text(value) == shown


@pytest.mark.parametrize(
    ("serial", "shown"),
    [
        ("1", "1900-01-01"),
        ("59", "1900-02-28"),
        ("61", "1900-03-01"),
        ("0.5", "12:00"),
        ("45352.999999999", "2024-03-02"),
        ("45352.0000116", "2024-03-01 00:00:01"),
        ("-1", "1899-12-30"),
        ("1e12", "1e12"),
        ("x", "x"),
    ],
)
def test_serial_days_become_dates(serial: str, shown: str) -> None:
    assert date_text(serial, epoch_1904=False) == shown


@pytest.mark.parametrize(
    ("sheet", "shown"),
    [("Costs", "Costs!B2"), ("My costs", "'My costs'!B2"), ("Ann's", "'Ann''s'!B2"), ("Q1", "'Q1'!B2")],
)
def test_places_are_written_as_spreadsheets_do(sheet: str, shown: str) -> None:
    assert place(sheet, (2, 2)) == shown


def test_columns_have_letters() -> None:
    for number, letters in ((1, "A"), (26, "Z"), (27, "AA"), (16_384, "XFD")):
        assert sheets.column_letters(number) == letters
        assert sheets.column_number(letters) == number


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("0000000", "4711", "0004711 (4711)"),
        ('"MB-"0000', "38", "MB-0038 (38)"),
        ("00000", "1069", "01069 (1069)"),
        ("#,##0.00\\ [$€-407]", "1234.56", "1.234,56 € (1234.56)"),
        ('#,##0.00\\ "€"', "-1234.5", "-1.234,50 € (-1234.5)"),
        ("#,##0.00 [$€-1]", "1234.56", "1.234,56 € (1234.56)"),
        ("[$$-409]#,##0.00", "1234567.891", "$1,234,567.89 (1234567.891)"),
        ("#,##0.00 [$kr-41D]", "9876.5", "9 876,50 kr (9876.5)"),
        ("000\\-00\\-0000", "123456789", "123-45-6789 (123456789)"),
        ("(000) 000-0000", "5551234567", "(555) 123-4567 (5551234567)"),
        ("#,##0;[Red](#,##0)", "-1500", "(1,500) (-1500)"),
        ('0;-0;"none"', "0", "none (0)"),
        ("0.0#", "2.5", "2.5"),
        ("0.00", "2.5", "2.50 (2.5)"),
        ("0,", "12345", "12 (12345)"),
        ("0.0%", "0.12345", "12.3% (12.345%, 0.12345)"),
        ('0 "pcs"', "0.4", "0 pcs (0.4)"),
        ("# ?/?", "0.5", "0.5"),
        ("0.00E+00", "12345", "12345"),
        ("General", "1.10", "1.1"),
        ("@", "7", "7"),
        ("dd.mm.yyyy", "45352", "01.03.2024 (2024-03-01)"),
        ("[$-407]d. mmmm yyyy", "45352", "1. März 2024 (2024-03-01)"),
        ("[$-40C]dddd d mmmm", "45352", "vendredi 1 mars (2024-03-01)"),
        ("[$-419]d mmmm", "45352", "2024-03-01"),
        ("hh:mm:ss", "0.5", "12:00:00 (12:00)"),
        ("h:mm AM/PM", "0.75", "6:00 PM (18:00)"),
        ("mm:ss", "0.001", "01:26 (00:01:26)"),
        ("[h]:mm", "1.5", "36:00"),
        ("[hh]:mm:ss", "-0.0635416", "-01:31:30"),
        ('[m] "min"', "0.5", "720 min"),
        ('[=1]"one";[=3]"three";0', "3", "three (3)"),
        ('[=1]"one";[=3]"three";0', "4", "4"),
        ('[<1000]0;[<1000000]0.0,"k";0.0,,"M"', "12500", "12.5k (12500)"),
        ('[>=90]"passed";"failed"', "45", "failed (45)"),
        ('General" pcs"', "5", "5 pcs (5)"),
        ('General" pcs"', "-5.5", "-5.5 pcs (-5.5)"),
        ("yyyy-mm-dd", "45352", "2024-03-01"),
        ("0000", "word", "word"),
        ("dd.mm.yyyy", "1e300", "1e300"),
    ],
)
def test_numbers_are_read_as_their_formats_show_them_beside_what_is_stored(code: str, value: str, text: str) -> None:
    assert number_format(200, code, epoch_1904=False)(value) == text


def test_hours_that_are_counted_beyond_a_day_are_read_in_the_built_in_form_too() -> None:
    assert number_format(46, None, epoch_1904=False)("1.75") == "42:00:00"


@given(
    code=st.text('0#?.,%;-()"\\[]$€@eE/dmyhsAP _*x-407', max_size=20),
    value=st.sampled_from(["1", "-2.5", "0", "4e9", "x"]),
)
def test_a_number_is_read_whatever_its_format_says(code: str, value: str) -> None:
    assert number_format(200, code, epoch_1904=False)(value)


def test_what_is_merged_with_cells_below_stands_in_each_row_and_addresses_behind_their_words() -> None:
    rows = row(
        1, *(c(f"{letter}1", text, 't="str"') for letter, text in zip("ABC", ("Group", "Part", "Site"), strict=True))
    )
    rows += row(2, c("A2", "Valves", 't="str"'), c("B2", "K1", 't="str"'), c("C2", "shop", 't="str"'))
    rows += row(
        3, c("B3", "K2", 't="str"'), '<c r="C3" t="str"><f>HYPERLINK("https://b.example/k2","here")</f><v>here</v></c>'
    )
    behind = '<mergeCells><mergeCell ref="A2:A3"/></mergeCells><hyperlinks><hyperlink ref="C2" r:id="rl"/></hyperlinks>'
    behind += '<headerFooter><oddHeader>&amp;L&amp;"Arial,Bold"&amp;12Acme &amp;&amp; Sons&amp;RPage &amp;P</oddHeader>'
    behind += "<evenFooter>&amp;CFile 88</evenFooter></headerFooter>"
    content = package(rows, links={"rl": "https://a.example/k1"}, behind=behind)
    assert [(block.text, block.place) for block in extract_xlsx(content).blocks][1:] == [
        ("Valves | K1 | shop (https://a.example/k1)\nValves | K2 | here (https://b.example/k2)", "Costs!A2:C3"),
        ("Acme & Sons", "header"),
        ("File 88", "footer"),
    ]


def test_titles_over_several_columns_are_part_of_their_names() -> None:
    titles = row(1, c("A1", "Area", 't="str"'), c("B1", "2023", 't="str"'), c("D1", "2024", 't="str"'))
    names = row(
        2, *(c(f"{letter}2", text, 't="str"') for letter, text in zip("BCDE", ("Q1", "Q2", "Q1", "Q2"), strict=True))
    )
    rows = titles + names + row(3, c("A3", "North", 't="str"'), c("B3", "1"), c("E3", "4"))
    merged = '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/><mergeCell ref="D1:E1"/></mergeCells>'
    found = list(extract_xlsx(package(rows, behind=merged)).blocks)
    assert [block.text for block in found] == ["Area | 2023 Q1 | 2023 Q2 | 2024 Q1 | 2024 Q2", "North | 1 |  |  | 4"]


def test_a_cell_far_from_the_others_is_said_with_its_column() -> None:
    assert [block.text for block in blocks_of(row(1, c("A1", "1"), c("AZ1", "2")))] == ["1 | AZ: 2"]
    assert [block.text for block in blocks_of(row(1, c("C1", "1"), c("F1", "2")))] == ["1 |  |  | 2"]


def test_pictures_on_a_sheet_are_read_by_their_descriptions() -> None:
    about = '<xdr:nvPicPr><xdr:cNvPr id="2" name="Picture 1" descr="A plan of the yard"/></xdr:nvPicPr>'
    drawing = f"<xdr:wsDr {_SPACES}><xdr:pic>{about}</xdr:pic></xdr:wsDr>"
    assert [b.text for b in blocks_of("", {"d.xml": ("drawing", drawing)})] == ["A plan of the yard"]


def test_years_among_words_name_columns() -> None:
    head = row(1, c("A1", "Site", 't="str"'), c("B1", "2023"), c("C1", "2024"))
    found = blocks_of(head + row(2, c("A2", "North", 't="str"'), c("B2", "1"), c("C2", "2")))
    assert [(block.kind, block.text) for block in found] == [
        (BlockKind.HEADING, "Site | 2023 | 2024"),
        (BlockKind.TABLE, "North | 1 | 2"),
    ]
