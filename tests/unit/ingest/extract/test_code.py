import sys
from collections.abc import Callable

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.code import source as code_readers
from searchkit.ingest.extract.code import syntax
from searchkit.ingest.extract.code.source import extract_code
from searchkit.types import BlockKind, ExtractedDocument


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
    blocks = list(extract_code(source.encode()).blocks)
    assert len(list(blocks)) == 3
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


def outline(
    reader: Callable[[bytes], ExtractedDocument], source: str
) -> list[tuple[tuple[str, ...], int | None, int | None]]:
    return [(block.headings, block.line, block.line_end) for block in reader(source.encode()).blocks]


def test_python_is_cut_at_definitions_with_what_belongs_to_them() -> None:
    source = "import os\nX = 1\ndef f():\n\n    return 1\n\n# why\n@cache\ndef g():\n    pass\nY = 2\nprint(Y)\n"
    assert outline(code_readers.extract_python, source) == [
        ((), 1, 2),
        (("def f",), 3, 5),
        (("def g",), 7, 10),
        ((), 11, 12),
    ]


def test_a_large_class_is_cut_at_its_members_and_a_small_one_is_not() -> None:
    body = "    def a(self):\n        pass\n\n    # why\n    def b(self):\n        pass\n"
    assert outline(code_readers.extract_python, f"class A:\n    x = 1\n\n{body}") == [(("class A",), 1, 9)]
    large = f"class A:\n    '{'words ' * 300}'\n\n{body}\n    y = 2\n\nz = 3\n"
    assert outline(code_readers.extract_python, large) == [
        (("class A",), 1, 2),
        (("class A", "def a"), 4, 5),
        (("class A", "def b"), 7, 9),
        (("class A",), 11, 11),
        ((), 13, 13),
    ]


@pytest.mark.parametrize(
    ("reader", "source", "names"),
    [
        (
            code_readers.extract_javascript,
            "export default class A {}\nconst add = (x) => {\n  x\n}\n",
            ["class A", "add"],
        ),
        (code_readers.extract_typescript, "export interface A { x: number }\ntype B = A;\n", ["interface A", "type B"]),
        (
            code_readers.extract_typescript,
            "namespace N { f() }\nfunction g(): void {}\n",
            ["namespace N", "function g"],
        ),
        (code_readers.extract_tsx, "function App() { return <p>hi</p>; }", ["function App"]),
        (code_readers.extract_java, "package x;\npublic class Cart<T> extends Base {\n}\n", ["", "class Cart"]),
        (code_readers.extract_c, "struct p { int x; };\nstatic char *name(int i)\n{\n}\n", ["struct p", "name"]),
        (code_readers.extract_header, "namespace a {\nclass B {};\n}\n", ["namespace a"]),
        (code_readers.extract_cpp, "template <class T>\nT Tree<T>::walk() { return 1; }\n", ["Tree<T>::walk"]),
        (code_readers.extract_go, "package x\n// Walk walks.\nfunc (r *Tree) Walk() {}\n", ["", "func (r *Tree) Walk"]),
        (code_readers.extract_rust, "#[x]\npub struct P;\nimpl fmt::D for P {}\n", ["struct P", "impl fmt::D for P"]),
        (code_readers.extract_ruby, "module M\nend\ndef self.x\nend\n", ["module M", "def self.x"]),
        (code_readers.extract_php, "<?php\nfunction f() {}\nclass C {}\n", ["", "function f", "class C"]),
        (code_readers.extract_csharp, "namespace N { class C { } }\n", ["namespace N"]),
        (code_readers.extract_shell, "set -e\nstart() {\n  ls\n}\n", ["", "start"]),
    ],
)
def test_definitions_are_named_by_grammar(
    reader: Callable[[bytes], ExtractedDocument], source: str, names: list[str]
) -> None:
    assert [" ".join(block.headings) for block in reader(source.encode()).blocks] == names


def test_what_a_grammar_does_not_explain_is_cut_at_blank_lines() -> None:
    broken = "def f(:\n  ((\n\nclass B:\n  pass\n"
    assert outline(code_readers.extract_python, broken) == outline(extract_code, broken)


@pytest.mark.parametrize("missing", ["tree_sitter", "tree_sitter_python"])
def test_without_its_grammar_code_is_cut_at_blank_lines(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import os\n\ndef f():\n    pass\n\nclass B:\n    pass\n"
    with monkeypatch.context() as patch:
        patch.setattr(syntax, "_parser", syntax._parser.__wrapped__)
        patch.setitem(sys.modules, missing, None)
        assert outline(code_readers.extract_python, source) == outline(extract_code, source)


def test_a_header_guard_and_macros_do_not_hide_definitions() -> None:
    source = "#ifndef A_H\n#define A_H\nint a(void);\nstruct s { int x; };\nint b(void);\n#endif\n"
    assert (("struct s",), 4, 4) in outline(code_readers.extract_header, source)


def test_nothing_is_lost_and_nothing_said_twice() -> None:
    members = "".join(f"    def m{i}(self): return {i}  # {i}\n" for i in range(99))
    source = f"'Doc.'\nclass A:\n{members}\n\nif A: x = 1; y = 2\n\ndef f(): pass\nz = 3; f()\n"
    blocks = list(code_readers.extract_python(source.encode()).blocks)
    assert "".join("".join(block.text for block in blocks).split()) == "".join(source.split())
    assert len(blocks) > 99
