import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.markup.markdown import extract_markdown
from searchkit.types import Block, BlockKind

H, P, C, T = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.CODE, BlockKind.TABLE


def blocks(source: str) -> list[Block]:
    return list(extract_markdown(source.encode()).blocks)


def outline(source: str) -> list[tuple[BlockKind, str, tuple[str, ...]]]:
    return [(block.kind, block.text, block.headings) for block in blocks(source)]


def title(source: str) -> str:
    return extract_markdown(source.encode()).title


def test_underlined_headings_head_what_follows() -> None:
    found = outline("Garden\n======\n\nsoil\n\nBeds\n----\nraised")
    assert found == [
        (H, "Garden", ("Garden",)),
        (P, "soil", ("Garden",)),
        (H, "Beds", ("Garden", "Beds")),
        (P, "raised", ("Garden", "Beds")),
    ]


def test_a_heading_over_two_lines_keeps_its_words_apart() -> None:
    assert outline("Cold and\nwet soil\n===\n") == [(H, "Cold and wet soil", ("Cold and wet soil",))]


def test_a_heading_ends_those_of_its_level_and_below() -> None:
    found = outline("# A\n## B\n### C\n# D\n### E\ntext")
    assert found[-1] == (P, "text", ("D", "E"))


def test_a_heading_is_its_words_without_markup() -> None:
    source = "# Use `grep -r` *well*, [like this](http://x.y) ![a chart](c.png)<br>&amp; \\*more\\* #"
    assert outline(source)[0][1] == "Use grep -r well, like this a chart & *more*"


def test_the_title_is_the_first_heading_of_level_one() -> None:
    assert title("## Install\n\ntext\n\n# The Tool\n") == "The Tool"
    assert title("# \n\n# Named\n") == "Named"
    assert title("> # Quoted\n\n# Own\n") == "Own"
    assert title("## Only small ones\n") == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("title: Plain words", "Plain words"),
        ('title: "Quoted: words"', "Quoted: words"),
        ("title: 'Single' # why", "Single"),
        ("title: Word # comment", "Word"),
        ("title: C#", "C#"),
        ("title:", "Heading"),
        ("title: >\n  folded", "folded"),
        ("title: [broken", "[broken"),
        ("title: >\n\tbroken: [", "Heading"),
        ("author: me", "Heading"),
    ],
)
def test_front_matter_may_give_the_title(line: str, expected: str) -> None:
    assert title(f"---\n{line}\n---\n# Heading\n\ntext") == expected


def metadata(source: str) -> dict[str, str]:
    return dict(extract_markdown(source.encode()).metadata)


def test_front_matter_is_metadata_and_lines_go_on_behind_it() -> None:
    source = (
        "---\ntitle: Beds\ntags: [soil, 'late frost']\nAuthors:\n  - Ada\n  - Bo\ndate: 2024-5-1\n"
        "updated: 2024-05-01 7:30:00\ndraft: true\nversion: 1.10\nempty:\n---\n# H\n"
    )
    assert metadata(source) == {
        "title": "Beds",
        "tags": "soil, late frost",
        "author": "Ada, Bo",
        "date": "2024-05-01",
        "updated": "2024-05-01T07:30:00",
        "draft": "true",
        "version": "1.10",
    }
    assert [(b.text, b.line, b.line_end) for b in blocks(source)] == [("H", 13, 13)]


def test_front_matter_may_be_toml() -> None:
    source = "+++\ntitle = 'Beds'\ndate = 2024-05-01T07:30:00Z\ntags = ['soil', 'frost']\nweight = 1.50\n+++\ntext\n"
    document = extract_markdown(source.encode())
    assert document.title == "Beds"
    assert document.metadata == {
        "title": "Beds",
        "date": "2024-05-01T07:30:00+00:00",
        "tags": "soil, frost",
        "weight": "1.50",
    }
    assert [(b.text, b.line) for b in blocks(source)] == [("text", 7)]


@pytest.mark.parametrize(
    "front", ["tags: [soil\nauthor: Ada", "links:\n  home: x.example\nauthor: Ada", "# my note\nauthor: Ada"]
)
def test_front_matter_that_metadata_do_not_say_whole_stays_text(front: str) -> None:
    found = blocks(f"---\n{front}\n---\ntext\n")
    assert (found[0].text, found[0].kind, found[0].line) == (front, T, 2)


def test_front_matter_makes_no_objects_and_expands_no_bombs() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nevil: !!python/object/apply:os.system [ls]"
    assert metadata(f"---\n{bomb}\n---\n") == {"a": "x, x", "evil": "ls"}


def test_wiki_links_and_callouts_are_text() -> None:
    source = "> [!tip] Water\n> See [[Beds#Soil|the beds]] ![[plan.png]]\n"
    assert [b.text for b in blocks(source)] == [source.strip()]


def test_a_link_definition_of_the_text_holds_in_headings() -> None:
    assert outline("# The [map][m]\n\n[m]: http://m.example\n")[0] == (H, "The map", ("The map",))


