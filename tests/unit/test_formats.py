from pathlib import PurePath

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.formats import UNSUPPORTED, format_of
from searchkit.ingest.extract import readers
from searchkit.ingest.extract.readers import extract


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.MD", "markdown"),
        ("a.txt", "text"),
        ("a.csv", "table"),
        ("a.HTM", "html"),
        ("a.pdf", "pdf"),
        ("a.eml", "mail"),
        ("a.py", "python"),
        ("a.TSX", "tsx"),
        ("a.lua", "code"),
        ("Makefile", "code"),
        ("CMakeLists.txt", "code"),
        ("a.png", UNSUPPORTED),
        ("a.docx", "docx"),
        ("a.mobi", UNSUPPORTED),
    ],
)
def test_names_decide(name: str, expected: str) -> None:
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
