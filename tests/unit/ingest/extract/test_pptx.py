from collections.abc import Mapping

import pytest

from searchkit.ingest.extract.office.pptx import extract_pptx
from searchkit.types import Block, BlockKind
from tests.support.office_files import ooxml, relations

_SPACES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://x/a" xmlns:dgm="http://x/dgm"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:mc="http://x/mc"'
)


def shape(text: str, placeholder: str = "") -> str:
    ph = f'<p:ph type="{placeholder}"/>' if placeholder else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp><p:nvSpPr><p:nvPr>{ph}</p:nvPr></p:nvSpPr><p:txBody>{lines}</p:txBody></p:sp>"


def slide(shapes: str, attributes: str = "") -> str:
    return f"<p:sld {_SPACES} {attributes}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def package(slides: list[str], around: Mapping[str, tuple[str, str]] | None = None, properties: str = "") -> bytes:
    """A presentation; `around`: (kind, XML) by name of what the first slide refers to."""
    files: dict[str, str | bytes] = {f"ppt/slides/slide{i}.xml": content for i, content in enumerate(slides)}
    order = "".join(f'<p:sldId id="{256 + i}" r:id="r{i}"/>' for i in reversed(range(len(slides))))
    files["ppt/presentation.xml"] = f"<p:presentation {_SPACES}><p:sldIdLst>{order}</p:sldIdLst></p:presentation>"
    files["ppt/_rels/presentation.xml.rels"] = relations(
        {f"r{i}": ("slide", f"slides/slide{i}.xml") for i in range(len(slides))}
    )
    around = around or {}
    files |= {f"ppt/slides/{name}": content for name, (_, content) in around.items()}
    files["ppt/slides/_rels/slide0.xml.rels"] = relations(
        {f"r{i}": (kind, name) for i, (name, (kind, _)) in enumerate(around.items())}
    )
    return ooxml("ppt/presentation.xml", "presentationml.presentation", files, properties)


def blocks_of(slides: list[str], around: Mapping[str, tuple[str, str]] | None = None) -> list[Block]:
    return list(extract_pptx(package(slides, around)).blocks)


def test_slides_come_in_the_order_of_the_presentation() -> None:
    found = blocks_of([slide(shape("last")), slide(shape("first"))])
    assert [(block.text, block.page, block.place) for block in found] == [
        ("first", 1, "slide 1"),
        ("last", 2, "slide 2"),
    ]


@pytest.mark.parametrize("kind", ["title", "ctrTitle"])
def test_the_title_is_the_heading_wherever_it_is_drawn(kind: str) -> None:
    found = blocks_of([slide(shape("body\nmore", "body") + shape("The plan", kind))])
    assert [(block.text, block.kind, block.headings) for block in found] == [
        ("The plan", BlockKind.HEADING, ("The plan",)),
        ("body\nmore", BlockKind.PARAGRAPH, ("The plan",)),
    ]


def test_hidden_slides_are_read() -> None:
    assert blocks_of([slide(shape("hidden"), 'show="0"')])[0].text == "hidden"


def test_shapes_in_groups_are_read() -> None:
    grouped = f"<p:grpSp><p:grpSpPr/>{shape('one')}<p:grpSp>{shape('two')}</p:grpSp></p:grpSp>"
    assert [block.text for block in blocks_of([slide(grouped + shape("three"))])] == ["one", "two", "three"]


def test_what_is_there_in_two_forms_is_read_once() -> None:
    both = (
        f"<mc:AlternateContent><mc:Choice>{shape('new')}</mc:Choice>"
        f"<mc:Fallback>{shape('old')}</mc:Fallback></mc:AlternateContent>"
    )
    assert [block.text for block in blocks_of([slide(both)])] == ["new"]


def test_a_table_is_one_block_of_rows() -> None:
    cell = "<a:tc{}><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
    rows = f"<a:tr>{cell.format('', 'Item')}{cell.format('', 'Price')}</a:tr>"
    merged, own = ' hMerge="1"', ' vMerge="0"'
    rows += f"<a:tr>{cell.format(own, 'Tea')}{cell.format(merged, '')}</a:tr>"
    (block,) = blocks_of([slide(f"<p:graphicFrame><a:graphic><a:tbl>{rows}</a:tbl></a:graphic></p:graphicFrame>")])
    assert (block.text, block.kind) == ("Item | Price\nTea", BlockKind.TABLE)


def test_diagrams_are_read() -> None:
    frame = '<p:graphicFrame><a:graphic><dgm:relIds r:dm="r0"/></a:graphic></p:graphicFrame>'
    diagram = (
        '<dgm:dataModel xmlns:dgm="http://x/dgm" xmlns:a="http://x/a">'
        "<a:p><a:t>Plan</a:t></a:p><a:p><a:t>Do</a:t></a:p></dgm:dataModel>"
    )
    assert [block.text for block in blocks_of([slide(frame)], {"data1.xml": ("diagramData", diagram)})] == ["Plan\nDo"]


def test_notes_are_marked_as_such() -> None:
    notes = f"<p:notes {_SPACES}><p:cSld><p:spTree>{shape('12', 'sldNum')}{shape('Say this', 'body')}</p:spTree></p:cSld></p:notes>"
    found = blocks_of([slide(shape("Plan", "title"))], {"notes1.xml": ("notesSlide", notes)})
    assert (found[1].text, found[1].headings, found[1].place) == ("Say this", ("Plan", "Notes"), "slide 1, notes")


def test_comments_old_and_new_are_read() -> None:
    old = f'<p:cmLst {_SPACES}><p:cm authorId="0"><p:text>Too long</p:text></p:cm></p:cmLst>'
    body = "<p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody>"
    new = f"<p:cmLst {_SPACES}><p:cm>{body.format('Why?')}<p:reply>{body.format('Because.')}</p:reply></p:cm></p:cmLst>"
    found = blocks_of([slide("")], {"comment1.xml": ("comments", old), "comment2.xml": ("comments", new)})
    assert [block.text for block in found] == ["Too long", "Why?", "Because."]
    assert found[0].place == "slide 1, comment"


def test_slide_numbers_are_left_out_and_footers_said_once() -> None:
    furniture = shape("7", "sldNum") + shape("1 May", "dt") + shape("Acme", "ftr")
    number = '<p:sp><p:txBody><a:p><a:r><a:t>Page </a:t></a:r><a:fld type="slidenum"><a:t>3</a:t></a:fld></a:p></p:txBody></p:sp>'
    found = blocks_of([slide(furniture + number), slide(furniture)])
    assert [block.text for block in found] == ["1 May", "Acme", "Page"]


def test_the_properties_are_metadata() -> None:
    document = extract_pptx(package([slide("")], properties="<dc:title>Plan</dc:title><dc:language>en</dc:language>"))
    assert (document.title, document.metadata) == ("Plan", {"language": "en"})
    assert list(document.blocks) == []
