import base64
import io
import subprocess
import sys
import zlib
from collections.abc import Sequence

import pypdf
import pypdfium2
import pytest
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import ocr
from searchkit.ingest.extract.pdf.document import extract_pdf
from searchkit.ingest.extract.pdf.lines import Line, is_writing, joined, lines_of_writing, without_running_lines
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


@pytest.mark.parametrize(
    "form", ["{}", "Page {}", "Page {} of 4", "2013 report, p. {}", "- {} -", "3 Quay Street, sheet {} of 4", "{} / 4"]
)
@pytest.mark.parametrize("count", [2, 3, 4])
def test_running_headers_are_read_once_and_page_numbers_not_at_all(form: str, count: int) -> None:
    pages = [["Handbook of bees 77-1", *body, form.format(number)] for number, body in enumerate(_BODY[:count], 7)]
    first, *others = [found.split("\n") for found in pages_of(pdf(pages)).values()]
    if count == 2 and not any(map(str.isalpha, form)):  # two numbers may be anything
        others = [[line for line in found if line != form.format(8)] for found in others]
    foot = [form.format(7)] if count == 2 or any(map(str.isalpha, form)) else []
    assert first == ["Handbook of bees 77-1", *_BODY[0], *foot, ""]
    assert others == [[*body, ""] for body in _BODY[1:count]]


def test_numbers_that_do_not_count_the_pages_are_text() -> None:
    items = [[f"Item {page}-1: glaze C, 1 kilogram, at 4 euros.", *body] for page, body in enumerate(_BODY, 1)]
    assert all(f"Item {page}-1" in found for page, found in pages_of(pdf(items)).items())
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


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256"])
def test_a_file_locked_with_a_password_is_refused_as_such(algorithm: str) -> None:
    writer = writer_of(_BODY)
    writer.encrypt("secret", algorithm=algorithm)
    with pytest.raises(UnreadableFileError, match=r"^password-protected PDF$") as refused:
        extract_pdf(rewritten(writer))
    assert "without one" in refused.value.advice


def test_a_file_locked_with_a_password_is_refused_as_such_without_a_library_of_ciphers() -> None:
    writer = writer_of(_BODY)
    writer.encrypt("secret", algorithm="AES-256")
    code = (
        "import sys; sys.modules |= dict.fromkeys(('cryptography', 'Crypto', 'Cryptodome'))\n"
        "from searchkit.errors import UnreadableFileError\nfrom searchkit.ingest.extract.readers import extract\n"
        "try: extract('pdf', sys.stdin.buffer.read())\nexcept UnreadableFileError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], input=rewritten(writer), capture_output=True, check=True)
    assert run.stdout.strip() == b"password-protected PDF"


def test_a_file_that_no_password_opens_is_not_called_so() -> None:
    lock = b"/Root 1 0 R /Encrypt << /Filter /Shop.Protection /V 1 >> /ID [<00> <00>]"
    content = drawn(_shown("text")).replace(b"/Root 1 0 R", lock)
    with pytest.raises(UnreadableFileError, match="only its own program opens") as refused:
        extract_pdf(content)
    assert "password" not in refused.value.advice


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


def test_a_note_is_read_with_its_author_and_where_only_its_layout_has_words() -> None:
    rich = "<body><p>Ask <b>Ingrid</b></p><p>about &amp; around</p></body>"
    for note, expected in (
        ({"Contents": "Ask Ingrid", "T": "Bo"}, "Bo: Ask Ingrid"),
        ({"RC": rich}, "Ask Ingrid about & around"),
    ):
        found = list(extract_pdf(rewritten(annotated(Subtype="/Highlight", **note))).blocks)[-1]
        assert (found.text, found.place) == (expected, "note")


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


def test_properties_of_ones_own_are_read() -> None:
    said = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:pdfx="http://ns.adobe.com/pdfx/1.3/">'
    )
    said += "<rdf:Description><pdfx:Department>Hives</pdfx:Department></rdf:Description></rdf:RDF>"
    assert extract_pdf(pdf(_BODY) + said.encode()).metadata == {"department": "Hives"}


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


