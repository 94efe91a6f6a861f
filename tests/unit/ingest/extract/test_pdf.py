import base64
import io
import zlib
from collections.abc import Sequence

import pypdf
import pypdfium2
import pytest
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.pdf import ocr
from searchkit.ingest.extract.pdf.document import extract_pdf
from searchkit.ingest.extract.pdf.lines import Line, joined, without_running_lines
from searchkit.ingest.extract.readers import extract
from searchkit.types import BlockKind

_BODY = (
    ["The bee is busy", "and the hive is full.", "Honey is stored", "in the upper box."],
    ["The drone leaves", "in late summer.", "Wasps are kept out", "by a small door."],
    ["The queen stays", "through the winter.", "Sugar is fed", "before the frost."],
    ["The swarm settles", "in the old pear tree.", "A box is held", "under the branch."],
)


def pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF of lines of text (WinAnsi), written by hand."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for i, lines in enumerate(pages):
        shown = b"".join(b"(" + line.encode("cp1252") + b") Tj 0 -14 Td\n" for line in lines)
        stream = b"BT /F1 12 Tf 50 750 Td\n" + shown + b"ET"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {5 + 2 * i} 0 R"
        objects.append(page.encode() + b" /Resources << /Font << /F1 3 0 R >> >> >>")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    content = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(content))
    return content + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


def rewritten(writer: pypdf.PdfWriter) -> bytes:
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def writer_of(pages: Sequence[Sequence[str]]) -> pypdf.PdfWriter:
    return pypdf.PdfWriter(clone_from=io.BytesIO(pdf(pages)))


def pages_of(content: bytes) -> dict[int | None, str]:
    found: dict[int | None, str] = {}
    for block in extract_pdf(content).blocks:
        found[block.page] = found.get(block.page, "") + block.text + "\n"
    return found


def test_text_is_read_page_by_page() -> None:
    found = pages_of(pdf(_BODY[:2]))
    assert list(found) == [1, 2]
    assert "The bee is busy" in found[1]
    assert "The drone leaves" in found[2]


@pytest.mark.parametrize("form", ["{}", "Page {}", "Page {} of 4", "2013 report, p. {}", "- {} -"])
def test_running_headers_and_page_numbers_are_dropped(form: str) -> None:
    pages = [["Handbook of bees", *body, form.format(number)] for number, body in enumerate(_BODY, 7)]
    found = pages_of(pdf(pages))
    assert [found[number].split("\n") for number in (1, 2, 3, 4)] == [[*body, ""] for body in _BODY]


def test_numbers_that_do_not_count_the_pages_are_text() -> None:
    pages = [[*body, f"Total {total} EUR"] for body, total in zip(_BODY, (310, 99, 1204, 55), strict=True)]
    found = pages_of(pdf(pages))
    assert "Total 310 EUR" in found[1]
    assert "Total 55 EUR" in found[4]


def test_pages_that_all_say_the_same_keep_it() -> None:
    assert pages_of(pdf([["Out of order"]] * 5)) == dict.fromkeys(range(1, 6), "Out of order\n")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a mea-", "sure of honey"], "a measure of honey"),
        (["eine lange Stra-", "ße im Ort"], "eine lange Straße im Ort"),
        (["the Austria-", "Hungary line"], "the Austria-\nHungary line"),
        (["from 10-", "12 bees"], "from 10-\n12 bees"),
        (["at the end hy\u00ad", "phen"], "at the end hyphen"),
        (["a one-way street, a one-", "way street"], "a one-way street, a one-way street"),
    ],
)
def test_words_parted_at_a_line_end_are_joined(lines: list[str], expected: str) -> None:
    (block,) = extract_pdf(pdf([lines])).blocks
    assert block.text == expected


