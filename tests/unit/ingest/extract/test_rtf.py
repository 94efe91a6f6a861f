import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.office.rtf import extract_rtf
from searchkit.types import Block, BlockKind

_HEAD = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 Mincho;}}"
_STYLES = r"{\stylesheet{\ql Normal;}{\s1\outlinelevel0 Kapitel;}{\s2\b heading 2;}{\*\cs3 Strong;}}"


def blocks_of(body: str, head: str = _HEAD + _STYLES) -> list[Block]:
    return list(extract_rtf(f"{head}\n{body}}}".encode("latin-1")).blocks)


def texts(body: str) -> list[str]:
    return [block.text for block in blocks_of(body)]


def test_paragraphs_end_where_they_say() -> None:
    assert texts(r"one\par two {\b bold}\line next\par\page" + "\nthree\\\nfour") == [
        "one",
        "two bold\nnext",
        "three",
        "four",
    ]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"caf\'e9", "café"),
        (r"{\f1 \'cf\'f0\'e8} and \'e9", "При and é"),
        (r"{\f2 \'93\'fa\'96\'7b}", "日本"),
        (r"\u8364?5", "€5"),
        (r"\u8364\'805", "€5"),
        (r"{\uc2\u8364 ab5}x", "€5x"),
        (r"\uc0\u8364 5", "€5"),
        (r"\u-10179?\u-8704?", "😀"),
        (r"\{a\}\\b", r"{a}\b"),
        (r"a\emdash b\~c\-d\_e", "a—b cd\u2011e"),
        (r"\ldblquote hi\rdblquote", "“hi”"),
        (r"\unknownword5 text", "text"),
    ],
)
def test_characters_come_by_code_page_escape_and_name(source: str, shown: str) -> None:
    assert [text.replace("\u00a0", " ") for text in texts(source)] == [shown]


def test_the_info_group_says_title_author_and_date() -> None:
    info = r"{\info{\title \'dcber Bienen}{\author Ann}{\creatim\yr2024\mo3\dy1\hr9\min5}{\keywords a, b}{\nofpages3}{\operator X}}"
    document = extract_rtf(f"{_HEAD}{info}words}}".encode())
    assert document.title == "Über Bienen"
    assert document.metadata == {"author": "Ann", "date": "2024-03-01T09:05", "tags": "a, b"}
    assert [block.text for block in document.blocks] == ["words"]


def test_headings_are_known_by_outline_level_and_style_name() -> None:
    body = r"\pard\s1 Bees\par\pard\s2 Hive\par\pard text\par\pard\outlinelevel0 Wasps\par\pard more\par"
    assert [(block.text, block.kind, block.headings) for block in blocks_of(body)] == [
        ("Bees", BlockKind.HEADING, ("Bees",)),
        ("Hive", BlockKind.HEADING, ("Bees", "Hive")),
        ("text", BlockKind.PARAGRAPH, ("Bees", "Hive")),
        ("Wasps", BlockKind.HEADING, ("Wasps",)),
        ("more", BlockKind.PARAGRAPH, ("Wasps",)),
    ]


def test_a_table_is_one_block_of_rows() -> None:
    body = (
        r"before\par\trowd\cellx9\pard\intbl Item\cell Price\cell\row"
        r"\trowd\pard\intbl Tea\par green\cell 3\cell\row\pard after\par"
    )
    found = blocks_of(body)
    assert [block.text for block in found] == ["before", "Item | Price\nTea green | 3", "after"]
    assert found[1].kind is BlockKind.TABLE


def test_a_table_at_the_end_is_not_lost() -> None:
    assert texts(r"\trowd\intbl a\cell b\cell\row\trowd\intbl c\cell d") == ["a | b", "c | d"]


def test_notes_boxes_and_comments_follow_their_paragraph_and_headers_come_last() -> None:
    body = (
        r"{\header Handbook\par}"
        r"{\headerl Handbook\par}text{\super\chftn{\footnote\pard A note.\par}} goes on{\*\annotation{\*\atnref 1}Really?}\par"
    )
    body += r"{\*\shpinst{\sp{\sn x}{\sv y}}{\shptxt boxed\par}}after\par"
    assert [(block.text, block.place) for block in blocks_of(body)] == [
        ("text goes on", ""),
        ("A note.", "footnote"),
        ("Really?", "comment"),
        ("after", ""),
        ("boxed", "text box"),
        ("Handbook", "header"),
    ]


def test_what_is_no_text_is_left_out() -> None:
    body = (
        r"{\pict\pngblip 89504e47}{\*\generator X;}{\object{\*\objdata 0105}"
        r"{\result shown}}{\field{\*\fldinst HYPERLINK y}{\fldrslt link}}"
    )
    body += r"{\*\unknown hidden {\b deep}}{\deleted gone}\par"
    assert texts(body) == ["shownlink"]


def test_binary_data_is_passed_over() -> None:
    assert texts("a{\\pict\\bin5 {}{}\\}b") == ["ab"]


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (1, ["one", "two €é three", "note"]),
        (8, ["one", "two €", "note"]),
        (22, ["one", "two", "note"]),
        (29, ["one", "two"]),
        (43, ["one"]),
        (50, []),
        (85, []),
    ],
)
def test_a_file_cut_off_is_read_as_far_as_it_goes(cut: int, left: list[str]) -> None:
    content = f"{_HEAD}{_STYLES}one\\par two{{\\footnote note}} \\u8364?\\'e9 three\\par}}".encode()
    assert [block.text for block in extract_rtf(content[:-cut]).blocks] == left


def test_groups_without_end_are_refused() -> None:
    with pytest.raises(UnreadableFileError, match="nested too deeply"):
        extract_rtf(b"{\\rtf1 " + b"{" * 20_000)


@pytest.mark.parametrize("content", [b"", b"some words", b"PK\x03\x04"])
def test_what_is_no_rtf_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="not rich text") as caught:
        extract_rtf(content)
    assert caught.value.remedy


def test_of_text_in_two_encodings_the_one_in_unicode_is_read() -> None:
    assert texts(r"{\upr{a ?}{\*\ud{a \u8364?}}} b\par") == ["a € b"]


def test_tables_of_lists_are_no_text_wherever_they_stand() -> None:
    assert texts(r"{\list{\listlevel{\leveltext \'02\'00.}}{\listname List1;}}text\par") == ["text"]
