import email
import email.policy
import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path, PurePath

import pypdf
import pytest
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    RectangleObject,
    TextStringObject,
)

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import contained, unpack
from searchkit.ingest.extract.contained import ContainedFile, contained_files
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.readers import extract
from tests.support.compound_files import compound_file
from tests.support.office_files import ooxml, zipped
from tests.unit.ingest.extract.test_outlook import attached, attribute, properties, winmail

LIMIT = 1_000_000
FILES = {
    "minutes/march.md": b"# March\n\nThe wheel was greased.",
    "notes.txt": b"Buy hazel rods.",
    "wheel.png": b"\x89PNG\r\n\x1a\n",
}


def tar(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def mail(subject: str = "Mill", **files: bytes) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Date"] = "a@b.c", subject, "Mon, 10 Mar 2025 09:00:00 +0100"
    message.set_content("See what is with it.\n")
    for name, content in files.items():
        message.add_attachment(content, "application", "octet-stream", filename=name.replace("_", "."))
    return bytes(message)


def with_attachment(content: bytes, name: str) -> bytes:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    writer.add_attachment(name, content)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def found(content: bytes, name: str = "x") -> list[ContainedFile]:
    return list(contained_files(format_of(PurePath(name), content), content, LIMIT))


def names(content: bytes, name: str = "x") -> list[tuple[str, str]]:
    return [(each.inside, each.format) for each in found(content, name)]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.zip", zipped),
        ("a.unknown", zipped),
        ("a.tar", tar),
        ("a.tgz", lambda files: tar(files, "w:gz")),
        ("a.tar.bz2", lambda files: tar(files, "w:bz2")),
        ("a.txz", lambda files: tar(files, "w:xz")),
    ],
)
def test_the_files_of_an_archive_are_documents_and_its_text_is_their_names(
    name: str, make: Callable[[Mapping[str, bytes]], bytes]
) -> None:
    content = make(FILES)
    assert names(content, name) == [
        ("minutes/march.md", "markdown"),
        ("notes.txt", "text"),
        ("wheel.png", "picture"),
    ]
    (listing,) = extract("archive", content).blocks
    assert listing.text == "minutes/march.md\nnotes.txt\nwheel.png"


@pytest.mark.parametrize("stored", ["notes.txt", ""])
def test_a_compressed_file_is_the_document_in_it(stored: str) -> None:
    target = io.BytesIO()
    with gzip.GzipFile(stored, "wb", fileobj=target) as file:
        file.write(b"Buy hazel rods.")
    assert names(target.getvalue(), "a.gz") == [(stored or "content", "text")]


def test_attachments_of_a_mail_are_documents() -> None:
    content = mail(lease_pdf=b"%PDF-1.4 x", notes_txt=b"hazel", wheel_png=b"\x89PNG")
    assert names(content) == [
        ("attachment lease.pdf", "pdf"),
        ("attachment notes.txt", "text"),
        ("attachment wheel.png", "picture"),
    ]


@pytest.mark.parametrize("is_typed", [True, False])
def test_a_file_on_a_page_of_a_pdf_is_a_document(is_typed: bool) -> None:
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(200, 200)
    stream = DecodedStreamObject()
    stream.set_data(b"hazel rods")
    if is_typed:
        stream[NameObject("/Type")] = NameObject("/EmbeddedFile")
    file = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Filespec"),
            NameObject("/F"): TextStringObject("notes.txt"),
            NameObject("/UF"): TextStringObject("notes.txt"),
            NameObject("/EF"): DictionaryObject({NameObject("/F"): writer._add_object(stream)}),
        }
    )
    pin = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/FileAttachment"),
            NameObject("/Rect"): RectangleObject((9, 9, 99, 30)),
            NameObject("/FS"): file,
        }
    )
    page[NameObject("/Annots")] = ArrayObject([writer._add_object(pin)])
    writer.add_attachment("whole.txt", b"of the whole")
    target = io.BytesIO()
    writer.write(target)
    assert [(each.inside, each.content) for each in found(target.getvalue(), "a.pdf")] == [
        ("attachment whole.txt", b"of the whole"),
        ("attachment notes.txt", b"hazel rods"),
    ]


