import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.office.odf import extract_odf
from searchkit.types import Block, BlockKind
from tests.support.office_files import zipped

_BASE = "urn:oasis:names:tc:opendocument:xmlns:"
_SPACES = " ".join(
    f'xmlns:{prefix}="{_BASE}{name}:1.0"'
    for prefix, name in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("meta", "meta"), ("style", "style"),
        ("presentation", "presentation"), ("svg", "svg-compatible"), ("manifest", "manifest"),
    )
)  # fmt: skip
_SPACES += ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
_META = "<dc:title>Of bees</dc:title><meta:initial-creator>Ann</meta:initial-creator><dc:creator>Bob</dc:creator>"
_META += "<meta:creation-date>2024-03-01T10:00:00.552950244</meta:creation-date>"
_META += "<meta:keyword>a</meta:keyword><meta:keyword>b</meta:keyword>"


def package(kind: str, body: str, *, meta: str = "", styles: str = "", automatic: str = "") -> bytes:
    content = (
        f"<office:automatic-styles>{automatic}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    )
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {_SPACES}>{content}</office:document-content>",
            "meta.xml": f"<office:document-meta {_SPACES}><office:meta>{meta}</office:meta></office:document-meta>",
            "styles.xml": f"<office:document-styles {_SPACES}>{styles}</office:document-styles>",
            "META-INF/manifest.xml": f"<manifest:manifest {_SPACES}/>",
        }
    )


def flat(kind: str, body: str, meta: str = "") -> bytes:
    inner = f"<office:meta>{meta}</office:meta><office:body><office:{kind}>{body}</office:{kind}></office:body>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document {_SPACES}>{inner}</office:document>'.encode()


def blocks_of(kind: str, body: str) -> list[Block]:
    found = list(extract_odf(package(kind, body)).blocks)
    assert list(extract_odf(flat(kind, body)).blocks) == found
    return found


def shown(blocks: list[Block]) -> list[tuple[str, str]]:
    return [(block.text, block.place) for block in blocks]


def p(text: str, style: str = "") -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def test_headings_are_a_path_by_outline_level() -> None:
    body = '<text:h text:outline-level="1">Bees</text:h><text:h text:outline-level="2">Hive</text:h>' + p("Text.")
    assert [(block.text, block.kind, block.headings) for block in blocks_of("text", body)] == [
        ("Bees", BlockKind.HEADING, ("Bees",)),
        ("Hive", BlockKind.HEADING, ("Bees", "Hive")),
        ("Text.", BlockKind.PARAGRAPH, ("Bees", "Hive")),
    ]


@pytest.mark.parametrize("make", [lambda: package("text", p("x"), meta=_META), lambda: flat("text", p("x"), _META)])
def test_the_properties_are_metadata(make: object) -> None:
    document = extract_odf(make())  # type: ignore[operator]
    assert document.title == "Of bees"
    assert document.metadata == {"author": "Ann", "date": "2024-03-01T10:00:00", "tags": "a, b"}


def test_a_paragraph_in_the_style_title_is_the_title() -> None:
    style = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    document = extract_odf(package("text", p("Of bees", "P1") + p("Text."), automatic=style))
    assert document.title == "Of bees"
    assert [block.headings for block in document.blocks] == [("Of bees",), ("Of bees",)]


def test_blanks_are_those_that_are_meant() -> None:
    text = "a\n  b<text:s text:c='3'/>c<text:tab/>d<text:line-break/>e<text:span> f</text:span>g"
    assert shown(blocks_of("text", p(text))) == [("a b   c d\ne fg", "")]


def test_list_items_are_marked_and_headings_in_lists_are_headings() -> None:
    nested = f"<text:list><text:list-item>{p('two')}</text:list-item></text:list>"
    body = f"<text:list><text:list-item>{p('one')}{nested}</text:list-item>"
    body += '<text:list-item><text:h text:outline-level="1">Bees</text:h></text:list-item></text:list>'
    assert [(block.text, block.kind) for block in blocks_of("text", body)] == [
        ("- one", BlockKind.PARAGRAPH),
        ("- two", BlockKind.PARAGRAPH),
        ("Bees", BlockKind.HEADING),
    ]