@pytest.mark.parametrize(("letter", "expected"), [(b"FB01", "misfits"), (b"00AD", "mists"), (b"FE8D", "misاts")])
def test_ligatures_are_read_as_letters_and_soft_hyphens_as_nothing(letter: bytes, expected: str) -> None:
    mapping = b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
    mapping += b"1 beginbfchar <58> <%b> endbfchar endcmap end" % letter
    content = pdf([["misXts"]]).replace(b"/Encoding /WinAnsiEncoding", b"/Encoding /WinAnsiEncoding /ToUnicode 6 0 R")
    stream = b"6 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (len(mapping), mapping)
    (block,) = extract_pdf(content.replace(b"xref\n0 6", stream + b"xref\n0 6")).blocks
    assert block.text == expected


def test_bookmarks_are_headings() -> None:
    writer = writer_of(_BODY)
    part = writer.add_outline_item(title="Summer", page_number=0)
    writer.add_outline_item(title="Drones", page_number=1, parent=part)
    writer.add_outline_item(title="Winter", page_number=2)
    writer.add_metadata({"/Title": " The  bees "})
    document = extract_pdf(rewritten(writer))
    assert document.title == "The bees"
    assert {block.page: block.headings for block in document.blocks} == {
        1: ("Summer",),
        2: ("Summer", "Drones"),
        3: ("Winter",),
        4: ("Winter",),
    }


def test_each_section_of_a_page_stands_under_its_own_bookmark() -> None:
    writer = writer_of([["Summer", "The bee is busy", "2 Winter", "The hive is full"]])
    writer.add_outline_item(title="Summer", page_number=0)
    writer.add_outline_item(title="Winter", page_number=0)
    blocks = list(extract_pdf(rewritten(writer)).blocks)
    assert [(block.headings, block.text) for block in blocks] == [
        (("Summer",), "Summer\nThe bee is busy"),
        (("Winter",), "2 Winter\nThe hive is full"),
    ]


def test_a_bookmark_with_other_words_leads_to_the_line_below_its_point() -> None:
    writer = writer_of([["Summer", "The bee is busy", "2 Winter", "The hive is full"]])
    writer.add_outline_item(title="Cold months", page_number=0, fit=pypdf.generic.Fit.xyz(left=50, top=735))
    blocks = list(extract_pdf(rewritten(writer)).blocks)
    assert [(block.headings, block.text[:8]) for block in blocks] == [((), "Summer\nT"), (("Cold months",), "2 Winter")]


def test_a_wider_gap_parts_paragraphs() -> None:
    content = pdf([["The bee is busy", "and the hive is full.", "GAP", "Honey is stored", "in the upper box."]])
    content = content.replace(b"(GAP) Tj 0 -14 Td", b"       0  -9 Td ")
    assert [block.text for block in extract_pdf(content).blocks] == [
        "The bee is busy\nand the hive is full.",
        "Honey is stored\nin the upper box.",
    ]


def test_two_columns_are_read_one_after_the_other_and_a_sentence_goes_on_in_the_next() -> None:
    content = pdf([["The bee is", "busy and the", "COL", "hive is full.", "Honey is kept."]])
    content = content.replace(b"(COL) Tj 0 -14 Td", b"      300 28 Td  ")
    (block,) = extract_pdf(content).blocks
    assert block.text == "The bee is\nbusy and the\nhive is full.\nHoney is kept."


def test_a_chapters_header_stays_on_its_first_page_only() -> None:
    pages = [
        [
            f"Chapter {chapter}: {name} {7 * chapter + i}",
            f"{name} text {i}x{chapter}",
            f"more of it {i * 31 + chapter}y",
            "z",
        ]
        for chapter, name in enumerate(("Bees", "Wasps", "Ants"), 1)
        for i in range(7)
    ]
    found = pages_of(
        pdf(
            [
                [f"{line} {'qwertyuiopasdfghjklzx'[n]}" if line == "z" else line for line in lines]
                for n, lines in enumerate(pages)
            ]
        )
    )
    headed = [number for number, text in found.items() if "Chapter" in text]
    assert headed == [1, 8, 15]


