from collections.abc import Mapping

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.office.docx import extract_docx
from searchkit.types import Block, BlockKind
from tests.support.office_files import ooxml, relations, zipped

_SPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="http://x/mc" xmlns:a="http://x/a"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:c="http://x/c" xmlns:m="http://x/m"'
)
_STYLES = """
<w:style w:type="paragraph" w:default="1" w:styleId="Standard"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="Own"/><w:basedOn w:val="berschrift1"/></w:style>
<w:style w:type="paragraph" w:styleId="Sub"><w:name w:val="Sub"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>
"""


def element(name: str, inner: str) -> str:
    return f"<w:{name} {_SPACES}>{inner}</w:{name}>"


def package(body: str, parts: Mapping[str, tuple[str, str]] | None = None, properties: str = "") -> bytes:
    """A document; `parts`: (kind, XML) by name of what it refers to."""
    parts = {"styles.xml": ("styles", element("styles", _STYLES)), **(parts or {})}
    targets = {f"r{i}": (kind, name) for i, (name, (kind, _)) in enumerate(parts.items())}
    files = {f"word/{name}": content for name, (_, content) in parts.items()}
    files["word/_rels/document.xml.rels"] = relations(targets)
    files["word/document.xml"] = element("document", f"<w:body>{body}</w:body>")
    return ooxml("word/document.xml", "wordprocessingml.document", files, properties)


def p(text: str, style: str = "", inner: str = "") -> str:
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{text}</w:t></w:r>{inner}</w:p>"


def tbl(*rows: str) -> str:
    return f"<w:tbl><w:tblPr/>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def tc(inner: str) -> str:
    return f"<w:tc><w:tcPr/>{inner}</w:tc>"


def blocks_of(body: str, parts: Mapping[str, tuple[str, str]] | None = None) -> list[Block]:
    return list(extract_docx(package(body, parts)).blocks)


def texts(blocks: list[Block]) -> list[str]:
    return [block.text for block in blocks]


def test_headings_are_known_by_style_name_outline_level_and_what_styles_are_based_on() -> None:
    body = p("Bees", "berschrift1") + p("Hive", "Sub") + p("Text.") + p("Wasps", "Kapitel") + p("More.", "Loop")
    found = [(block.text, block.kind, block.headings) for block in blocks_of(body)]
    assert found == [
        ("Bees", BlockKind.HEADING, ("Bees",)),
        ("Hive", BlockKind.HEADING, ("Bees", "Hive")),
        ("Text.", BlockKind.PARAGRAPH, ("Bees", "Hive")),
        ("Wasps", BlockKind.HEADING, ("Wasps",)),
        ("More.", BlockKind.PARAGRAPH, ("Wasps",)),
    ]


@pytest.mark.parametrize("style", ["Heading1", "berschrift1", "Titre1", "heading 1"])
def test_headings_are_known_by_style_id_where_styles_are_missing(style: str) -> None:
    content = package(p("Bees", style), {"styles.xml": ("styles", element("styles", ""))})
    assert next(iter(extract_docx(content).blocks)).kind is BlockKind.HEADING


def test_a_paragraph_may_say_its_outline_level_itself() -> None:
    own = '<w:p><w:pPr><w:outlineLvl w:val="{}"/></w:pPr><w:r><w:t>Bees</w:t></w:r></w:p>'
    assert blocks_of(own.format(0))[0].kind is BlockKind.HEADING
    assert blocks_of(own.format(9))[0].kind is BlockKind.PARAGRAPH


def test_the_title_is_the_properties_else_the_paragraph_in_the_style_title() -> None:
    body = p("Of bees", "Titel") + p("Text.")
    assert extract_docx(package(body)).title == "Of bees"
    said = (
        "<dc:title>Bees</dc:title><dc:creator>Ann</dc:creator><dcterms:created>2024-03-01T10:00:00Z</dcterms:created>"
    )
    document = extract_docx(package(body, properties=said))
    assert document.title == "Bees"
    assert document.metadata == {"author": "Ann", "date": "2024-03-01T10:00:00Z"}
    assert texts(list(document.blocks)) == ["Of bees", "Text."]


