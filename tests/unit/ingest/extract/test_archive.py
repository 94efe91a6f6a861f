import io
import struct
import zipfile

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import archive
from searchkit.ingest.extract.archive import Archive
from searchkit.ingest.extract.readers import extract
from tests.support.office_files import ooxml, zipped

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
_ZIPPED_FORMATS = ("docx", "pptx", "xlsx", "odf", "epub")


def refusal(content: bytes, format_name: str = "docx") -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        list(extract(format_name, content).blocks)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("format_name", _ZIPPED_FORMATS)
def test_what_is_no_container_is_refused_with_a_reason_and_a_remedy(format_name: str) -> None:
    assert "an empty file" in str(refusal(b"", format_name))
    assert "rich text" in str(refusal(b"{\\rtf1 words}", format_name))
    assert "web page" in str(refusal(b"<!DOCTYPE html><p>words", format_name))
    assert "not a" in str(refusal(b"some words", format_name))


@pytest.mark.parametrize("format_name", _ZIPPED_FORMATS)
def test_a_container_of_something_else_is_refused(format_name: str) -> None:
    assert "missing" in str(refusal(zipped({"a.txt": "words"}), format_name))


def test_a_document_cut_off_is_damaged() -> None:
    whole = ooxml("word/document.xml", "wordprocessingml.document", {"word/document.xml": "<document/>"})
    for size in (4, 30, len(whole) // 2, len(whole) - 5):
        assert str(refusal(whole[:size])).startswith("damaged or incomplete Word document")


def test_a_part_with_other_bytes_than_were_packed_is_damaged() -> None:
    body = "<document><body><p><r><t>words</t></r></p></body></document>"
    parts = {"word/document.xml": body, "_rels/.rels": "", "x": ""}
    stored = zipped(parts, zipfile.ZIP_STORED).replace(b"<t>words", b"<t>swords"[:8])
    container = Archive(stored, "Word document")
    with pytest.raises(UnreadableFileError, match="damaged"):
        container.read("word/document.xml")


def test_xml_that_breaks_off_is_damaged() -> None:
    broken = {"word/document.xml": "<document><body><p><r><t>words"}
    assert "not well-formed" in str(refusal(ooxml("word/document.xml", "wordprocessingml.document", broken)))


@pytest.mark.parametrize("stream", ["EncryptedPackage", "EncryptionInfo EncryptedPackage"])
def test_an_office_document_with_a_password_is_called_so(stream: str) -> None:
    error = refusal(_OLE + stream.encode("utf-16-le"), "xlsx")
    assert str(error) == "password-protected workbook"
    assert "save a copy without" in error.advice


def test_a_document_that_no_password_opens_is_not_called_so() -> None:
    error = refusal(_OLE + "DRMEncryptedTransform EncryptedPackage".encode("utf-16-le"), "xlsx")
    assert "password" not in str(error).replace("without a password", "")
    assert "without protection" in error.advice


def test_a_document_of_an_old_format_under_a_new_name_is_called_so() -> None:
    assert "Word 97-2003" in str(refusal(_OLE + "WordDocument".encode("utf-16-le")))
    assert "old format" in str(refusal(_OLE))


def test_an_encrypted_member_wants_a_password() -> None:
    packed = bytearray(zipped({"a.xml": "<a/>"}))
    with zipfile.ZipFile(io.BytesIO(bytes(packed))) as plain:
        start = plain.start_dir
    flags = struct.unpack_from("<H", packed, start + 8)[0]
    struct.pack_into("<H", packed, start + 8, flags | 1)
    with pytest.raises(UnreadableFileError, match="password-protected e-book"):
        Archive(bytes(packed), "e-book").read("a.xml")


@pytest.mark.parametrize("name", ["../evil.xml", "word/../../evil.xml", "a\\..\\..\\evil.xml"])
def test_names_that_climb_out_are_refused(name: str) -> None:
    with pytest.raises(UnreadableFileError, match="leads out of it"):
        Archive(zipped({name: "x"}), "Word document")


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(UnreadableFileError, match="a container of 4 parts"):
        Archive(zipped({str(i): "" for i in range(4)}), "workbook")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "BOMB_BYTES", 1 << 20)
    monkeypatch.setattr(archive, "STREAMED_BOMB_BYTES", 1 << 20)
    bomb = Archive(zipped({"a.xml": b" " * (4 << 20), "b.xml": "<b/>"}), "workbook")
    with pytest.raises(UnreadableFileError, match="times its size"):
        bomb.read("a.xml")
    with pytest.raises(UnreadableFileError, match="times its size"):
        list(bomb.each("a.xml", "row"))
    assert bomb.read("b.xml") == b"<b/>"  # what is not read does no harm


def test_a_repetitive_sheet_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "BOMB_BYTES", 1 << 20)
    monkeypatch.setattr(archive, "STREAMED_BOMB_BYTES", 1 << 20)
    rows = "".join(f'<row r="{i}"><c r="A{i}"><v>1</v></c></row>' for i in range(1, 40_000))
    container = Archive(zipped({"sheet.xml": f"<sheetData>{rows}</sheetData>"}), "workbook")
    assert sum(1 for _ in container.each("sheet.xml", "row")) == 39_999


def test_parts_together_have_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_READ_BYTES", 100)
    container = Archive(zipped({"a": b"a" * 60, "b": b"b" * 60}), "workbook")
    assert len(container.read("a")) == 60
    with pytest.raises(UnreadableFileError, match="unpacks to more") as caught:
        container.read("b")
    assert caught.value.advice == "split it into smaller ones"


def test_reading_a_part_again_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_STREAMED_BYTES", 20)
    container = Archive(zipped({"a": b"<a><row/></a>"}), "workbook")
    assert [sum(1 for _ in container.each("a", "row")) for _ in range(3)] == [1, 1, 1]


def test_what_is_nested_too_deeply_is_called_so() -> None:
    deep = "<w>" * 5000 + "</w>" * 5000
    with pytest.raises(UnreadableFileError, match=r"^an e-book nested too deeply to be read$"):
        Archive(zipped({"a.xml": deep}), "e-book").xml("a.xml")


def test_entities_are_neither_expanded_nor_fetched() -> None:
    bomb = (
        '<!DOCTYPE a [<!ENTITY a "words"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]><a>x&b;&c;y</a>'
    )
    root = Archive(zipped({"a.xml": bomb}), "workbook").xml("a.xml")
    assert root is not None
    assert "words" not in "".join(str(text) for text in root.itertext("a"))
    streamed = list(Archive(zipped({"a.xml": bomb}), "workbook").each("a.xml", "a"))
    assert len(streamed) == 1


def test_part_names_do_not_tell_upper_from_lower_case() -> None:
    container = Archive(zipped({"Word\\Document.xml": "<a/>"}), "Word document")
    assert container.read("word/document.XML") == b"<a/>"