def test_roman_page_numbers_are_dropped() -> None:
    pages = [
        [Line(line) for line in (*body, number)] for body, number in zip(_BODY, ("i", "ii", "iii", "iv"), strict=True)
    ]
    assert [[line.text for line in lines] for lines in without_running_lines(pages)] == [list(body) for body in _BODY]


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128"])
def test_a_file_locked_with_a_password_is_refused_as_such(algorithm: str) -> None:
    writer = writer_of(_BODY)
    writer.encrypt("secret", algorithm=algorithm)
    with pytest.raises(UnreadableFileError, match=r"^password-protected PDF$") as refused:
        extract_pdf(rewritten(writer))
    assert "without one" in refused.value.advice


def test_a_file_that_only_forbids_editing_is_read() -> None:
    writer = writer_of(_BODY)
    writer.encrypt("", owner_password="owner", algorithm="RC4-128")
    assert "The bee is busy" in pages_of(rewritten(writer))[1]


def test_a_file_that_only_forbids_editing_is_read_if_its_cipher_is_aes() -> None:
    assert pages_of(base64.b64decode(_AES_256)) == {1: "The bee is busy\n"}


def scan(pages: Sequence[Sequence[str]]) -> bytes:
    """The pages as pictures."""
    writer = pypdf.PdfWriter()
    source = pypdfium2.PdfDocument(pdf(pages))
    for i in range(len(pages)):
        page = source[i]
        bitmap = page.render(scale=2, grayscale=True)
        rows = bytes(bitmap.buffer)
        rows = b"".join(rows[at : at + bitmap.width] for at in range(0, len(rows), bitmap.stride))
        writer.append(io.BytesIO(_picture(bitmap.width, bitmap.height, rows)))
        bitmap.close()
        page.close()
    source.close()
    return rewritten(writer)


def _picture(width: int, height: int, rows: bytes) -> bytes:
    data = zlib.compress(rows)
    image = b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray" % (width, height)
    image += b" /BitsPerComponent 8 /Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream" % (len(data), data)
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /XObject << /X 4 0 R >> >> >>",
            image,
            b"<< /Length 27 >>\nstream\n600 0 0 800 0 0 cm /X Do   \nendstream",
        ]
    )


@pytest.mark.parametrize("pages", [1, 3])
def test_a_scan_says_that_it_needs_ocr_and_what_to_install(pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadableFileError, match=r"no text on .*page.*: .*scans? that needs? OCR$") as refused:
        extract_pdf(scan([["Honey"]] * pages))
    assert "tesseract" in refused.value.advice


def test_scanned_pages_between_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    writer = writer_of(_BODY[:2])
    writer.append(io.BytesIO(scan([["Honey"], ["Wax"]])))
    document = extract_pdf(rewritten(writer))
    assert document.scanned_pages == 2
    assert [block.page for block in document.blocks] == [1, 2]


@pytest.mark.skipif(bool(ocr.missing()), reason=f"no OCR here: {ocr.missing()}")
class TestRecognition:
    def test_scanned_pages_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEARCHKIT_OCR_LANGUAGES", "eng")
        content = scan(_BODY[:2])
        found = pages_of(content)
        assert "The bee is busy" in found[1]
        assert "The drone leaves" in found[2]
        assert extract_pdf(content).scanned_pages == 0

    def test_a_language_that_is_not_installed_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEARCHKIT_OCR_LANGUAGES", "qqq")
        with pytest.raises(UnreadableFileError, match=r"no text on its one page: .*tesseract") as refused:
            extract_pdf(scan(_BODY[:1]))
        assert "SEARCHKIT_OCR_LANGUAGES" in refused.value.advice


def test_pages_without_text_or_picture_are_no_scan() -> None:
    with pytest.raises(UnreadableFileError, match=r"^no text on any of its 3 pages$"):
        extract_pdf(pdf([[]] * 3))