_FONTS = "/Resources << /Font << /F1 3 0 R >> >>"


def drawn(content: str, page: str = "", *more: str, pages: int = 1) -> bytes:
    """A PDF of pages with the same content; `page`: further entries of each page's dictionary; `more`: objects from 6 on."""
    kids = " ".join(["4 0 R"] * pages)
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R {_FONTS} {page} >>".encode(),
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream".encode(),
            *(part.encode() for part in more),
        ]
    )


def _shown(text: str, x: int = 50, y: int = 700) -> str:
    return f"BT /F1 11 Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET\n"


def test_what_is_beyond_the_edge_or_clipped_away_is_not_on_the_page() -> None:
    beside = _shown("shown") + _shown("beside", 700) + _shown("below", 50, -300)
    assert pages_of(drawn(beside)) == {1: "shown\n"}
    assert pages_of(drawn(_shown("left") + _shown("right", 400), "/CropBox [0 0 300 800]")) == {1: "left\n"}
    assert pages_of(drawn(_shown("left") + _shown("right", 400), "/CropBox [300 0 600 800]")) == {1: "right\n"}
    clipped = f"q 0 0 200 800 re W n {_shown('shown')}{_shown('clipped', 400, 650)} Q {_shown('after', 400, 600)}"
    assert pages_of(drawn(clipped)) == {1: "shown\n\nafter\n"} or "clipped" not in pages_of(drawn(clipped))[1]


@pytest.mark.parametrize(
    "shown", [_shown("below", 50, -300), _shown("The weir is kept. " * 20)], ids=["a line", "the end of a line"]
)
def test_what_is_not_on_the_page_is_named(shown: str) -> None:
    document = extract("pdf", drawn(_shown("shown", 50, 500) + shown))
    assert "shown" in " ".join(block.text for block in document.blocks)
    assert list(document.left_out) == ["text beyond the page's edge or clipped away"]


def test_addresses_behind_words_stand_on_their_page() -> None:
    link = (
        "<< /Type /Annot /Subtype /Link /Rect [45 690 100 715] /A << /S /URI /URI (https://bees.example/losses) >> >>"
    )
    found = list(extract_pdf(drawn(_shown("hive losses"), "/Annots [6 0 R]", link)).blocks)
    assert [(block.text, block.place, block.page) for block in found][1:] == [
        ("hive losses (https://bees.example/losses)", "links", 1)
    ]


@pytest.mark.parametrize("action", ["/S /Launch /F (losses-2024.pdf)", "/S /GoToR /F (losses-2024.pdf) /D [0 /Fit]"])
def test_files_behind_words_stand_on_their_page(action: str) -> None:
    link = f"<< /Type /Annot /Subtype /Link /Rect [45 690 100 715] /A << {action} >> >>"
    found = list(extract_pdf(drawn(_shown("hive losses"), "/Annots [6 0 R]", link)).blocks)
    assert [block.text for block in found][1:] == ["hive losses (losses-2024.pdf)"]