def test_sections_and_indexes_are_read_and_deleted_text_is_not() -> None:
    body = (
        f"<text:tracked-changes><text:changed-region><text:deletion>{p('gone')}"
        f"</text:deletion></text:changed-region></text:tracked-changes>"
    )
    body += (
        f"<text:section>{p('in a section')}</text:section><text:table-of-content>"
        f"<text:index-body>{p('Bees 7')}</text:index-body></text:table-of-content>"
    )
    assert shown(blocks_of("text", body)) == [("in a section", ""), ("Bees 7", "")]


def test_notes_comments_and_frames_follow_their_paragraph() -> None:
    note = (
        f'<text:note text:note-class="endnote"><text:note-citation>1</text:note-citation>'
        f"<text:note-body>{p('A note.')}</text:note-body></text:note>"
    )
    comment = f"<office:annotation><dc:creator>Bob</dc:creator><dc:date>2024-01-01</dc:date>{p('Really?')}</office:annotation>"
    box = f"<draw:frame><draw:text-box>{p('boxed')}</draw:text-box><svg:title>picture</svg:title></draw:frame>"
    assert shown(blocks_of("text", p(f"Text{note}{comment}{box} goes on"))) == [
        ("Text goes on", ""),
        ("A note.", "endnote"),
        ("Bob: Really?", "comment by Bob"),
        ("boxed", ""),
        ("picture", ""),
    ]


def cell(inner: str, attributes: str = "") -> str:
    return f"<table:table-cell {attributes}>{inner}</table:table-cell>"


def test_a_table_is_one_block_and_a_layout_is_read_cell_by_cell() -> None:
    head = (
        f"<table:table-header-rows><table:table-row>{cell(p('Item'))}"
        f"{cell(p('Price'))}</table:table-row></table:table-header-rows>"
    )
    rows = f"<table:table-row>{cell(p('Tea') + p('green'))}{cell(p('3'))}</table:table-row>"
    table = f"<table:table>{head}{rows}</table:table>"
    found = blocks_of("text", table)
    assert [(block.text, block.kind) for block in found] == [("Item | Price\nTea green | 3", BlockKind.TABLE)]
    nested = (
        f"<table:table><table:table-row>{cell(p('Left') + table)}{cell(p('Right'))}</table:table-row></table:table>"
    )
    assert [block.text for block in blocks_of("text", nested)] == ["Left", "Item | Price\nTea green | 3", "Right"]


def test_headers_and_footers_are_said_once() -> None:
    page = (
        f"<style:master-page><style:header>{p('Handbook')}</style:header>"
        f"<style:footer>{p('Draft')}</style:footer></style:master-page>"
    )
    found = list(extract_odf(package("text", p("Text"), styles=page + page)).blocks)
    assert shown(found) == [("Text", ""), ("Handbook", "header"), ("Draft", "footer")]


def test_a_spreadsheet_is_read_by_values() -> None:
    values = [
        cell(p("3,00"), 'office:value-type="float" office:value="3.0"'),
        cell(p("01.03.24"), 'office:value-type="date" office:date-value="2024-03-01"'),
        cell(p("9:05"), 'office:value-type="time" office:time-value="PT09H05M00S"'),
        cell(p("25 %"), 'office:value-type="percentage" office:value="0.25"'),
        cell(p("2,50 €"), 'office:value-type="currency" office:currency="EUR" office:value="2.5"'),
        cell(p("WAHR"), 'office:value-type="boolean" office:boolean-value="true"'),
        cell(p("two") + p("<text:span>lines</text:span>"), 'office:value-type="string"'),
    ]
    read = [
        "3,00 (3)",
        "01.03.24 (2024-03-01)",
        "9:05 (09:05)",
        "25 % (0.25)",
        "2,50 € (2.5 EUR)",
        "WAHR (TRUE)",
        "two lines",
    ]
    names = "".join(cell(p(name), 'office:value-type="string"') for name in ("Price", "Day"))
    rows = f"<table:table-row>{names}</table:table-row><table:table-row>{''.join(values)}</table:table-row>"
    found = blocks_of("spreadsheet", f'<table:table table:name="Costs">{rows}</table:table>')
    assert shown(found) == [
        ("Price | Day", "Costs!A1:B1"),
        (" | ".join(read), "Costs!A2:G2"),
    ]
    assert found[1].headings == ("Costs", "Price | Day")