@pytest.mark.parametrize("is_typed", [True, False])
@pytest.mark.parametrize("owner", ["document", "page", "picture"])
@pytest.mark.parametrize("is_direct", [True, False])
def test_a_file_that_belongs_to_anything_in_a_pdf_is_a_document_once(
    owner: str, is_direct: bool, is_typed: bool
) -> None:
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(200, 200)
    stream = DecodedStreamObject()
    stream.set_data(b"hazel rods")
    if is_typed:
        stream[NameObject("/Type")] = NameObject("/EmbeddedFile")
    file = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Filespec"),
            NameObject("/UF"): TextStringObject("data.csv"),
            NameObject("/AFRelationship"): NameObject("/Data"),
            NameObject("/EF"): DictionaryObject({NameObject("/F"): writer._add_object(stream)}),
        }
    )
    picture = DecodedStreamObject()
    writer._add_object(picture)
    of = {"document": writer._root_object, "page": page, "picture": picture}[owner]
    of[NameObject("/AF")] = ArrayObject([file if is_direct else writer._add_object(file)])
    writer.add_attachment("whole.txt", b"of the whole")
    target = io.BytesIO()
    writer.write(target)
    assert [(each.inside, each.content) for each in found(target.getvalue(), "a.pdf")] == [
        ("attachment whole.txt", b"of the whole"),
        ("attachment data.csv", b"hazel rods"),
    ]


def test_a_pdf_without_text_is_read_by_its_files() -> None:
    document = extract("pdf", with_attachment(b"hazel rods", "notes.txt"))
    assert [block.text for block in document.blocks] == ["Attachment: notes.txt"]


def test_a_mail_that_was_sent_as_a_file_is_a_document_with_its_own_attachments() -> None:
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "x@y.z", "Fwd"
    outer.set_content("See below.\n")
    outer.add_attachment(email.message_from_bytes(mail("Kiln", notes_txt=b"hazel"), policy=email.policy.default))
    assert names(bytes(outer)) == [
        ("attachment Kiln.eml", "mail"),
        ("attachment Kiln.eml, attachment notes.txt", "text"),
    ]


def test_attachments_in_a_mailbox_say_of_which_message() -> None:
    box = b"".join(
        b"From - Mon Mar 10 09:00:00 2025\n" + mail(notes_txt=f"hazel {n}".encode()) + b"\n" for n in range(2)
    )
    assert names(box) == [
        ("message 1, 2025-03-10, attachment notes.txt", "text"),
        ("message 2, 2025-03-10, attachment notes.txt", "text"),
    ]


def test_files_in_office_documents_and_pdfs_are_documents() -> None:
    sheet = ooxml("xl/workbook.xml", "spreadsheetml.sheet", {"xl/workbook.xml": "<workbook/>"})
    document = ooxml(
        "word/document.xml",
        "wordprocessingml.document",
        {
            "word/document.xml": "<document/>",
            "word/embeddings/Sheet1.xlsx": sheet,
            "word/embeddings/oleObject1.bin": b"\0",
        },
    )
    assert names(document) == [("embedded Sheet1.xlsx", "xlsx")]
    assert names(with_attachment(b"hazel", "notes.txt")) == [("attachment notes.txt", "text")]


def test_two_files_of_one_name_have_two_places() -> None:
    content = mail(a_zip=zipped({"x.txt": "one"}), b_zip=zipped({"x.txt": "two"}))
    twice = content.replace(b'filename="b.zip"', b'filename="a.zip"')
    assert [place for place, _ in names(twice)] == [
        "attachment a.zip",
        "attachment a.zip, x.txt",
        "attachment a (2).zip",
        "attachment a (2).zip, x.txt",
    ]


def test_leftovers_of_systems_in_archives_are_left_out() -> None:
    files = {"__MACOSX/._a.txt": "x", ".git/config": "x", "node_modules/a.js": "x", "~$a.docx": "x", "kept.txt": "x"}
    assert names(zipped(files)) == [("kept.txt", "text")]


def test_archives_in_archives_are_read_to_a_depth_and_what_lies_deeper_is_named() -> None:
    content = zipped({"last.txt": "deep"})
    for _ in range(7):
        content = zipped({"a.zip": content})
    *read, beyond = found(content)
    assert len(read) == contained.DEEPEST
    assert "one in the other" in beyond.reason
    assert beyond.inside == ", ".join(["a.zip"] * (contained.DEEPEST + 1))


def test_what_is_beyond_the_limits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contained, "MOST_FILES", 2)
    files = {f"{n}.txt": "x" for n in range(4)}
    assert [bool(each.reason) for each in found(zipped(files))] == [False, False, True]
    assert "no more than 2 files" in found(zipped(files))[-1].reason