def test_stamps_are_read_as_they_are_drawn() -> None:
    stamp = "<< /Type /Annot /Subtype /Stamp /Rect [100 100 300 150] /F 4 /Contents (by desk 4) /AP << /N 7 0 R >> >>"
    form = "BT /F1 11 Tf 5 20 Td (PAID on Tuesday) Tj ET"
    looks = f"<< /Type /XObject /Subtype /Form /BBox [0 0 200 50] {_FONTS} /Length {len(form)} >>\nstream\n{form}\nendstream"
    found = list(extract_pdf(drawn(_shown("text"), "/Annots [6 0 R]", stamp, looks)).blocks)
    assert [(block.text, block.place) for block in found] == [
        ("text", ""),
        ("by desk 4", "note"),
        ("PAID on Tuesday", "stamp"),
    ]


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("Plain words, 12 of them.", True),
        ("Größe und Übermut, schön während der Frühjahrsmüdigkeit", True),
        ("В начале было слово, и слово было у бога", True),
        ("나는 학교에 갔다. 그리고 친구를 만나서 이야기를 했다. 오늘은 날씨가 좋았다. 우리는 함께 밥을 먹었다.", True),
        ("今日は天気がいいので、公園へ行きました。", True),
        ("\uf0b7 first point of the list\n\uf0b7 second point of the list", True),
        ("THE TENANT KEEPS THE STAIRS CLEAN AND PAYS FOR THE HEATING IN ADVANCE", True),
        ("x = 17.4, y = 12.9; 0.5 0.25 0.125 0.0625 A B C D E F G H I J K L M N O P Q R S T U V W X Y Z", True),
        ("W" * 200, True),
        ("", True),
        ("\x01\x04\x05\x06\x07\n\x08\x04 \x06", False),
        ("\ue001\ue002\ue003 \ue004\ue005", False),
        ("(cid:12)(cid:33)(cid:7) (cid:90)", False),
        ("/g12 /g13 /g200 /g7 /g18", False),
        ("/uni0412 /uni043E /afii10065 /uni0442", False),
        ((b"the tenant keeps all stairs clean and pays for his heating in full " * 2).decode("utf-16-be"), False),
        ("租户应保持楼梯清洁，并按月支付取暖费用。宠物须经房主同意。押金将在六周内退还。房屋不得转租。", True),
        (
            "킜킰톁톁킰 킜킰톁톈톂킰킱\n킘킷킼. 킛킸톁톂 킴킾킺톃킼. 킟킾킴킿. 킔킰톂킰 킛킸톂. 킠킰킷톀킰킱. 킟톀킾킲",
            False,
        ),
        ("王小明 李春红 张伟 刘洋 陈静 杨帆 黄磊 周杰 吴敏 徐丽 孙涛 马超 朱琳 胡军 郭靖 何炅 高峰 林森", True),
        ("囨壏柢毝欸丅擪瀖嚛 囨壏 仭懾叐縪 柢欸丅擪 瀖嚛囨壏柢 毝欸丅擪瀖嚛囨 仭懾叐縪柢毝 叐縪" * 3, False),
        ("囨壏柢毝欸丅擪瀖嚛囨壏仭懾叐縪柢欸丅擪瀖嚛囨壏柢毝欸丅擪瀖嚛囨仭懾叐縪柢毝叐縪", True),
        ("東京都千代田区丸の内一丁目 大阪府大阪市北区梅田三丁目 北海道札幌市中央区" * 4, True),
        ("ѴѠѡѢ ѣѤѥѦѧ ѨѩѪѫ ѬѭѮѯ ѰѱѲѳ ѴѵѶѷ ѠѡѢѣ ѤѥѦѧ", False),
        ("Trường đại học bách khoa Hà Nội được thành lập năm một nghìn chín trăm năm mươi sáu", True),
        ("Ðîññèéñêàÿ Ôåäåðàöèÿ è Ñîþç ïèñàòåëåé ñîîáùàþò", False),
        ("7KH WHQDQW NHHSV WKH VWDLUV FOHDQ DQG SD\\V IRU WKH KHDWLQJ LQ DGYDQFH", False),
    ],
)
def test_codes_and_letters_of_another_script_are_no_writing(text: str, sound: bool) -> None:
    assert is_writing(text) is sound


def test_of_a_page_that_is_partly_codes_the_writing_is_kept() -> None:
    writing = ["Die Mühle an der Brücke wurde im März geölt.", "Größere Schäden gab es nicht.", "Plain words, too."]
    lines = [Line(text) for text in (*writing, "\ue001\ue002\ue003 \ue004" * 9)]
    assert not is_writing("\n".join(line.text for line in lines))
    assert [line.text for line in lines_of_writing(lines)] == writing
    shifted = [Line("Ðîññèéñêàÿ Ôåäåðàöèÿ è Ñîþç ïèñàòåëåé ñîîáùàþò"), Line("Plain words")]
    assert [line.text for line in lines_of_writing(shifted)] == ["Plain words"]


