import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import text as text_module
from searchkit.ingest.extract.text import decode_text, extract_text


def places(content: bytes) -> list[tuple[str, int | None, int | None]]:
    return [(block.text, block.line, block.line_end) for block in extract_text(content).blocks]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_with_a_mark_is_read(encoding: str) -> None:
    assert decode_text("Grüße\n\n第二段".encode(encoding)) == "Grüße\n\n第二段"


def test_line_ends_of_all_systems_count_as_one_line() -> None:
    assert places(b"one\r\ntwo\r\n\r\nthree\rfour\n") == [("one\ntwo", 1, 2), ("three\nfour", 4, 5)]


def test_lines_of_white_space_part_paragraphs_and_count() -> None:
    assert places(b"a\n  \t \nb\n\n\n   c  \n") == [("a", 1, 1), ("b", 3, 3), ("c", 6, 6)]


def test_a_line_with_a_form_feed_parts_paragraphs() -> None:
    assert places(b"end of page\n\x0c\nnext page\n") == [("end of page", 1, 1), ("next page", 3, 3)]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_binary_content_is_refused(mark: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="binary content in a text file"):
        extract_text(mark + b"abc\0def")


@pytest.mark.parametrize(
    "content", [b"\0" * 100, b"\x7fELF\x02\x01\0\0" * 20, b"ab\0\1\2\3" * 50, b"# H\0", bytes(range(256)) * 8]
)
def test_zero_bytes_that_are_no_encoding_are_binary(content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="binary content"):
        decode_text(content)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["Plain words.", "Grüße, ein Test 😀\n", "第一 段\n第二段"])
def test_unicode_without_a_mark_is_read(encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding)) == text


RUSSIAN = "Крыша нашего дома снова течёт, поэтому мы пишем это письмо соседям и просим их о помощи. "
CZECH = "Příliš žluťoučký kůň pěl ďábelské ódy, zatímco děti včera večer šly domů přes řeku. "
JAPANESE = "この図書館は二十年前に建てられました。毎週日曜日には、子どもたちが本を読みに来ます。"
KOREAN = "이 도서관은 이십 년 전에 지어졌습니다. 매주 일요일에는 아이들이 책을 읽으러 옵니다."
GERMAN = "Die Häuser der Straße müssen größer werden, sagte Jürgen über das Gebäude am Fluß. Schön wäre es gewesen. "


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "cp866"),
        (CZECH, "cp1250"),
        (CZECH, "iso8859-2"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc-jp"),
        (JAPANESE, "iso-2022-jp"),
        (KOREAN, "cp949"),
        (GERMAN, "cp1252"),
        (GERMAN, "cp850"),
    ],
)
def test_old_encodings_are_told_by_their_text(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("abc é def", "cp1252"),
        ("Grüße", "cp1252"),
        ("“quoted” it’s", "cp1252"),
        ("10 €", "cp1252"),
        ("5 µm", "cp1252"),
        ("Daniel’s desk", "mac_roman"),
        ("ein hübscher Garten", "cp850"),
    ],
)
def test_a_few_letters_beyond_ascii_are_western(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "declaration",
    ['<?xml version="1.0" encoding="iso-8859-5"?>', "<html><meta charset=iso-8859-5>", "# -*- coding: iso-8859-5 -*-"],
)
def test_what_a_file_says_of_its_encoding_is_believed(declaration: str) -> None:
    text = declaration + "\nТечёт"
    assert decode_text(text.encode("iso-8859-5")) == text


def test_what_a_file_says_is_not_believed_where_it_does_not_fit() -> None:
    text = "# coding: klingon\n" + RUSSIAN
    assert decode_text(text.encode("cp1251")) == text
    assert decode_text(b"# coding: latin-1\n" + "Grüße".encode()).endswith("Grüße")


def test_a_stray_byte_in_utf8_is_replaced() -> None:
    assert decode_text("Grüße und ".encode() + b"\xff" + " Küsse".encode()) == "Grüße und \ufffd Küsse"
    assert decode_text(b"\xef\xbb\xbfabc \xe9 def") == "abc \ufffd def"


def test_a_long_text_is_told_by_samples_and_read_whole() -> None:
    text = "plain line\n" * 200_000 + RUSSIAN * 2000 + "end\n" * 1000
    assert decode_text(text.encode("koi8-r")) == text


def test_detection_is_not_run_for_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchkit.ingest.extract.charset._detected", None)
    assert decode_text(f"\x1b[31m{GERMAN}".encode()) == f"\x1b[31m{GERMAN}"


def test_a_utf16_text_cut_in_a_character_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match=r"damaged UTF-16 text \(byte 0x62 at offset 4\)"):
        extract_text(b"\xff\xfea\0b")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\t\n", b"\n" * 1000])
def test_nothing_gives_no_blocks(content: bytes) -> None:
    assert list(extract_text(content).blocks) == []


class CountingText(str):
    """Notes how many characters `count` had to look at."""

    looked_at = 0

    def count(self, *arguments: object) -> int:
        _, start, end = arguments
        assert isinstance(start, int)
        assert isinstance(end, int)
        self.looked_at += end - start
        return super().count("\n", start, end)


def test_line_numbers_of_many_paragraphs_are_counted_in_one_pass() -> None:
    text = CountingText("x\n\n" * 200_000)
    blocks = text_module.paragraphs(text)
    assert [blocks[i].line for i in (0, 1, -1)] == [1, 3, 399_999]
    assert text.looked_at <= len(text)


def test_a_log_without_blank_lines_is_cut_at_lines() -> None:
    source = "".join(f"line {i} of the log\n" for i in range(1000))
    found = places(source.encode())
    assert "\n".join(text for text, _, _ in found) == source.strip()
    assert all(source.split("\n")[(line or 0) - 1] == text.split("\n")[0] for text, line, _ in found)
    assert len(found) == 5


def test_a_line_of_megabytes_is_cut_at_words() -> None:
    found = places(b"word " * 1_000_000)
    assert max(len(text) for text, _, _ in found) <= 20_000
    assert sum(text.count("word") for text, _, _ in found) == 1_000_000
    assert {line for _, line, _ in found} == {1}


def test_paragraphs_are_made_as_they_are_asked_for() -> None:
    blocks = iter(extract_text(b"a\n\nb").blocks)
    assert next(blocks).text == "a"


def test_files_in_base64_are_left_out_of_a_text() -> None:
    import base64
    import random

    data = base64.b64encode(random.Random(1).randbytes(900)).decode()
    lines = "\n".join(data[i : i + 76] for i in range(0, len(data), 76))
    found = list(extract_text(f"before ![x](data:image/png;base64,{data})\n\n{lines}\n\nafter".encode()).blocks)
    assert [(block.text, block.line) for block in found] == [
        ("before ![x](data:image/png;base64,)", 1),
        ("after", 5 + lines.count("\n")),
    ]


@pytest.mark.parametrize(
    "run", ["H" * 400, "acgt" * 100, "0123456789abcdef" * 20, "/usr/share/lib" * 30, "ab12\n" * 99]
)
def test_long_words_paths_and_numbers_are_text(run: str) -> None:
    assert "".join(block.text for block in extract_text(run.encode()).blocks).startswith(run.strip()[:300])
