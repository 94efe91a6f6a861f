"""The text of documents of Pages, Numbers and Keynote, in files made here by the rules that are known of them."""

from pathlib import PurePath

import pytest

from searchkit.ingest.extract.contained import contained_files
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.office.iwork import text_blocks
from searchkit.ingest.extract.readers import extract
from tests.support.office_files import zipped


def varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def thing(kind: int, *fields: bytes) -> bytes:
    """An object with its head."""
    content = b"".join(fields)
    head = field(1, 7) + field(2, field(1, kind) + field(2, b"\1\0\5") + field(3, len(content)))
    return varint(len(head)) + head + content


def packed(stream: bytes) -> bytes:
    """Pieces in which bytes stand as they are."""
    pieces = b""
    for at in range(0, len(stream), 1000):
        part = stream[at : at + 1000]
        snappy = varint(len(part)) + bytes([61 << 2]) + (len(part) - 1).to_bytes(2, "little") + part
        pieces += b"\0" + len(snappy).to_bytes(3, "little") + snappy
    return pieces


def storage(*texts: str) -> bytes:
    return thing(2001, field(1, 0), b"\x15abcd", b"\x19abcdefgh", *(field(3, text) for text in texts))


BODY = packed(
    storage("The lease of the mill\nends in Sep", "tember.\u2028It is renewed.\ufffc") + thing(5, field(3, "zstyle"))
)
FILES: dict[str, str | bytes] = {
    "Index/Document.iwa": BODY,
    "Index/Slide-1.iwa": packed(storage("Weirs " * 400)),
    "Index/TemplateSlide-2.iwa": packed(storage("Tap to edit")),
    "Data/notes.txt": "hazel rods",
    "preview.jpg": b"\xff\xd8\xff" + bytes(900),
}


@pytest.mark.parametrize("name", ["lease.pages", "talk.key", "unnamed"])
def test_text_is_read_with_the_archive_and_other_members_are_documents(name: str) -> None:
    content = zipped(FILES)
    assert format_of(PurePath(name), content) == "archive"
    document = extract("archive", content)
    texts = [block.text for block in document.blocks]
    assert texts[:3] == ["The lease of the mill", "ends in September.", "It is renewed."]
    assert texts[3].count("Weirs") == 400
    assert "Tap to edit" not in " ".join(texts)
    assert set(document.left_out) == {"prompts of placeholders"}
    assert [each.inside for each in contained_files("archive", content, 10**6)] == ["Data/notes.txt", "preview.jpg"]


def test_texts_of_cells_and_comments_are_read_and_other_cells_named() -> None:
    strings = (
        field(3, field(1, key) + field(2, 1) + field(3, text)) for key, text in enumerate(("Nozzle", "Quill"), 1)
    )
    stream = thing(6005, field(1, 1), *strings) + thing(6005, field(1, 4), field(3, field(3, "zformat")))
    stream += thing(3056, field(1, "Which one?")) + thing(6002, field(1, 3))
    document = extract("archive", zipped({"Index/Tables/DataList.iwa": packed(stream), "a.txt": "x"}))
    found = [(block.text, block.place) for block in document.blocks][:-1]
    assert found == [("Nozzle\nQuill", "cells"), ("Which one?", "comment")]
    assert set(document.left_out) == {"numbers, dates and places of cells of Numbers"}


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        (bytes([1 | 0 << 2, 2]), "abababababab"[:6]),  # four bytes from two back
        (bytes([2 | 5 << 2, 2, 0]), "abababab"),
        (bytes([3 | 5 << 2, 2, 0, 0, 0]), "abababab"),
    ],
)
def test_copies_in_pieces_may_reach_into_what_they_write(copy: bytes, expected: str) -> None:
    text = expected.encode()
    start = storage(expected)[: -len(text)]
    snappy = varint(len(start) + len(text)) + bytes([len(start) + 1 << 2]) + start + b"ab" + copy
    content = b"\0" + len(snappy).to_bytes(3, "little") + snappy
    assert [block.text for block in text_blocks("Index/Document.iwa", content)] == [expected]


@pytest.mark.parametrize("content", [BODY[: len(BODY) // 2], b"x" + BODY, b"\0\3\0\0\5\1\7", BODY + b"\0"])
def test_what_is_not_known_is_named_and_the_rest_is_read(content: bytes) -> None:
    document = extract("archive", zipped({"Index/Document.iwa": content, "Index/Slide.iwa": packed(storage("Whole."))}))
    assert "Whole." in [block.text for block in document.blocks]
    assert set(document.left_out) == {"text of Pages, Numbers or Keynote in a form that is not known"}
