"""What Outlook and Exchange pack mail into (winmail.dat) is read as the mail that it is."""

import struct
from collections.abc import Mapping
from pathlib import PurePath

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.contained import contained_files
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.office.outlook import TNEF, decompressed
from searchkit.ingest.extract.readers import extract

RTF = rb"{\rtf1\ansi The miller\par keeps the weir.\par}"


def attribute(kind: int, value: bytes, level: int = 1) -> bytes:
    return struct.pack("<BHHI", level, kind, 2, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def properties(values: Mapping[int, str | bytes | int]) -> bytes:
    """Properties by number: text in UTF-16, bytes, or a moment; one that has a name of its own, and several values, before them."""
    table = (
        struct.pack("<HH", 0x001F, 0x8001)
        + bytes(16)
        + struct.pack("<II", 1, 6)
        + "ab\0".encode("utf-16-le")
        + bytes(2)
    )
    table += struct.pack("<II", 1, 3) + b"own" + bytes(1) + struct.pack("<HHII", 0x1003, 0x3FFA, 2, 1) + bytes(4)
    for number, value in values.items():
        if isinstance(value, int):
            table += struct.pack("<HHQ", 0x40, number, value)
            continue
        kind = 0x1F if isinstance(value, str) else 0x0D if value.startswith(bytes(16)) else 0x102
        data = f"{value}\0".encode("utf-16-le") if isinstance(value, str) else value
        table += struct.pack("<HHII", kind, number, 1, len(data)) + data + bytes(-len(data) % 4)
    return struct.pack("<I", len(values) + 2) + table


def winmail(*attributes: bytes) -> bytes:
    return TNEF + b"\1\0" + b"".join(attributes)


def attached(name: str, content: bytes) -> bytes:
    long_name = attribute(0x9005, properties({0x3707: name}), 2)
    return (
        attribute(0x9002, bytes(14), 2)
        + attribute(0x8010, b"SHORT~1.TXT\0", 2)
        + attribute(0x800F, content, 2)
        + long_name
    )


def compressed(rtf: bytes) -> bytes:
    """Compressed RTF that copies its first eleven bytes from where every body begins, and ends with a reference to itself."""
    literal, body = rtf[11:], b"\1" + bytes([0, 9])
    body = bytes([1]) + struct.pack(">H", 0 << 4 | 9) + literal[:7]
    for at in range(7, len(literal), 8):
        body += bytes([0]) + literal[at : at + 8]
    return struct.pack("<II4sI", len(body) + 12, len(rtf), b"LZFu", 0) + body


MESSAGE = properties(
    {0x0037: "The weir", 0x0C1A: "Rhona", 0x0C1F: "rhona@meadow.example", 0x0E04: "Ada", 0x0039: 133856568000000000}
)


@pytest.mark.parametrize("name", ["winmail.dat", "a.tnef", "unnamed", "a.txt"])
def test_a_packed_mail_is_read_with_its_headers_and_files(name: str) -> None:
    body = attribute(0x800C, b"See what is with it.\0")
    content = winmail(
        attribute(0x9003, MESSAGE), body, attached("lease of the mill.txt", b"hazel rods"), attached("b.md", b"# Oil")
    )
    assert format_of(PurePath(name), content) == "msg"
    document = extract("msg", content)
    text = "\n".join(block.text for block in document.blocks)
    assert document.title == "The weir"
    assert document.metadata["date"].startswith("2025-03-05")
    assert all(words in text for words in ("Rhona <rhona@meadow.example>", "To: Ada", "See what is with it."))
    found = [(each.inside, each.content) for each in contained_files("msg", content, 1_000_000)]
    assert found == [("attachment lease of the mill.txt", b"hazel rods"), ("attachment b.md", b"# Oil")]


def test_a_body_that_is_compressed_rtf_alone_is_read() -> None:
    assert decompressed(compressed(RTF)) == RTF
    content = winmail(attribute(0x9003, properties({0x0037: "Mill", 0x1009: compressed(RTF)})))
    text = "\n".join(block.text for block in extract("msg", content).blocks)
    assert "The miller" in text
    assert "keeps the weir." in text


def test_copies_in_compressed_rtf_may_overlap_what_they_write() -> None:
    stored = struct.pack("<II4sI", 0, 5, b"MELA", 0) + b"plain rest"
    assert decompressed(stored) == b"plain"
    repeated = struct.pack("<II4sI", 0, 6, b"LZFu", 0) + bytes([2]) + b"a" + struct.pack(">H", 207 << 4 | 3)
    assert decompressed(repeated) == b"aaaaaa"


def test_a_mail_attached_to_a_packed_mail_is_a_document() -> None:
    inner = winmail(attribute(0x9003, properties({0x0037: "Inner", 0x1000: "Deeper still."})))
    outer = winmail(
        attribute(0x9003, MESSAGE),
        attribute(0x9002, bytes(14), 2),
        attribute(0x9005, properties({0x3701: bytes(16) + inner}), 2),
    )
    found = list(contained_files("msg", outer, 1_000_000))
    assert [(each.inside, each.format) for each in found] == [("attachment Inner.eml", "mail")]
    assert b"Deeper still." in found[0].content


def test_the_older_attributes_count_where_the_newer_are_missing() -> None:
    content = winmail(attribute(0x8004, b"Old subject\0"), attribute(0x800C, b"Old body.\0"))
    assert extract("msg", content).title == "Old subject"


@pytest.mark.parametrize("length", [8, 30, 80, 200])
def test_what_is_cut_off_is_damaged(length: int) -> None:
    content = winmail(attribute(0x9003, MESSAGE), attribute(0x800C, bytes(40)))[:length]
    if length == 8:
        assert not extract("msg", content).title
        return
    with pytest.raises(UnreadableFileError, match="damaged"):
        extract("msg", content)