def annotated(**entries: object) -> pypdf.PdfWriter:
    """A page with one annotation."""
    writer = writer_of(_BODY[:1])
    note = DictionaryObject(
        {NameObject("/Type"): NameObject("/Annot"), NameObject("/Rect"): pypdf.generic.RectangleObject((9, 9, 99, 30))}
    )
    for key, value in entries.items():
        note[NameObject(f"/{key}")] = NameObject(value) if str(value).startswith("/") else TextStringObject(value)
    reference = writer._add_object(note)
    writer.pages[0][NameObject("/Annots")] = ArrayObject([reference])
    if "FT" in entries:
        form = DictionaryObject({NameObject("/Fields"): ArrayObject([reference])})
        writer.root_object[NameObject("/AcroForm")] = form
    return writer


def test_what_is_typed_into_a_form_is_read() -> None:
    content = rewritten(annotated(Subtype="/Widget", FT="/Tx", T="surname", V="Wieczorek"))
    field = list(extract_pdf(content).blocks)[-1]
    assert (field.text, field.kind, field.page, field.place) == (
        "surname: Wieczorek",
        BlockKind.TABLE,
        1,
        "form fields",
    )


@pytest.mark.parametrize(("state", "read"), [("/Off", False), ("/Organic", True)])
def test_of_a_forms_boxes_only_those_ticked_are_read(state: str, read: bool) -> None:
    writer = annotated(Subtype="/Widget", FT="/Btn", T="kind", TU="Kind of honey", V=state, AS=state)
    looks = DictionaryObject({NameObject("/N"): DictionaryObject({NameObject("/Organic"): DictionaryObject()})})
    widget = writer.pages[0].annotations
    assert widget is not None
    widget[0].get_object()[NameObject("/AP")] = looks
    content = rewritten(writer)
    assert ("Kind of honey: Organic" in [block.text for block in extract_pdf(content).blocks]) == read


def test_notes_are_read() -> None:
    note = list(extract_pdf(rewritten(annotated(Subtype="/Text", Contents="Ask Ingrid about the lid"))).blocks)[-1]
    assert (note.text, note.page, note.place) == ("Ask Ingrid about the lid", 1, "note")


def test_attachments_are_named() -> None:
    writer = writer_of(_BODY[:1])
    writer.add_attachment("prices.csv", b"honey;7")
    assert [block.text for block in extract_pdf(rewritten(writer)).blocks][1:] == ["Attachment: prices.csv"]


def test_what_a_document_says_of_itself_is_its_metadata() -> None:
    writer = writer_of(_BODY[:1])
    writer.add_metadata(
        {
            "/Author": "Ada  Bell",
            "/CreationDate": "D:20161231184323+01'00'",
            "/Keywords": "bees; honey,",
            "/Subject": "Hives",
        }
    )
    writer.root_object[NameObject("/Lang")] = TextStringObject("en-GB")
    assert extract_pdf(rewritten(writer)).metadata == {
        "author": "Ada Bell",
        "date": "2016-12-31T18:43:23+01:00",
        "subject": "Hives",
        "tags": "bees, honey",
        "language": "en-GB",
    }


@pytest.mark.parametrize(
    ("raw", "date"),
    [
        ("D:20161231", "2016-12-31"),
        ("D:201612311843Z", "2016-12-31T18:43:00Z"),
        ("D:20161231184323", "2016-12-31T18:43:23"),
        ("D:20169931", None),
        ("yesterday", None),
    ],
)
def test_dates_are_told_as_far_as_they_are_said(raw: str, date: str | None) -> None:
    writer = writer_of(_BODY[:1])
    writer.add_metadata({"/ModDate": raw})
    assert extract_pdf(rewritten(writer)).metadata.get("date") == date


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("Microsoft Word - letter to Ms Ito.doc", ""),
        ("Microsoft Word - The bees of Umbria", "The bees of Umbria"),
        ("untitled", ""),
        ("Unbenannt 1", ""),
        ("scan0012.pdf", ""),
        ("- 2 -", ""),
        ("1984: a novel", "1984: a novel"),
        ("Print shop manual", "Print shop manual"),
    ],
)
def test_a_programs_or_a_files_name_is_no_title(raw: str, title: str) -> None:
    writer = writer_of(_BODY[:1])
    writer.add_metadata({"/Title": raw})
    assert extract_pdf(rewritten(writer)).title == title


