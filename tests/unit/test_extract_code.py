import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.code import extract_code
from searchkit.types import BlockKind


def test_pieces_are_named_after_what_they_define() -> None:
    blocks = extract_code(b"def f():\n  pass\n\nclass A:\n  x = 1\n\n\n# why\n@cache\ndef g(): pass\n").blocks
    assert [(b.headings, b.line, b.line_end) for b in blocks] == [
        (("def f",), 1, 2),
        (("class A",), 4, 5),
        (("def g",), 8, 10),
    ]
    assert {block.kind for block in blocks} == {BlockKind.CODE}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("pub(crate) async fn fetch<T>() {}", "pub(crate) async fn fetch<T>"),
        ("export default class Cart {}", "export default class Cart"),
        ("func (r *Tree) Walk() int {\n}", "func (r *Tree) Walk"),
        ("impl fmt::Display for X {}", "impl fmt::Display"),
        ("CREATE OR REPLACE VIEW sales AS SELECT 1", "CREATE OR REPLACE VIEW sales"),
    ],
)
def test_definitions_of_many_languages_are_known(source: str, name: str) -> None:
    assert [block.headings for block in extract_code(source.encode()).blocks] == [(name,)]


def test_what_defines_nothing_has_no_name() -> None:
    assert [block.headings for block in extract_code(b"x = 1\n\nprint('class room')\n").blocks] == [(), ()]


def test_lines_hold_the_text_they_are_said_to_hold() -> None:
    source = "\n\nimport os\n\n\n\ndef f():\n\n    return 1\n\n\x0c\nclass B:\n    pass\n\n\n"
    lines = source.split("\n")
    blocks = extract_code(source.encode()).blocks
    assert len(blocks) == 3
    for block in blocks:
        assert block.line is not None
        assert block.line_end is not None
        assert "\n".join(lines[block.line - 1 : block.line_end]).rstrip() == block.text


@pytest.mark.parametrize("content", [b"", b"\n\n", b"   \n\n"])
def test_an_empty_file_has_no_pieces(content: bytes) -> None:
    assert extract_code(content).blocks == ()


def test_minified_code_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="minified"):
        extract_code(b"var a=1;" * 5000)
