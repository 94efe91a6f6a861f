import struct
from collections.abc import Mapping
from email import message_from_bytes
from email.policy import default
from pathlib import PurePath

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.contained import contained_files
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.office import legacy, outlook
from searchkit.ingest.extract.readers import extract
from tests.support.compound_files import compound_file
from tests.support.office_files import zipped

pytest.importorskip("olefile")
pytest.importorskip("python_calamine")


def doc(*pieces: str | bytes, flags: int = 0x0200, version: int = 0xC1) -> bytes:
    """A Word document of pieces of text: str in UTF-16, bytes in Windows' own encoding."""
    head, positions, at = bytearray(0x600), [0], []
    for piece in pieces:
        at.append(len(head) if isinstance(piece, str) else 0x40000000 | 2 * len(head))
        head += piece.encode("utf-16-le") if isinstance(piece, str) else piece
        positions.append(positions[-1] + len(piece))
    table = struct.pack(f"<{len(positions)}I", *positions) + b"".join(struct.pack("<HIH", 0, start, 0) for start in at)
    clx = b"\1\3\0abc" + b"\2" + struct.pack("<I", len(table)) + table
    struct.pack_into("<HH", head, 0, 0xA5EC, version)
    struct.pack_into("<H", head, 0x0A, flags)
    struct.pack_into("<II", head, 0x18, 0x600, len(head))
    struct.pack_into("<II", head, 0x01A2, 7, len(clx))
    return compound_file({"WordDocument": bytes(head), "1Table" if flags & 0x0200 else "0Table": bytes(7) + clx})


def read(content: bytes, name: str = "x") -> list[tuple[str, str]]:
    """(text, place) of each block."""
    return [(block.text, block.place) for block in extract(format_of(PurePath(name), content), content).blocks]


@pytest.mark.parametrize("name", ["a.doc", "a", "a.docx", "a.txt"])
@pytest.mark.parametrize("flags", [0x0200, 0])
def test_pieces_of_a_word_document_are_read_in_order(name: str, flags: int) -> None:
    content = doc("Der Pachtvertrag ", b"der M\xfchle\rendet ", "im September – спасибо.\r", flags=flags)
    assert [text for text, _ in read(content, name)] == ["Der Pachtvertrag der Mühle", "endet im September – спасибо."]


def test_rows_of_a_table_keep_their_empty_cells_and_the_names_of_their_columns() -> None:
    rows = (("Item", "Mill", "Sum"), ("Oil", "", "7"), ("Rope", "", ""), ("Grain\r in sacks", "3", "9"))
    table = "".join("".join(f"{cell}\7" for cell in row) + "\7" for row in rows)
    content = doc(f"Costs\r{table}After.\r")
    blocks = list(extract("doc", content).blocks)
    assert [block.text for block in blocks][:3] == ["Costs", "Item | Mill | Sum", "Oil |  | 7"]
    assert "Rope |  | " in [block.text for block in blocks]
    assert blocks[2].columns == "Item | Mill | Sum"
    assert blocks[-1].text == "After."


def test_fields_show_their_result_and_links_their_address_too() -> None:
    content = doc('See \x13 HYPERLINK "https://x.example/mill" \x14the mill\x15, page \x13 PAGE \x147\x15.\r')
    assert [text for text, _ in read(content)] == ["See the mill (https://x.example/mill), page 7."]


def test_a_document_of_word_95_is_one_stretch_of_text() -> None:
    assert [text for text, _ in read(doc("The lease.\rIt ends.\r".encode("cp1252"), version=0x65))] == [
        "The lease.",
        "It ends.",
    ]


def test_a_document_with_a_password_says_so() -> None:
    with pytest.raises(UnreadableFileError, match="password-protected Word 97-2003 document"):
        extract("doc", doc("x", flags=0x0300))


def record(kind: int, content: bytes, *, container: bool = False, instance: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if container else 0), kind, len(content)) + content