def test_title_and_author_are_read_from_xmp_where_the_older_dictionary_is_missing() -> None:
    said = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    )
    said += "<rdf:Description><dc:title><rdf:Alt><rdf:li>The bees</rdf:li></rdf:Alt></dc:title>"
    said += "<dc:creator><rdf:Seq><rdf:li>Ada Bell</rdf:li><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF>"
    document = extract_pdf(pdf(_BODY) + said.encode())
    assert (document.title, document.metadata) == ("The bees", {"author": "Ada Bell, Bo"})


def test_a_page_that_cannot_be_opened_is_named_and_the_others_are_read() -> None:
    document = extract_pdf(pdf(_BODY).replace(b"/Kids [4 0 R", b"/Kids [99 0 R"))
    assert document.metadata["unreadable_pages"] == "1"
    assert [block.page for block in document.blocks] == [2, 3, 4]


def test_a_file_that_claims_a_million_pages_is_read_up_to_where_they_end() -> None:
    document = extract_pdf(pdf(_BODY).replace(b"/Count 4", b"/Count 1000000"))
    assert [block.page for block in document.blocks] == [1, 2, 3, 4]
    assert document.metadata["unreadable_pages"].startswith("5, 6, ")


@pytest.mark.parametrize("broken", [(b"%PDF-1.4", b"%XYZ-1.4"), (b"/Root 1 0 R", b"/Root 99 0 R")])
def test_files_with_damage_that_can_be_mended_are_read(broken: tuple[bytes, bytes]) -> None:
    assert "The bee is busy" in pages_of(pdf(_BODY).replace(*broken))[1]


def test_letters_beyond_the_first_plane_do_not_shift_lines() -> None:
    assert joined(["𝑥 is a num\ufffeber", "of bees"]) == "𝑥 is a number\nof bees"


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (0, "it is empty"),
        (4, "it does not begin like one"),
        (9, "its end is missing"),
        (300, "its end is missing"),
        (900, "its end is missing"),
    ],
)
def test_a_truncated_file_is_refused_with_a_reason(part: int, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        extract("pdf", pdf(_BODY)[:part])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is a text with the wrong name", "damaged PDF: it does not begin like one"),
        (b"\0\0\n", "damaged PDF: it is empty"),
        (pdf(_BODY)[:1500], "damaged PDF: its end is missing"),
    ],
)
def test_what_is_wrong_with_a_damaged_file_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        extract_pdf(content)
    assert str(refused.value) == reason
    assert refused.value.remedy


