from pathlib import PurePath

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.formats import UNSUPPORTED
from searchkit.ingest.extract import readers
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.readers import extract
from tests.support.office_files import zipped


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.MD", "markdown"),
        ("a.txt", "text"),
        ("a.csv", "table"),
        ("a.HTM", "html"),
        ("a.eml", "mail"),
        ("a.py", "python"),
        ("a.TSX", "tsx"),
        ("a.lua", "code"),
        ("Makefile", "code"),
        ("CMakeLists.txt", "code"),
        ("a.ico", UNSUPPORTED),
        ("a.mobi", UNSUPPORTED),
        ("a.docx", "text"),
        ("a.pdf", "text"),
    ],
)
def test_names_decide_what_kind_of_text_a_text_is(name: str, expected: str) -> None:
    assert format_of(PurePath(name), b"any text") == expected


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"words", "text"),
        ("é".encode() * 10 + b"\xc3", "text"),  # a character cut in two where reading ended
        (b"#!/bin/sh\n", "code"),
        (b"", UNSUPPORTED),
        (b"\x7fELF\0", UNSUPPORTED),
        (b"\xff\xfe\xfd words", UNSUPPORTED),
    ],
)
def test_a_file_with_an_unknown_name_is_judged_by_its_beginning(beginning: bytes, expected: str) -> None:
    assert format_of(PurePath("NOTES"), beginning) == expected
    assert format_of(PurePath("a.unknown"), beginning) == expected


MAIL = "From: a@b.example\nSubject: Kiln\nDate: Mon, 10 Mar 2025 09:00:00 +0100\n\nIt needs a thermocouple.\n"
BOX = f"From - Mon Mar 10 09:00:00 2025\n{MAIL}"
PAGE = "From: <Saved by Blink>\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n"
EXPORTED = (
    "Date: x\nMessage-ID: <1>\nSubject: y\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n"
)
OPEN_DOCUMENT = "<?xml version='1.0'?>\n<!-- x --><office:document xmlns:office='urn:x'>"


@pytest.mark.parametrize("name", ["x", "a.unknown", "a.doc", "a.xls", "a.ppt", "a.txt", "a.pdf", "a.docx", "a.xml"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (MAIL.encode(), "mail"),
        (MAIL.replace("\n", "\r\n").encode(), "mail"),
        (MAIL.encode("utf-16"), "mail"),
        (MAIL.encode("utf-16-le"), "mail"),
        (MAIL.replace("Kiln", "Öfen").encode("latin-1"), "mail"),
        (f"{len(MAIL)}\n{MAIL}<plist></plist>".encode(), "mail"),
        (BOX.encode(), "mailbox"),
        (PAGE.encode(), "mhtml"),
        (EXPORTED.encode(), "mhtml"),
        (b"{\\rtf1\\ansi words}", "rtf"),
        (b"%PDF-1.7\n", "pdf"),
        (b"<!DOCTYPE html><html>", "html"),
        (b"<!-- saved -->\n<HTML lang=en>", "html"),
        (OPEN_DOCUMENT.encode(), "odf"),
        (b'// <!-- <mdb:mork:z v="1.4"/> -->\n<(a=c)>', UNSUPPORTED),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n", "subtitles"),
    ],
)
def test_content_decides_whatever_the_name_promises(name: str, content: bytes, expected: str) -> None:
    assert format_of(PurePath(name), content) == expected


@pytest.mark.parametrize("root", ["svg", "rss", "feed", "FictionBook", "kml", "opml", "gpx"])
def test_xml_is_known_by_its_root_under_any_name(root: str) -> None:
    assert format_of(PurePath("x"), f"<{root} xmlns='urn:x'>".encode()) == "data"
    assert format_of(PurePath("a.doc"), f"<?xml version='1.0'?>\n<{root}>".encode()) == "data"


@pytest.mark.parametrize("family", ["word", "ppt", "xl"])
@pytest.mark.parametrize("name", ["x", "a.doc", "a.zip2", "a.dotm", "a.pdf", "a.csv"])
def test_office_packages_are_known_by_their_parts(family: str, name: str) -> None:
    package = zipped({"[Content_Types].xml": "<Types/>", f"{family}/main.xml": "<x/>"})
    assert format_of(PurePath(name), package) == {"word": "docx", "ppt": "pptx", "xl": "xlsx"}[family]


@pytest.mark.parametrize(
    ("mimetype", "expected"),
    [("application/epub+zip", "epub"), ("application/vnd.oasis.opendocument.graphics", "odf")],
)
def test_containers_are_known_by_what_they_declare(mimetype: str, expected: str) -> None:
    assert format_of(PurePath("a.doc"), zipped({"mimetype": mimetype, "content.xml": "<x/>"})) == expected


@pytest.mark.parametrize("name", ["a.md", "a.rst", "a.org", "a.patch", "a.py"])
def test_a_text_about_mail_stays_what_its_name_says(name: str) -> None:
    assert format_of(PurePath(name), MAIL.encode()) not in ("mail", "mailbox")


@pytest.mark.parametrize(
    "text", ["Subject: the roof\n\nIt leaks.", "To do: x\nFrom: here\nto there", "key: value\nFrom: x\n\n"]
)
def test_a_note_with_a_colon_is_no_mail(text: str) -> None:
    assert format_of(PurePath("note.txt"), text.encode()) == "text"


@pytest.mark.parametrize("name", sorted(readers._READERS))
def test_every_reader_gives_a_document_or_a_reason(name: str) -> None:
    for content in (b"", b"\0\xff\xfe", b"Subject: x\n\nwords", b"%PDF-1.4 cut off"):
        try:
            document = extract(name, content)
        except UnreadableFileError as error:
            assert str(error)
        else:
            assert all(block.text.strip() for block in document.blocks)


def test_characters_that_cannot_be_stored_become_blanks() -> None:
    document = extract("mail", b"Subject: a\n\none\0two")
    assert list(document.blocks)[-1].text == "one two"


def test_a_reader_that_fails_costs_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers._READERS, "text", ("text", "no_such_function"))
    monkeypatch.setattr("searchkit.ingest.extract.text.no_such_function", _failing, raising=False)
    with pytest.raises(UnreadableFileError, match=r"its text reader failed \(KeyError: 'x'\)"):
        extract("text", b"a")


def _failing(content: bytes) -> None:
    raise KeyError("x")
