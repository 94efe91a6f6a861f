from collections.abc import Mapping

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.markup.epub import extract_epub
from searchkit.types import Block
from tests.support.office_files import zipped

_CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
_METADATA = (
    "<dc:title>Of bees</dc:title><dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator><dc:language>en</dc:language>"
)
_METADATA += (
    '<dc:date opf:event="modification">2030</dc:date><dc:date>1999-05-01</dc:date><dc:subject>hives</dc:subject>'
)


def page(body: str, title: str = "<title/>") -> str:
    return f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head>{title}</head><body>{body}</body></html>'


def package(chapters: Mapping[str, str], extra: Mapping[str, str] | None = None, contents: str = "") -> bytes:
    """A book whose reading order is the reverse of the order in its list of parts."""
    items = "".join(
        f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in reversed(list(chapters))
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:opf="http://www.idpf.org/2007/opf"><metadata'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/">{_METADATA}</metadata><manifest>{items}{contents}</manifest><spine>{spine}</spine></package>'
    )
    files = {f"OEBPS/{name.replace('%20', ' ')}": content for name, content in chapters.items()}
    return zipped({"META-INF/container.xml": _CONTAINER, "OEBPS/book.opf": opf, **files, **(extra or {})})


def blocks_of(*bodies: str) -> list[Block]:
    return list(extract_epub(package({f"c{i}.xhtml": page(body) for i, body in enumerate(bodies)})).blocks)


def test_chapters_come_in_reading_order_under_their_headings() -> None:
    found = blocks_of("<h1>First</h1><p>one</p>", "<h1>Second</h1><h2>Part</h2><p>two</p>", "<p>three</p>")
    assert [(block.text, block.headings, block.place) for block in found] == [
        ("First", ("First",), "First"),
        ("one", ("First",), "First"),
        ("Second", ("Second",), "Second"),
        ("Part", ("Second", "Part"), "Second"),
        ("two", ("Second", "Part"), "Second"),
        ("three", (), "c2.xhtml"),
    ]
    assert all(block.line is None for block in found)


def test_the_book_says_title_authors_date_and_language() -> None:
    document = extract_epub(package({"c.xhtml": page("<p>x</p>")}))
    assert document.title == "Of bees"
    assert document.metadata == {"author": "Ann, Bob", "date": "1999-05-01", "tags": "hives", "language": "en"}


@pytest.mark.parametrize(
    ("item", "toc"),
    [
        (
            '<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>',
            page('<nav><ol><li><a href="a%20b.xhtml#top">The <i>hive</i></a></li></ol></nav>'),
        ),
        (
            '<item id="n" href="nav.xhtml" media-type="application/x-dtbncx+xml"/>',
            '<ncx><navMap><navPoint><navLabel><text>The hive</text></navLabel><content src="a b.xhtml"/></navPoint></navMap></ncx>',
        ),
    ],
)
def test_chapters_without_headings_have_the_title_of_the_table_of_contents(item: str, toc: str) -> None:
    content = package({"a%20b.xhtml": page("<p>words</p>")}, {"OEBPS/nav.xhtml": toc}, item)
    (block,) = extract_epub(content).blocks
    assert (block.headings, block.place) == (("The hive",), "The hive")


def test_footnotes_in_asides_are_read() -> None:
    found = blocks_of("<section><p>Text</p></section><aside><p>A note.</p></aside>")
    assert [block.text for block in found] == ["Text", "A note."]


def test_elements_that_end_at_once_swallow_nothing() -> None:
    found = blocks_of('<p><a id="x"/>one</p><script/><p>two</p>')
    assert [block.text for block in found] == ["one", "two"]


def test_a_chapter_that_is_no_good_xml_is_read_as_a_web_page() -> None:
    found = blocks_of("<p>one&nbsp;&mdash; two<p>three<br></p><aside>four</aside>")
    assert [block.text for block in found] == ["one — two", "three", "four"]


def test_a_protected_book_is_refused_and_obfuscated_fonts_are_not() -> None:
    entry = (
        '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/><CipherData>'
        '<CipherReference URI="{}"/></CipherData></EncryptedData></encryption>'
    )
    chapters = {"c.xhtml": page("<p>words</p>")}
    fonts = {"META-INF/encryption.xml": entry.format("http://www.idpf.org/2008/embedding", "OEBPS/c.xhtml")}
    assert [block.text for block in extract_epub(package(chapters, fonts)).blocks] == ["words"]
    drm = {"META-INF/encryption.xml": entry.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/c.xhtml")}
    with pytest.raises(UnreadableFileError, match=r"copy-protected e-book \(DRM\)") as caught:
        extract_epub(package(chapters, drm))
    assert caught.value.remedy


def test_a_book_without_its_chapters_is_damaged() -> None:
    content = package({"c.xhtml": page("<p>x</p>")}).replace(b"OEBPS/c.xhtml", b"OEBPS/d.xhtml")
    with pytest.raises(UnreadableFileError, match="its chapters are missing"):
        extract_epub(content)


def test_pages_that_only_links_lead_to_are_read_after_the_others() -> None:
    item = '<item id="n" href="notes.xhtml" media-type="application/xhtml+xml"/>'
    item += '<item id="d" href="d.svg" media-type="image/svg+xml"/>'
    extra = {"OEBPS/notes.xhtml": page("<p>a note</p>"), "OEBPS/d.svg": "<svg><text>drawn</text></svg>"}
    book = package({"c.xhtml": page("<p>text</p>")}, extra, item)
    assert [(block.text, block.place) for block in extract_epub(book).blocks] == [
        ("text", "c.xhtml"),
        ("a note", "notes.xhtml"),
    ]
