import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract import text as text_module
from searchkit.ingest.extract.text import decode_text, extract_rows, extract_text
from searchkit.types import BlockKind


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


@pytest.mark.parametrize(("content", "offset"), [(b"abc \xe9 def", 4), (b"\xef\xbb\xbfabc \xe9 def", 7)])
def test_bytes_that_are_not_utf8_are_refused_with_their_place(content: bytes, offset: int) -> None:
    with pytest.raises(UnreadableFileError) as raised:
        extract_text(content)
    assert str(raised.value) == f"not valid UTF-8 text (byte 0xe9 at offset {offset})"


def test_a_utf16_text_cut_in_a_character_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match=r"not valid UTF-16 text \(byte 0x62 at offset 4\)"):
        extract_text(b"\xff\xfea\0b")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\t\n", b"\n" * 1000])
def test_nothing_gives_no_blocks(content: bytes) -> None:
    assert extract_text(content).blocks == ()


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


def test_rows_of_data_are_kept_as_written() -> None:
    (block,) = extract_rows(b"name,price\nbolt,3\n").blocks
    assert (block.text, block.kind, block.line, block.line_end) == ("name,price\nbolt,3", BlockKind.TABLE, 1, 2)