def test_a_rule_at_the_top_is_not_front_matter() -> None:
    assert (H, "Slide", ("Slide",)) in outline("---\n\n# Slide\n\ntext\n\n---\n\nmore")


def test_empty_front_matter_says_nothing() -> None:
    assert outline("---\n---\ntext") == [(P, "text", ())]


def test_a_hash_inside_a_fence_is_no_heading() -> None:
    found = outline("# Real\n\n```python\n# not one\n\nx = 1\n```\n")
    assert found[1] == (C, "```python\n# not one\n\nx = 1\n```", ("Real",))
    assert outline("```\nnever closed\n# x\n") == [(C, "```\nnever closed\n# x", ())]


def test_indented_code_keeps_its_indentation() -> None:
    assert outline("para\n\n    if x:\n        y\n")[1][:2] == (C, "    if x:\n        y")


def test_a_table_is_one_block_with_its_lines() -> None:
    (table, text) = blocks("| a | b |\n|---|---|\n| 1 | 2 |\n\ntext")
    assert (table.kind, table.line, table.line_end, text.line) == (T, 1, 3, 5)


def test_a_nested_list_stays_together_and_ends_at_its_last_item() -> None:
    found = blocks("- a\n  - b\n\n    c\n- d\n\n\n1. x\n")
    assert [(b.text, b.line, b.line_end) for b in found] == [("- a\n  - b\n\n    c\n- d", 1, 5), ("1. x", 8, 8)]


@pytest.mark.parametrize(
    "words",
    [
        "html words",
        "summary words",
        "link words",
        "http://link.example",
        "alt words",
        "reference words",
        "footnote words",
    ],
)
def test_nothing_that_is_written_is_lost(words: str) -> None:
    source = (
        "<div>\nhtml words\n</div>\n\n<details><summary>summary words</summary>\n\nx\n\n</details>\n\n"
        'A [link words](http://link.example) and ![alt words](p.png).\n\n[r]: http://r.example "reference words"\n\n'
        "[^1]: footnote words\n"
    )
    assert any(words in block.text for block in blocks(source))


def test_a_page_of_link_definitions_only_is_text_under_its_heading() -> None:
    found = blocks("# Links\n\n[a]: http://a.example\n[b]: http://b.example\n")
    assert [(b.text, b.headings, b.line, b.line_end) for b in found[1:]] == [
        ("[a]: http://a.example\n[b]: http://b.example", ("Links",), 3, 4)
    ]


def test_carriage_returns_and_a_byte_order_mark_change_nothing() -> None:
    source = "---\ntitle: T\n---\n# H\n\none\ntwo\n"
    marked = b"\xef\xbb\xbf" + source.replace("\n", "\r\n").encode()
    assert extract_markdown(marked) == extract_markdown(source.encode())


def test_lines_hold_the_text_they_are_said_to_hold() -> None:
    source = (
        "intro\nmore\n\n# H\n- a\n\n- b\n\n\n> q\n> r\n\n***\n\n[x]: y\n\n<p>\nh\n</p>\n\n    code\n\n    more\n\n\nend"
    )
    lines = source.split("\n")
    found = blocks(source)
    assert len(found) > 5
    for block in found:
        assert block.line is not None
        assert block.line_end is not None
        held = "\n".join(lines[block.line - 1 : block.line_end])
        assert block.text in held if block.kind is H else block.text == held.rstrip()


def test_ten_thousand_headings_are_read() -> None:
    found = blocks("# H\n\ntext\n\n" * 10_000)
    assert len(found) == 20_000
    assert found[-1].line == 39_999


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="binary"):
        extract_markdown(b"# H\0")


@pytest.mark.parametrize("mark", ["> ", "- ", "1. ", "> - ", ">> "])
def test_a_table_in_a_list_or_a_quote_keeps_its_columns_and_its_head(mark: str) -> None:
    rows = ["| part | price | held by |", "|---|---|---|", "| nozzle |  | Quill |"]
    rest = mark.replace("-", " ").replace("1.", "  ")
    source = "\n".join(
        [f"{mark}Parts:", rest.rstrip(), *(f"{rest}{row}" for row in rows), rest.rstrip(), f"{rest}Done."]
    )
    found = list(extract_markdown(source.encode()).blocks)
    assert [(block.text, block.kind, block.line) for block in found if block.kind is BlockKind.TABLE] == [
        ("\n".join(rows), BlockKind.TABLE, 3)
    ]
    assert next(block.columns for block in found if block.columns) == "part | price | held by"
    assert ["Parts:" in found[0].text, "Done." in found[-1].text] == [True, True]


def test_a_table_in_html_has_the_names_of_its_columns() -> None:
    rows = "\n".join(f"<tr><td>spindle K{n}</td><td>{n}</td></tr>" for n in range(3))
    table = f"<table>\n<tr><th>Part</th><th>Stock</th></tr>\n{rows}\n</table>"
    found = blocks(f"Before\n\n{table}\n\nAfter")
    assert [(block.kind, block.text, block.columns) for block in found] == [
        (P, "Before", ""),
        (T, table, "Part | Stock"),
        (P, "After", ""),
    ]