# One page, encrypted by AES-256 with an owner's password and an empty user's.
_AES_256 = (
    "JVBERi0xLjcKJb/3ov4KMSAwIG9iago8PCAvRXh0ZW5zaW9ucyA8PCAvQURCRSA8PCAvQmFzZVZlcnNpb24gLzEuNyAvRXh0ZW5zaW9uTGV2ZW"
    "wgOCA+PiA+PiAvUGFnZXMgMyAwIFIgL1R5cGUgL0NhdGFsb2cgPj4KZW5kb2JqCjIgMCBvYmoKPDwgL1R5cGUgL09ialN0bSAvTGVuZ3RoIDIw"
    "OCAvRmlsdGVyIC9GbGF0ZURlY29kZSAvTiAzIC9GaXJzdCAxNSA+PgpzdHJlYW0K1gNpqRTKrQPQxiY64QOEP5FkQkod3AlawarwxYSKmKpsVb"
    "PLGAQ267Jnrl98dXMee46vPlHYkX/SV32g2s54eQmblSt9Ea6/A9FmpLh0lAIZNddOLibj0jk8kyQ+PxKsv9ehy2Tp4Yq4Z2f74gDjpX1ODizl"
    "mUQ0GXzqDxr87J5ESsTadjh4kUhgA/KuDIljndmB8LLhn/yJDpqcyxFiqP8VDP8xWkpLjOpo8x/bsNaqE8u4FwOtigk0POBqOjd/I+y1GVm7+a"
    "Yda1iSTPnYj2VuZHN0cmVhbQplbmRvYmoKNiAwIG9iago8PCAvTGVuZ3RoIDgwIC9GaWx0ZXIgL0ZsYXRlRGVjb2RlID4+CnN0cmVhbQow7mH3"
    "R+MHPQjSDtIuIXBqOEVKD4Ror44V31ulGn7D/xpgfi5Boss4r8n8VpreUYg3eQEGF1pFXW/TKerFu2LAePU2kSMr12wYGHE7TeQdA2VuZHN0cm"
    "VhbQplbmRvYmoKNyAwIG9iago8PCAvQ0YgPDwgL1N0ZENGIDw8IC9BdXRoRXZlbnQgL0RvY09wZW4gL0NGTSAvQUVTVjMgL0xlbmd0aCAzMiA+"
    "PiA+PiAvRmlsdGVyIC9TdGFuZGFyZCAvTGVuZ3RoIDI1NiAvTyA8NDBjNzcwNWU4Y2Y1NmJiOGI1MTQ5NzkzOTJlODRkMGZjODhjZjc2YmM2Mj"
    "UzNWY1NWU1OTNlODE4ZGY5NGY4NWIwOWZlZjM5NmE0ODk5MjBhODdlYjY5ZDNhMGIwMjY1PiAvT0UgPDk5ODAzM2E3ZGJjZTBhYzBmYmU4NmQ2"
    "YTFhOThmZWNhMTc3ODI2ZjQ3ODVhY2YzZTAwYmEwOWIwMTkxNjkzYjU+IC9QIC00IC9QZXJtcyA8MGFlOGE2YmY1NmNjNmM3Njc4OTdlYjI4MW"
    "I3NTk2ZjY+IC9SIDYgL1N0bUYgL1N0ZENGIC9TdHJGIC9TdGRDRiAvVSA8ZjMxYmNjZjM3MWFjNmNlYWU3MjlmMjg0ZWY4ZDc1YjdlNTkzOWQ0"
    "MjYwNmMwOTMyMjE1OTkxODM0MDYzMjBhZDAzODhkMTA4MWU4MzA5MmU4ZDk4MDc5NGFiZGUyNTcxPiAvVUUgPDNjYjBlNWM3MDI5NDU1MDRlMj"
    "c5YTI2NzZkN2RlMWE2YWUxNjdhYjRlNTIyMTAzNDgxY2YxYWFiYWE2ZjhkZmI+IC9WIDUgPj4KZW5kb2JqCjggMCBvYmoKPDwgL1R5cGUgL1hS"
    "ZWYgL0xlbmd0aCA0MiAvRmlsdGVyIC9GbGF0ZURlY29kZSAvRGVjb2RlUGFybXMgPDwgL0NvbHVtbnMgNCAvUHJlZGljdG9yIDEyID4+IC9XIF"
    "sgMSAyIDEgXSAvUm9vdCAxIDAgUiAvU2l6ZSA5IC9JRCBbPGU1MmRlZmJjMGU0NjJlN2NiZWU0NjkzMTljN2NkNzZjPjxlNTJkZWZiYzBlNDYy"
    "ZTdjYmVlNDY5MzE5YzdjZDc2Yz5dIC9FbmNyeXB0IDcgMCBSID4+CnN0cmVhbQp4nGNiAAImRgZ+BiYGhmIQqwHEYmCEEP8Zt/xjYmCcBhRjUm"
    "YAAEYqBIcKZW5kc3RyZWFtCmVuZG9iagpzdGFydHhyZWYKMTEzNQolJUVPRgo="
)
