import json
import tracemalloc

import pytest

from searchkit.ingest.extract.data.config import extract_data
from searchkit.types import Block, BlockKind


def blocks(source: str) -> list[Block]:
    return list(extract_data(source.encode()).blocks)


def places(source: str) -> list[tuple[str, tuple[str, ...], int | None, int | None, str]]:
    return [(b.text, b.headings, b.line, b.line_end, b.place) for b in blocks(source)]


USERS = {
    "version": 3,
    "users": [{"name": f"Ann {i}", "home": {"city": "Oslo", "zip": i}} for i in range(100)],
    "end": "x",
}


def test_short_data_is_one_block_as_written() -> None:
    for source in ('{"a": 1,\n "b": [2]}', "a: 1\nb:\n  - 2", "A=1\nB=2", "a = 1"):
        (block,) = blocks(source + "\n")
        assert (block.text, block.line, block.line_end) == (source, 1, source.count("\n") + 1)


def test_json_is_cut_at_outer_values_under_their_keys() -> None:
    found = blocks(json.dumps(USERS, indent=1))
    assert {block.kind for block in found} == {BlockKind.TABLE}
    assert max(len(block.text) for block in found) < 1000
    assert found[1].place == "users"
    assert found[2].headings == ("users",)
    assert found[2].text.startswith("  {\n")
    assert "".join("".join(b.text for b in found).split()) == "".join(json.dumps(USERS).split())


def test_the_lines_of_json_hold_its_blocks() -> None:
    source = json.dumps(USERS, indent=1)
    found = blocks(source)
    assert len(found) > 3
    for block in found:
        assert block.line is not None
        assert "\n".join(source.split("\n")[block.line - 1 : block.line_end]) == block.text


def test_minified_json_is_cut_at_values_and_says_where_they_stand() -> None:
    source = json.dumps(USERS, separators=(",", ":"))
    found = blocks(source)
    assert len(found) > 5
    assert {block.line for block in found} == {1}
    assert found[1].place == "users"
    assert found[2].place.startswith("users[")
    assert "".join(block.text for block in found) == source


def test_lines_of_records_are_grouped_and_counted() -> None:
    source = "\n".join(json.dumps({"id": i, "text": "word " * 10}) for i in range(100))
    found = blocks(source)
    assert (found[0].line, found[0].place) == (1, f"records 1–{found[0].line_end}")
    assert "\n".join(block.text for block in found) == source
    long = json.dumps({"id": 1, "words": ["word"] * 2000})
    assert blocks(f"{long}\n{long}")[-1].place.startswith("record 2, words[")


def test_records_are_read_as_they_are_asked_for() -> None:
    source = (json.dumps({"text": "x" * 900}) + "\n").encode() * 20_000
    tracemalloc.start()
    number = sum(1 for _ in extract_data(source).blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 20_000
    assert peak < 2.5 * len(source)


def test_yaml_is_cut_at_its_outermost_keys() -> None:
    source = "".join(f"service{i}:\n  image: nginx\n  # why\n  ports:\n    - 80\n" for i in range(40))
    found = blocks(source)
    assert len(found) > 3
    assert all(block.text.startswith("service") for block in found)
    assert found[1].headings[0].startswith("service")
    assert "\n".join(block.text for block in found) == source.strip()


def test_sections_of_toml_and_ini_head_their_lines() -> None:
    assert places("x = 1\n\n[tool.ruff]\nline = 2\n\n[[bin]]\nname = 'a'\n") == [
        ("x = 1", (), 1, 1, ""),
        ("[tool.ruff]\nline = 2", ("tool.ruff",), 3, 4, ""),
        ("[[bin]]\nname = 'a'", ("bin",), 6, 7, ""),
    ]


def test_xml_is_lines_of_elements_under_the_path_to_them() -> None:
    source = (
        '<?xml version="1.0"?>\n<library>\n<book id="b1"><title lang="en">Boilers &amp; pumps</title>\n'
        "<p>some <i>inline</i> words</p><!-- a note --><![CDATA[a < b]]></book>\n</library>"
    )
    (block,) = blocks(source)
    assert block.text == "book id=b1\ntitle lang=en: Boilers & pumps\np: some inline words\na note a < b"
    assert (block.headings, block.line, block.line_end) == (("library",), 3, 4)


def test_entities_of_xml_are_not_expanded_and_nothing_is_fetched() -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "boom"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/hostname">]>'
    assert [b.text for b in blocks(f"{bomb}<r>x &b; y &f; z</r>")] == ["r: x &b; y &f; z"]


def test_what_is_broken_is_read_all_the_same() -> None:
    assert "rest" in " ".join(b.text for b in blocks("<a><b>text</b><c>more words & <d>rest"))
    assert "more words" in " ".join(b.text for b in blocks("<a><b>text</b><c>more words & <d>rest"))
    for source in ('{"a": [1, 2', '{"a": "never closed, [', "[1, 2]]]]}", "a: [\nb"):
        assert "".join(b.text for b in blocks(source)).split() == source.split()


def test_deep_nesting_is_no_problem() -> None:
    assert sum(b.text.count("[") for b in blocks("[" * 100_000)) == 100_000
    assert blocks("<a>" * 1000 + "deep" + "</a>" * 1000)[0].text == "a: deep"


@pytest.mark.parametrize("source", ["", "\n", "\ufeff"])
def test_nothing_gives_no_blocks(source: str) -> None:
    assert blocks(source) == []


def test_one_long_line_is_cut() -> None:
    found = blocks("x" * 100_000)
    assert sum(len(block.text) for block in found) == 100_000
    assert max(len(block.text) for block in found) <= 20_000


def test_escaped_characters_are_read_as_what_they_stand_for() -> None:
    content = rb'{"caf\u00e9": "first\nsecond \"third\" \\new \ud83d\ude00 \u0022"}'
    (block,) = extract_data(content).blocks
    assert block.text == r'{"café": "first second \"third\" \\new 😀 \u0022"}'
    (block,) = extract_data(rb"path = C:\new\caf\u00e9").blocks
    assert block.text == r"path = C:\new\café"


def test_a_drawing_is_its_words_without_its_lines() -> None:
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><title>Mill plan</title><style>.a{fill:red}</style>"
        "<path d='M 10 10 L 20 20 Z' aria-label='the wheel'/><text x='3'>Sluice <tspan>gate</tspan></text>"
        f"<image href='data:image/png;base64,{'QUJD' * 300}'/></svg>"
    )
    text = "\n".join(block.text for block in extract_data(drawing.encode()).blocks)
    assert text == "title: Mill plan\npath aria-label=the wheel\ntext: Sluice gate"


@pytest.mark.parametrize(
    "encoded", ["QUJDREVG" * 60, "QUJDREVGSElKS0xNTk9QUVJTVFVWV1hZWjEyMzQ1Njc4OTA5ODc2NTQzMjEw\n" * 20]
)
def test_a_picture_as_text_is_none(encoded: str) -> None:
    book = f"<FictionBook><body><p>The mill.</p></body><binary>{encoded}</binary></FictionBook>"
    assert "QUJD" not in "".join(block.text for block in extract_data(book.encode()).blocks)


@pytest.mark.parametrize("behind", [" and words", "-", "<broken"])
def test_base64_in_xml_with_something_behind_it_is_read_in_no_time(behind: str) -> None:
    """With a pattern that goes back, this takes longer than anyone lives."""
    content = f"<note><data>{'iVBORw0KGgoAAAANSUhEUgAA' * 100}{behind}</data></note>"
    assert list(extract_data(content.encode()).blocks)