def test_a_page_of_codes_is_reported_and_not_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no OCR
    codes = "".join(_shown(f"/g{n} /g{n + 1} /g{n + 2}", 50, 700 - 20 * n) for n in range(9))
    with pytest.raises(UnreadableFileError, match="letters that only their fonts know") as refused:
        extract_pdf(drawn(codes))
    assert refused.value.advice


def scanned_page(lines: str, grey: bytes) -> bytes:
    """A page with typed lines over a picture of 60 by 80 points, drawn over two thirds of it."""
    return _page_with_picture(f"q 500 0 0 640 50 100 cm /Im0 Do Q {lines}", grey, 60, 80)


def _page_with_picture(content: str, grey: bytes, width: int, height: int) -> bytes:
    data = zlib.compress(grey)
    picture = b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray" % (width, height)
    picture += b" /BitsPerComponent 8 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(data), data)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R"
    page += b" /Resources << /Font << /F1 3 0 R >> /XObject << /Im0 6 0 R >> >> >>"
    return _file(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", page,
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content.encode()), picture,
        ]
    )  # fmt: skip


_LETTERHEAD = _shown(
    "Harbour and Vale, Notaries, 3 Quay Street, received 12 March 2025, file 2025/0311, desk 4", 20, 780
)
_SCAN = b"".join(b"\xff" * 5 + b"\x00\xff" * 25 + b"\xff" * 5 if n % 4 == 0 else b"\xff" * 60 for n in range(80))


def test_a_scan_under_a_letterhead_or_a_stamp_is_one_and_keeps_what_is_typed() -> None:
    document = extract_pdf(scanned_page(_LETTERHEAD, _SCAN))
    assert document.scanned_pages == bool(ocr.missing())
    assert "Quay Street" in "".join(block.text for block in document.blocks)


def test_a_photograph_with_a_caption_and_a_scan_that_was_read_are_no_scans() -> None:
    photograph = bytes((x * y) % 200 for y in range(80) for x in range(60))
    assert extract_pdf(scanned_page(_LETTERHEAD, photograph)).scanned_pages == 0
    invisible = "3 Tr " + _LETTERHEAD
    assert extract_pdf(scanned_page(f"BT {invisible[5:]} ".replace("BT BT", "BT 3 Tr"), _SCAN)).scanned_pages == 0


def test_a_word_of_thirty_thousand_letters_is_matched_in_one_go() -> None:
    """With a pattern that tries each of its letters as a beginning, this takes minutes."""
    assert joined(["H" * 100_000] * 2).count("H") == 200_000


def test_pictures_are_read_by_their_descriptions() -> None:
    tree = "<< /Type /StructTreeRoot /K 7 0 R /ParentTree << /Nums [0 [7 0 R]] >> >>"
    figure = "<< /Type /StructElem /S /Figure /P 6 0 R /Pg 4 0 R /K 0 /Alt (A plan of the yard) >>"
    content = _shown("text") + "/Figure << /MCID 0 >> BDC 0 0 10 10 re f EMC"
    tagged = drawn(content, "/StructParents 0", tree, figure).replace(
        b"/Catalog", b"/Catalog /MarkInfo << /Marked true >> /StructTreeRoot 6 0 R"
    )
    found = list(extract_pdf(tagged).blocks)
    assert [(block.text, block.place) for block in found] == [("text", ""), ("A plan of the yard", "picture")]