def test_slides_are_read_with_their_numbers_then_notes_and_other_shapes() -> None:
    def text(words: str) -> bytes:
        return record(0x0FA0, words.encode("utf-16-le"))

    outline = b"".join(
        record(0x03F3, bytes(20)) + text(words) + record(0x0FA8, b"more") for words in ("Harvest", "Mühle")
    )
    masters = record(0x0FF0, record(0x03F3, bytes(20)) + text("Click to edit"), container=True, instance=1)
    shapes = record(0xF00C, text("Harvest") + text("In a box"), container=True)
    stream = record(0x03E8, record(0x0FF0, outline, container=True) + masters, container=True)
    stream += record(0x03EE, shapes, container=True) + record(0x03F0, text("Say hello"), container=True)
    stream += record(0x03F8, text("Title style"), container=True)
    content = compound_file({"PowerPoint Document": stream, "Current User": b"x"})
    assert read(content, "a.ppt") == [
        ("Harvest", "slide 1"),
        ("more", "slide 1"),
        ("Mühle", "slide 2"),
        ("more", "slide 2"),
        ("In a box", ""),
        ("Say hello", "notes"),
    ]


def biff(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def xls(cells: Mapping[tuple[int, int], str | float], *around: bytes) -> bytes:
    """A workbook of one sheet, Kosten; `around`: records behind its cells."""

    def begin(kind: int) -> bytes:
        return biff(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 0, 0, 0))

    rows = b""
    for (row, column), value in cells.items():
        at = struct.pack("<HHH", row, column, 0)
        if isinstance(value, str):
            rows += biff(0x0204, at + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
        else:
            rows += biff(0x0203, at + struct.pack("<d", value))
    name = "Kosten".encode("latin-1")
    start = len(begin(5)) + 4 + 8 + len(name) + 4
    head = begin(5) + biff(0x0085, struct.pack("<IHBB", start, 0, len(name), 0) + name) + biff(0x000A, b"")
    return compound_file(
        {"Workbook": (head + begin(0x10) + rows + b"".join(around) + biff(0x000A, b"")).ljust(5000, b"\0")}
    )


def test_an_old_workbook_is_read_like_a_new_one() -> None:
    content = xls({(0, 0): "Item", (0, 1): "Sum", (1, 0): "Öl", (1, 1): 7.0, (2, 0): "Rope", (2, 1): 2.5})
    blocks = list(extract(format_of(PurePath("a.xls"), content), content).blocks)
    assert "Öl | 7" in blocks[-1].text
    assert "Rope | 2.5" in blocks[-1].text
    assert blocks[-1].headings[0] == "Kosten"


def _long(text: str) -> bytes:
    return struct.pack("<HB", len(text), 1) + text.encode("utf-16-le")


def _object(number: int, text: str) -> bytes:
    about = struct.pack("<HHHH", 0x15, 0x12, 0x19, number) + bytes(18)
    head = bytes(10) + struct.pack("<H", len(text)) + bytes(6)
    return (
        biff(0x005D, about)
        + biff(0x01B6, head)
        + biff(0x003C, b"\1" + text.encode("utf-16-le"))
        + biff(0x003C, bytes(16))
    )


def test_what_is_around_the_cells_of_an_old_workbook_is_read() -> None:
    address = "https://rope.example/k".encode("utf-16-le") + bytes(2)
    moniker = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b") + struct.pack("<I", len(address)) + address
    content = xls(
        {(0, 0): "Item"},
        biff(0x0014, _long('&L&"Arial,Bold"Mühle&RPage &P')),
        biff(0x0015, b""),
        _object(1, "Ask Lorne\rtomorrow"),
        _object(2, "Drawn box"),
        biff(0x001C, struct.pack("<HHHH", 1, 2, 0, 1) + _long("Rhona")),
        biff(0x01B8, struct.pack("<HHHH", 0, 0, 0, 0) + bytes(24) + moniker),
        biff(0x001C, b"\1"),
    )
    found = [(block.text, block.place, block.headings) for block in extract("xls", content).blocks][1:]
    assert found == [
        ("Mühle", "header", ("Kosten",)),
        ("https://rope.example/k", "Kosten!A1, link", ("Kosten",)),
        ("Rhona: Ask Lorne\ntomorrow", "Kosten!C2, comment", ("Kosten",)),
        ("Drawn box", "Kosten, drawing", ("Kosten",)),
    ]


def msg(prefix: str = "", **streams: bytes) -> dict[str, bytes]:
    fixed = bytes(24 if prefix else 32) + struct.pack("<IIQ", 0x00390040, 6, 133860420000000000)
    named = {f"{prefix}__substg1.0_{name}": content for name, content in streams.items()}
    return {f"{prefix}__properties_version1.0": fixed, **named}


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def test_a_message_of_outlook_is_a_mail_with_its_attachments() -> None:
    attached, mailed = "__attach_version1.0_#00000000/", "__attach_version1.0_#00000001/"
    inner = f"{mailed}__substg1.0_3701000D/"
    content = compound_file(
        {
            **msg("", **{"0037001F": wide("Mühle"), "1000001F": wide("The lease.\r\n")}),
            **msg("", **{"0C1A001F": wide("Ada"), "5D01001F": wide("a@b.c")}),
            f"{attached}__substg1.0_3707001F": wide("notes.txt"),
            f"{attached}__substg1.0_37010102": b"hazel rods",
            f"{mailed}__substg1.0_3001001F": wide("Kiln"),
            **msg(inner, **{"0037001E": b"Kiln", "1000001E": b"Type K.", "0C1A001E": b"Lorne"}),
        }
    )
    document = extract(format_of(PurePath("a.msg"), content), content)
    assert [block.text for block in document.blocks][-1] == "The lease."
    assert document.metadata == {"author": "Ada <a@b.c>", "date": "2025-03-10T01:00:00+00:00", "subject": "Mühle"}
    assert [(each.inside, each.format) for each in contained_files("msg", content, 1000)] == [
        ("attachment notes.txt", "text"),
        ("attachment Kiln.eml", "mail"),
    ]


def recipient(number: int, kind: int, name: str, address: str) -> dict[str, bytes]:
    storage = f"__recip_version1.0_#{number:08X}/"
    return {
        f"{storage}__properties_version1.0": bytes(8) + struct.pack("<IIQ", 0x0C150003, 6, kind),
        f"{storage}__substg1.0_3001001F": wide(name),
        f"{storage}__substg1.0_39FE001F": wide(address),
    }


def test_a_message_of_outlook_names_whom_it_is_to_with_their_addresses() -> None:
    content = compound_file(
        {
            **msg("", **{"0037001F": wide("Kiln"), "1000001F": wide("Fire it."), "0E04001F": wide("Ada; Bly, Bo")}),
            **recipient(0, 1, "Ada", "ada@kiln.example"),
            **recipient(1, 1, "Bly, Bo", "bo@kiln.example"),
            **recipient(2, 2, "'cy@kiln.example'", "cy@kiln.example"),
            **recipient(3, 3, "Dee", "/o=Kiln/cn=dee"),
        }
    )
    mail = message_from_bytes(outlook.as_mail(content), policy=default)
    assert [str(each) for each in mail["To"].addresses] == ["Ada <ada@kiln.example>", '"Bly, Bo" <bo@kiln.example>']
    assert (mail["Cc"], mail["Bcc"]) == ("cy@kiln.example", "Dee")
    text = "\n".join(block.text for block in extract(format_of(PurePath("a.msg"), content), content).blocks)
    assert "ada@kiln.example" in text and "bo@kiln.example" in text and "cy@kiln.example" in text


@pytest.mark.parametrize("part", ["xl/workbook.bin", "xl/workbook.xml"])
def test_binary_workbooks_are_told_from_others(part: str) -> None:
    content = zipped({"[Content_Types].xml": "<Types/>", part: "x"})
    assert format_of(PurePath("a.xlsb"), content) == ("xls" if part.endswith("bin") else "xlsx")


@pytest.mark.parametrize("name", ["doc", "ppt", "xls", "msg"])
def test_without_the_extra_the_reason_names_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "reads_old_office", lambda: False)
    with pytest.raises(UnreadableFileError) as refused:
        list(extract(name, doc("x")).blocks)
    assert "not installed" in str(refused.value)
    assert "office-legacy" in refused.value.advice


@pytest.mark.parametrize("name", ["doc", "ppt", "xls", "msg"])
@pytest.mark.parametrize("cut", [0, 100, 600, 2000, 4000])
def test_damaged_files_give_a_document_or_a_reason(name: str, cut: int) -> None:
    whole = {
        "doc": doc("x" * 3000),
        "ppt": compound_file({"PowerPoint Document": bytes(5000)}),
        "xls": xls({(0, 0): "x"}),
    }
    content = whole.get(name, compound_file(msg("", **{"0037001F": wide("x" * 4000)})))[:cut]
    try:
        assert list(extract(name, content).blocks) is not None
    except UnreadableFileError as error:
        assert str(error)