def test_runs_are_joined_and_breaks_and_tabs_kept_apart() -> None:
    runs = "<w:r><w:t>ho</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>ney</w:t><w:br/><w:t>wax</w:t><w:tab/><w:t>7</w:t></w:r>"
    assert texts(blocks_of(f"<w:p>{runs}</w:p>")) == ["honey\nwax 7"]


def test_tracked_insertions_are_kept_and_deletions_left_out() -> None:
    inner = "<w:ins><w:r><w:t> new</w:t></w:r></w:ins><w:del><w:r><w:delText> old</w:delText></w:r></w:del>"
    inner += "<w:moveFrom><w:r><w:t> there</w:t></w:r></w:moveFrom><w:moveTo><w:r><w:t> here</w:t></w:r></w:moveTo>"
    assert texts(blocks_of(p("bees", inner=inner))) == ["bees new here"]


def test_field_codes_are_left_out_and_links_and_content_controls_kept() -> None:
    body = p(
        "See ",
        inner="<w:r><w:instrText>HYPERLINK x</w:instrText></w:r><w:hyperlink><w:r><w:t>hives</w:t></w:r></w:hyperlink>",
    )
    body += f"<w:sdt><w:sdtPr><w:alias w:val='x'/></w:sdtPr><w:sdtContent>{p('Chosen')}</w:sdtContent></w:sdt>"
    body += p("x = ", inner="<m:oMath><m:r><m:t>y²</m:t></m:r></m:oMath>")
    assert texts(blocks_of(body)) == ["See hives", "Chosen", "x = y²"]


def test_a_table_is_one_block_of_rows_where_it_stands() -> None:
    table = tbl(tc(p("Item")) + tc(p("Price")), tc(p("Tea")) + tc(p("3") + p("EUR")), tc("<w:p/>") + tc("<w:p/>"))
    found = blocks_of(p("Before") + table + p("After"))
    assert texts(found) == ["Before", "Item | Price\nTea | 3 EUR", "After"]
    assert found[1].kind is BlockKind.TABLE


def test_a_table_that_is_a_layout_is_read_cell_by_cell() -> None:
    inner = tbl(tc(p("a")) + tc(p("b")))
    table = tbl(tc(p("Skills", "berschrift1")) + tc(p("Left") + inner), tc(p("c")) + tc(p("d")))
    assert texts(blocks_of(table)) == ["Skills", "Left", "a | b", "c | d"]
    assert texts(blocks_of(tbl(tc(p("long " * 500)) + tc(p("short")))))[1] == "short"


def test_text_boxes_are_read_once_behind_their_paragraph() -> None:
    box = f"<w:txbxContent>{p('In the box')}</w:txbxContent>"
    both = f"<w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>"
    found = blocks_of(p("Text", inner=both + "</mc:AlternateContent></w:r>") + p("After"))
    assert [(block.text, block.place) for block in found] == [("Text", ""), ("In the box", "text box"), ("After", "")]


def test_notes_and_comments_follow_what_they_belong_to_and_none_is_lost() -> None:
    notes = f'<w:footnote w:type="separator" w:id="-1">{p("-")}</w:footnote><w:footnote w:id="2">{p("A note.")}</w:footnote>'
    notes += f'<w:footnote w:id="3">{p("Forgotten.")}</w:footnote>'
    end = f'<w:endnote w:id="2">{p("At the end.", inner=_reference("endnote"))}</w:endnote>'
    comments = f'<w:comment w:id="0" w:author="Bob">{p("Really?")}</w:comment>'
    parts = {
        "footnotes.xml": ("footnotes", element("footnotes", notes)),
        "endnotes.xml": ("endnotes", element("endnotes", end)),
        "comments.xml": ("comments", element("comments", comments)),
    }
    references = _reference("footnote") + _reference("endnote") + '<w:r><w:commentReference w:id="0"/></w:r>'
    found = blocks_of(p("Bees", "berschrift1") + p("Text", inner=references) + p("After"), parts)
    assert [(block.text, block.place) for block in found[1:]] == [
        ("Text", ""),
        ("A note.", "footnote"),
        ("At the end.", "endnote"),
        ("Bob: Really?", "comment by Bob"),
        ("After", ""),
        ("Forgotten.", "footnote"),
    ]
    assert found[2].headings == ("Bees",)