def test_a_file_that_is_too_large_costs_itself_only() -> None:
    large = "x" * (LIMIT + 1)
    for content in (zipped({"large.txt": large, "b.txt": "x"}), tar({"large.txt": large.encode(), "b.txt": b"x"})):
        one, other = found(content)
        assert one.reason.startswith("1 MB, more than the limit")
        assert (other.inside, other.reason) == ("b.txt", "")


def test_a_compressed_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = found(gzip.compress(b"x" * 2 * LIMIT), "a.txt.gz")
    assert "unpacks to more" in one.reason
    monkeypatch.setattr(unpack, "_MOST_STREAMED", LIMIT)
    content = tar({f"{n}.txt": b"x" * LIMIT for n in range(3)}, "w:gz")
    assert "unpacks to more" in found(content)[-1].reason
    with pytest.raises(UnreadableFileError, match="unpacks to more"):
        extract("archive", content)


def test_a_locked_file_in_an_archive_says_so() -> None:
    content = bytearray(zipped({"a.txt": "secret"}, zipfile.ZIP_STORED))
    for at in (content.find(b"PK\3\4") + 6, content.find(b"PK\1\2") + 8):
        content[at] |= 1
    (one,) = found(bytes(content))
    assert one.reason == "password-protected file in an archive"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_what_stands_before_the_damage_in_an_archive_is_read(mode: str) -> None:
    content = tar({"first.txt": b"hazel rods", "second.txt": os.urandom(30_000), "third.txt": b"x"}, mode)
    document = extract("archive", content[: len(content) // 2])
    assert [block.text for block in document.blocks] == ["first.txt\nsecond.txt"]
    assert document.left_out == {"names of files behind damage in an archive": 1}
    first, *others = found(content[: len(content) // 2], "a.tar")
    assert (first.inside, first.content) == ("first.txt", b"hazel rods")
    assert all("damaged" in each.reason for each in others)


def test_what_is_written_about_an_archive_is_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as container:
        container.writestr("a.txt", "x")
        container.comment = "Papers of the mill, größer".encode()
    found = [(block.text, block.place) for block in extract("archive", target.getvalue()).blocks]
    assert found == [("Papers of the mill, größer", "comment"), ("a.txt", "")]


@pytest.mark.parametrize("cut", [60, 200, 0.5, 0.9])
@pytest.mark.parametrize("make", [zipped, tar, lambda files: tar(files, "w:gz")])
def test_a_damaged_archive_is_a_document_or_a_reason(make: Callable[[Mapping[str, bytes]], bytes], cut: float) -> None:
    content = make(FILES)
    content = content[: int(cut if cut > 1 else cut * len(content))]
    try:
        blocks = list(extract("archive", content).blocks)
    except UnreadableFileError as error:
        assert "damaged" in str(error)
    else:
        assert blocks
    assert all(each.inside for each in found(content, "a.zip"))


def test_a_name_that_leads_out_of_the_archive_leads_nowhere() -> None:
    assert names(zipped({"../../etc/passwd.txt": "x", "/abs.txt": "y", "C:\\a\\b.txt": "z"})) == [
        ("etc/passwd.txt", "text"),
        ("abs.txt", "text"),
        ("C:/a/b.txt", "text"),
    ]


def test_names_in_the_encoding_of_an_old_system_are_read() -> None:
    content = zipped({"caf#.txt": "x"}, zipfile.ZIP_STORED).replace(b"caf#.txt", "кафе".encode("cp866") + b".txt")
    ((name, _),) = names(content)
    assert name.endswith(".txt")


@pytest.mark.parametrize("name", ["META-INF/MANIFEST.MF", "x-1.dist-info/WHEEL", "AndroidManifest.xml"])
def test_archives_of_programs_are_no_documents(name: str) -> None:
    assert format_of(PurePath("a.unknown"), zipped({name: "x", "a.txt": "y"})) == ""


def packed(name: str, content: bytes) -> bytes:
    """A file as Windows packs it into an object."""
    path = name.encode("cp1252") + b"\0"
    body = (
        b"\2\0"
        + path
        + path
        + b"\0\0\3\0"
        + struct.pack("<I", len(path))
        + path
        + struct.pack("<I", len(content))
        + content
    )
    return compound_file({"\x01Ole10Native": struct.pack("<I", len(body)) + body})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (packed("C:\\lease\\notes.txt", b"hazel rods"), [("embedded notes.txt", "text")]),
        (compound_file({"CONTENTS": b"%PDF-1.4 x"}), [("embedded oleObject1", "pdf")]),
        (compound_file({"Other": b"x"}), []),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 cut", []),
    ],
    ids=["packed", "of a program", "other", "damaged"],
)
def test_files_packed_into_objects_are_documents(made: bytes, expected: list[tuple[str, str]]) -> None:
    pytest.importorskip("olefile")
    parts: dict[str, str | bytes] = {"word/document.xml": "<document/>", "word/embeddings/oleObject1.bin": made}
    assert names(ooxml("word/document.xml", "wordprocessingml.document", parts)) == expected


def test_the_files_of_a_7z_archive_are_documents(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr", reason="the extra [archives] is not installed")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as container:
        for name, content in FILES.items():
            container.writestr(content, name)
    content = (tmp_path / "a.7z").read_bytes()
    assert {"minutes/march.md", "notes.txt"} <= {name for name, _ in names(content, "a.unknown")}
    with py7zr.SevenZipFile(tmp_path / "locked.7z", "w", password="weir", header_encryption=True) as container:
        container.writestr(b"rods", "notes.txt")
    reasons = (
        ((tmp_path / "locked.7z").read_bytes(), "^password-protected archive$"),
        (content[: len(content) // 2], "damaged"),
    )
    for refused, reason in reasons:
        with pytest.raises(UnreadableFileError, match=reason):
            list(extract("archive", refused).blocks)


def test_what_outlook_has_packed_is_opened_where_it_is_attached() -> None:
    content = winmail(attribute(0x9003, properties({0x0037: "Weir", 0x1000: "The body."})), attached("b.md", b"# Oil"))
    assert names(mail(winmail_dat=content), "x.eml") == [
        ("attachment winmail.dat", "msg"),
        ("attachment winmail.dat, attachment b.md", "markdown"),
    ]


def rar(files: Mapping[str, bytes], method: int = 0) -> bytes:
    """An archive in version 5 of RAR, of files that are stored as they are; `method`: what it claims about them."""

    def number(value: int) -> bytes:
        return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + number(value >> 7)

    def block(*fields: int | bytes, data: bytes = b"") -> bytes:
        body = b"".join(each if isinstance(each, bytes) else number(each) for each in fields)
        head = number(len(body)) + body
        return struct.pack("<I", zlib.crc32(head)) + head + data

    content = b"Rar!\x1a\x07\x01\x00" + block(1, 0, 0)
    for name, data in files.items():
        size, crc, encoded = len(data), struct.pack("<I", zlib.crc32(data)), name.encode()
        content += block(2, 2, size, 4, size, 0o100644, crc, method << 7, 1, len(encoded), encoded, data=data)
    return content + block(5, 0, 0)


def test_the_files_of_a_rar_archive_are_documents() -> None:
    pytest.importorskip("rarfile", reason="the extra [archives] is not installed")
    assert names(rar(FILES), "a.unknown") == [
        ("minutes/march.md", "markdown"),
        ("notes.txt", "text"),
        ("wheel.png", "picture"),
    ]
    assert [block.text for block in extract("archive", rar(FILES)).blocks] == ["\n".join(FILES)]


def test_what_a_missing_program_would_unpack_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rarfile = pytest.importorskip("rarfile", reason="the extra [archives] is not installed")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(rarfile, "CURRENT_SETUP", None)
    (refused,) = found(rar({"notes.txt": FILES["notes.txt"]}, method=3))
    assert "unrar" in refused.remedy
    assert "RAR" in refused.reason


@pytest.mark.parametrize("content", [rar(FILES)[:60], b"Rar!\x1a\x07\x01\x00" + bytes(40)])
def test_damaged_rar_archives_are_refused_with_a_remedy(content: bytes) -> None:
    pytest.importorskip("rarfile", reason="the extra [archives] is not installed")
    with pytest.raises(UnreadableFileError) as refused:
        list(extract("archive", content).blocks)
    assert refused.value.advice


def test_without_its_package_rar_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "find_spec", lambda _: None)
    assert format_of(PurePath("unnamed"), rar(FILES)) == "archive"
    with pytest.raises(UnreadableFileError, match="RAR") as refused:
        list(extract("archive", rar(FILES)).blocks)
    assert refused.value.advice
