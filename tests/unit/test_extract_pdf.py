import importlib.util
import io
from collections.abc import Sequence

import pypdf
import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.formats import extract
from searchkit.ingest.extract.pdf import extract_pdf

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
        (["a soft hy\u00adphen"], "a soft hyphen"),
    ],
)
def test_words_parted_at_a_line_end_are_joined(lines: list[str], expected: str) -> None:
    (block,) = extract_pdf(pdf([lines])).blocks
    assert block.text == expected


def test_ligatures_are_read_as_letters() -> None:
    mapping = b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
    mapping += b"1 beginbfchar <58> <FB01> endbfchar endcmap end"
    content = pdf([["misXts"]]).replace(b"/Encoding /WinAnsiEncoding", b"/Encoding /WinAnsiEncoding /ToUnicode 6 0 R")
    stream = b"6 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (len(mapping), mapping)
    (block,) = extract_pdf(content.replace(b"xref\n0 6", stream + b"xref\n0 6")).blocks
    assert block.text == "misfits"


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


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128"])
def test_a_file_locked_with_a_password_is_refused_as_such(algorithm: str) -> None:
    writer = writer_of(_BODY)
    writer.encrypt("secret", algorithm=algorithm)
    with pytest.raises(UnreadableFileError, match=r"^password-protected PDF$"):
        extract_pdf(rewritten(writer))


def test_a_file_that_only_forbids_editing_is_read() -> None:
    writer = writer_of(_BODY)
    writer.encrypt("", owner_password="owner", algorithm="RC4-128")
    assert "The bee is busy" in pages_of(rewritten(writer))[1]


@pytest.mark.skipif(importlib.util.find_spec("cryptography") is not None, reason="the package is there")
def test_a_file_whose_cipher_is_missing_says_what_to_install() -> None:
    cipher = b"<< /Filter /Standard /V 5 /R 6 /Length 256 /P -44 /StmF /StdCF /StrF /StdCF"
    cipher += b" /CF << /StdCF << /CFM /AESV3 /Length 32 /AuthEvent /DocOpen >> >>"
    cipher += b" /O <%b> /U <%b> /OE <%b> /UE <%b> /Perms <%b> >>" % tuple(b"00" * n for n in (48, 48, 32, 32, 16))
    locked = pdf(_BODY).replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00> <00>] /Encrypt " + cipher)
    with pytest.raises(UnreadableFileError, match=r"^encrypted with AES: pip install cryptography"):
        extract_pdf(locked)


@pytest.mark.parametrize("pages", [1, 3])
def test_a_scan_says_that_it_needs_ocr(pages: int) -> None:
    with pytest.raises(UnreadableFileError, match=r"no text on .*page.*: a scan that needs OCR"):
        extract_pdf(pdf([[]] * pages))


@pytest.mark.parametrize("part", [0, 4, 9, 300, 900])
def test_a_truncated_file_is_read_or_refused_with_a_reason(part: int) -> None:
    whole = pdf(_BODY)
    try:
        document = extract("pdf", whole[:part])
    except UnreadableFileError as error:
        assert "PDF" in str(error) or "no text" in str(error)
    else:
        assert all(block.text in whole.decode("cp1252") for block in document.blocks)


def test_a_file_that_is_no_pdf_is_damaged() -> None:
    with pytest.raises(UnreadableFileError, match="damaged PDF"):
        extract_pdf(b"this is a text with the wrong name")