def test_a_million_repetitions_do_not_explode() -> None:
    number = 'office:value-type="float" office:value="1"'
    rows = (
        f"<table:table-row>{cell('', 'table:number-columns-repeated=' + chr(34) + '16000' + chr(34))}"
        f"{cell(p('1'), number)}</table:table-row>"
    )
    rows += f'<table:table-row table:number-rows-repeated="1000000">{cell(p("1"), number)}</table:table-row>'
    rows += f'<table:table-row table:number-rows-repeated="40000">{cell("")}</table:table-row>'
    rows += f"<table:table-row>{cell(p('1'), number)}</table:table-row>"
    found = blocks_of("spreadsheet", f'<table:table table:name="S">{rows}</table:table>')
    assert [block.place for block in found] == ["S!A1:WQK1000001", "S!A1040002"]
    assert found[0].text == "WQK: 1\n1"


def test_sheets_follow_each_other_and_their_comments_follow_them() -> None:
    comment = f"<office:annotation>{p('too dear')}</office:annotation>"
    sheet = '<table:table table:name="{}"><table:table-row>{}</table:table-row></table:table>'
    text = 'office:value-type="string"'
    body = (
        sheet.format("One", cell(comment + p("a"), text))
        + sheet.format("Empty", cell(""))
        + sheet.format("Two", cell(p("b"), text))
    )
    assert shown(blocks_of("spreadsheet", body)) == [("a", "One!A1"), ("too dear", "One!A1, comment"), ("b", "Two!A1")]


def test_slides_have_titles_and_notes() -> None:
    def frame(text: str, role: str = "") -> str:
        return f'<draw:frame presentation:class="{role}"><draw:text-box>{text}</draw:text-box></draw:frame>'

    notes = (
        f"<presentation:notes><draw:page-thumbnail/>{frame(p('Say this'), 'notes')}"
        f"{frame(p('1'), 'page-number')}</presentation:notes>"
    )
    first = frame(p("one") + p("two")) + frame(p("The plan"), "title") + f"<draw:g>{frame(p('grouped'))}</draw:g>"
    running = frame(p("Acme"), "footer")
    body = (
        f"<draw:page>{first}{running}{notes}</draw:page><draw:page>{running}"
        f"<draw:custom-shape>{p('shape')}</draw:custom-shape></draw:page>"
    )
    assert [(b.text, b.headings, b.page, b.place) for b in blocks_of("presentation", body)] == [
        ("The plan", ("The plan",), 1, "slide 1"),
        ("one\ntwo", ("The plan",), 1, "slide 1"),
        ("grouped", ("The plan",), 1, "slide 1"),
        ("Acme", ("The plan",), 1, "slide 1"),
        ("Say this", ("The plan", "Notes"), 1, "slide 1, notes"),
        ("shape", (), 2, "slide 2"),
    ]


def test_an_encrypted_document_is_called_so() -> None:
    manifest = (
        f"<manifest:manifest {_SPACES}><manifest:file-entry>"
        f"<manifest:encryption-data/></manifest:file-entry></manifest:manifest>"
    )
    with pytest.raises(UnreadableFileError, match="password-protected OpenDocument file"):
        extract_odf(zipped({"content.xml": b"\x01\x02", "META-INF/manifest.xml": manifest}))


def test_a_flat_file_cut_off_is_damaged() -> None:
    with pytest.raises(UnreadableFileError, match="damaged or incomplete"):
        list(extract_odf(flat("text", p("words"))[:-40]).blocks)


def test_a_kind_without_text_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="of a kind that is not read"):
        extract_odf(package("database", ""))


def test_a_chart_or_a_formula_alone_is_read() -> None:
    chart = package("chart", f"<chart><title>{p('Honey by year')}</title></chart>")
    assert shown(list(extract_odf(chart).blocks)) == [("Honey by year", "object")]
    formula = '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>h</mi><mo>=</mo><mn>7</mn></math>'
    content = zipped({"mimetype": "application/vnd.oasis.opendocument.formula", "content.xml": formula})
    assert shown(list(extract_odf(content).blocks)) == [("h=7", "formula")]