def test_what_short_forms_stand_for_is_read() -> None:
    tree = "<< /Type /StructTreeRoot /K 7 0 R /ParentTree << /Nums [0 [7 0 R]] >> >>"
    span = "<< /Type /StructElem /S /Span /P 6 0 R /Pg 4 0 R /K 0 /E (Board of Beekeepers) >>"
    tagged = drawn(f"/Span << /MCID 0 >> BDC {_shown('BoB')} EMC", "/StructParents 0", tree, span).replace(
        b"/Catalog", b"/Catalog /MarkInfo << /Marked true >> /StructTreeRoot 6 0 R"
    )
    assert [block.text for block in extract_pdf(tagged).blocks] == ["BoB", "Board of Beekeepers"]


def _row(y: int, *cells: tuple[int, str]) -> str:
    return "".join(_shown(text, x, y) for x, text in cells)


def test_rows_whose_cells_stand_in_columns_are_a_table_with_its_empty_cells() -> None:
    content = _shown("Prices of this year, as they were agreed upon by all of us in March.", 50, 760)
    content += _row(700, (50, "Item"), (200, "Price"), (300, "Site"), (420, "Lead time"))
    content += _row(680, (50, "spindle K1"), (200, "4.50"), (420, "3 days"))
    content += _row(660, (50, "nozzle K2"), (300, "Tarn"), (420, "12 days"))
    content += _row(640, (50, "float-ring K3"), (206, "12.00"), (300, "Quill"))
    content += _shown("They hold until the end of the next year, unless one of us objects.", 50, 580)
    before, table, after = extract_pdf(drawn(content)).blocks
    assert (table.kind, table.columns) == (BlockKind.TABLE, "Item | Price | Site | Lead time")
    assert table.text.split("\n")[1:] == [
        "spindle K1 | 4.50 |  | 3 days",
        "nozzle K2 |  | Tarn | 12 days",
        "float-ring K3 | 12.00 | Quill",
    ]
    assert before.text.startswith("Prices") and after.text.startswith("They")


COLUMNS = (
    (60, ("Part", "Nozzle", "Gasket", "Spindle", "Float")),
    (200, ("Maker", "Quill", "", "Orla Brandt", "Passmore")),
    (400, ("Days", "14", "3", "", "21")),
)


def _columns(columns: Sequence[tuple[int, Sequence[str]]], step: int = 20) -> str:
    """Cells drawn column by column."""
    return "".join(_shown(text, x, 600 - step * i) for x, texts in columns for i, text in enumerate(texts) if text)


def test_a_table_drawn_column_by_column_is_read_row_by_row_with_its_empty_cells() -> None:
    around = _shown("Spare parts of the pump", 60, 700), _shown("Whoever takes the last one writes it down.", 60, 400)
    blocks = list(extract_pdf(drawn(around[0] + _columns(COLUMNS) + around[1])).blocks)
    assert [block.text for block in blocks] == [
        "Spare parts of the pump",
        "Part | Maker | Days\nNozzle | Quill | 14\nGasket |  | 3\nSpindle | Orla Brandt\nFloat | Passmore | 21",
        "Whoever takes the last one writes it down.",
    ]
    assert blocks[1].columns == "Part | Maker | Days"


@pytest.mark.parametrize(
    "columns",
    [
        ((60, ("The miller keeps", "the weir and pays", "for what it takes", "of the water.")),
         (300, ("Whoever fishes", "there without leave", "pays a fine of one", "day of work."))),
        ((60, ("Bread", "Butter", "Cheese")), (300, ("Soap",))),
        ((60, ("Bread", "Butter", "Cheese")), (90, ("Soap", "Candles", "Oil"))),
    ],
    ids=["running text", "a single line beside", "hardly apart"],
)  # fmt: skip
def test_columns_that_are_no_table_are_read_one_after_the_other(columns: Sequence[tuple[int, Sequence[str]]]) -> None:
    text = " ".join(block.text for block in extract_pdf(drawn(_columns(columns))).blocks)
    assert text.split() == " ".join(word for _, texts in columns for word in texts).split()


def test_two_columns_of_text_line_by_line_are_no_table() -> None:
    lines = "".join(
        _row(700 - 14 * n, (50, f"left text number {n} goes on and on"), (330, f"right text number {n} goes on and on"))
        for n in range(9)
    )
    assert {block.kind for block in extract_pdf(drawn(lines)).blocks} == {BlockKind.PARAGRAPH}