def _reference(kind: str) -> str:
    return f'<w:r><w:{kind}Reference w:id="2"/></w:r>'


def test_headers_and_footers_are_said_once() -> None:
    parts = {
        "header1.xml": ("header", element("hdr", p("Handbook"))),
        "header2.xml": ("header", element("hdr", p("Handbook"))),
        "footer1.xml": ("footer", element("ftr", p("Draft"))),
    }
    found = blocks_of(p("Text"), parts)
    assert [(block.text, block.place) for block in found] == [("Text", ""), ("Handbook", "header"), ("Draft", "footer")]


def test_list_items_have_the_numbers_that_word_shows() -> None:
    levels = '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1."/></w:lvl>'
    levels += '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
    levels += '<w:lvl w:ilvl="2"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl>'
    numbering = (
        f'<w:abstractNum w:abstractNumId="5">{levels}</w:abstractNum>'
        f'<w:num w:numId="1"><w:abstractNumId w:val="5"/></w:num>'
    )
    item = (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
    )
    body = "".join(
        item.format(level, text) for level, text in ((0, "a"), (0, "b"), (1, "c"), (1, "d"), (2, "e"), (0, "f"))
    )
    found = blocks_of(body, {"numbering.xml": ("numbering", element("numbering", numbering))})
    assert texts(found) == ["I. a", "II. b", "II.1 c", "II.2 d", "- e", "III. f"]


def test_charts_are_read_where_they_stand() -> None:
    series = "<c:ser><c:tx><c:v>Honey</c:v></c:tx><c:cat><c:v>2023</c:v><c:v>2024</c:v></c:cat>"
    series += "<c:val><c:v>7.0</c:v></c:val></c:ser>"
    chart = (
        f'<c:chartSpace xmlns:c="http://x/c" xmlns:a="http://x/a"><a:p><a:t>Yield</a:t></a:p>{series}</c:chartSpace>'
    )
    body = p("See", inner='<w:r><w:drawing><c:chart r:id="r1"/></w:drawing></w:r>')
    found = blocks_of(body, {"chart1.xml": ("chart", chart)})
    assert [(block.text, block.place) for block in found[1:]] == [("Yield\n2023 | 2024\nHoney | 7", "drawing")]


def test_documents_taken_in_whole_are_read() -> None:
    parts = {"part.html": ("aFChunk", "<h1>Taken in</h1><p>Whole page.</p>")}
    found = blocks_of(p("Own") + '<w:altChunk r:id="r1"/>', parts)
    assert texts(found) == ["Own", "Taken in", "Whole page."]
    with pytest.raises(UnreadableFileError, match="embedded file"):
        blocks_of('<w:altChunk r:id="r1"/>', {"part.bin": ("aFChunk", "x")})


def test_the_strict_edition_is_read() -> None:
    strict = "http://purl.oclc.org/ooxml/officeDocument/relationships"
    rels = f'<Relationships><Relationship Id="a" Type="{strict}/officeDocument" Target="/word/document.xml"/></Relationships>'
    body = (
        '<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body>'
        + p("Strict")
        + "</w:body></w:document>"
    )
    content = zipped({"_rels/.rels": rels, "word/document.xml": body})
    assert texts(list(extract_docx(content).blocks)) == ["Strict"]


def test_a_presentation_under_the_name_of_a_document_is_called_so() -> None:
    content = ooxml("ppt/presentation.xml", "presentationml.presentation", {"ppt/presentation.xml": "<presentation/>"})
    with pytest.raises(UnreadableFileError, match="its content is a presentation, not a Word document"):
        extract_docx(content)


def test_a_document_without_text_has_no_blocks() -> None:
    assert blocks_of("<w:p/>") == []