def test_what_letters_stand_for_is_read_instead_of_them() -> None:
    shown = "BT /F1 11 Tf 50 700 Td (see ) Tj /Span << /ActualText (real words) >> BDC (xyz) Tj EMC ET"
    assert pages_of(drawn(shown)) == {1: "see real words\n"}
    tree = "<< /Type /StructTreeRoot /K 7 0 R /ParentTree << /Nums [0 [7 0 R]] >> >>"
    span = "<< /Type /StructElem /S /Span /P 6 0 R /Pg 4 0 R /K 0 /ActualText (drawn letters) >>"
    content = _shown("text") + "/Span << /MCID 0 >> BDC 0 0 10 10 re f EMC"
    tagged = drawn(content, "/StructParents 0", tree, span).replace(
        b"/Catalog", b"/Catalog /MarkInfo << /Marked true >> /StructTreeRoot 6 0 R"
    )
    assert [block.text for block in extract_pdf(tagged).blocks] == ["text", "drawn letters"]


def page_with_picture(rows: bytes, width: int, height: int) -> bytes:
    """A page of text with a picture of 400 by 100 points below it."""
    said = "of a page about hazel rods, weirs and the boats that pass by them"
    lines = "".join(_shown(f"Line {n} {said}", 50, 780 - 20 * n) for n in range(12))
    return _page_with_picture(f"q 400 0 0 100 50 100 cm /Im0 Do Q {lines}", rows, width, height)


def test_without_ocr_a_picture_on_a_page_of_text_is_counted_and_its_page_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    document = extract_pdf(page_with_picture(bytes(800 * 200), 800, 200))
    assert document.scanned_pages == 1
    assert "Line 11 of a page" in "".join(block.text for block in document.blocks)


@pytest.mark.skipif(bool(ocr.missing()), reason=f"no OCR here: {ocr.missing()}")
def test_of_a_page_with_text_only_the_pictures_are_read_by_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image, ImageDraw, ImageFont

    monkeypatch.setenv("SEARCHKIT_OCR_LANGUAGES", "eng")
    picture = Image.new("L", (800, 200), 255)
    ImageDraw.Draw(picture).text((40, 60), "Keep clear of the weir", font=ImageFont.load_default(48), fill=0)
    document = extract_pdf(page_with_picture(picture.tobytes(), 800, 200))
    *_, last = document.blocks
    assert (last.text, last.page, document.scanned_pages) == ("Keep clear of the weir", 1, 0)
    left, top, right, bottom = map(int, last.place.removeprefix("page 1, picture, box ").split(","))
    assert 8 <= left < right <= 75
    assert 75 <= top < bottom <= 88


def test_a_form_that_its_viewer_draws_itself_is_read() -> None:
    template = (
        '<template xmlns="http://www.xfa.org/schema/xfa-template/3.3/"><subform><script>zcode</script>'
        "<draw><value><text>Name of the hive</text></value></draw><field><items><text>zother</text></items></field>"
        "<draw><value><exData><p>Sign <b>here</b></p></exData></value></draw></subform></template>"
    )
    data = '<xfa:datasets xmlns:xfa="http://www.xfa.org/schema/xfa-data/1.0/"><xfa:data><n>Wieczorek</n></xfa:data></xfa:datasets>'
    streams = [f"<< /Length {len(text)} >>\nstream\n{text}\nendstream" for text in (template, data)]
    form = b"/Catalog /AcroForm << /Fields [] /XFA [(template) 6 0 R (datasets) 7 0 R] >>"
    content = drawn(_shown("Please wait..."), "", *streams).replace(b"/Catalog", form)
    found = [(block.text, block.place) for block in extract_pdf(content).blocks]
    assert found == [("Please wait...", ""), ("Name of the hive\nSign here\nWieczorek", "form")]
