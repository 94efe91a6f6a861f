"""Text made readable: nothing steers the terminal, marks stay where they belong, Markdown's signs become style."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from searchkit_tui.collections.keys import ACTIONS
from searchkit_tui.rendering.markup import Rewriting, code_styles, language_of, read_markdown, visible

_STEERING = {chr(code) for code in [*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0x200F, 0xFEFF]}


def rendered(text: str, marks: list[tuple[int, int]] | None = None) -> Content:
    writing = Rewriting(text)
    read_markdown(writing)
    writing.styles += [(start, end, "mark") for start, end in marks or []]
    return writing.content()


def marked(content: Content) -> list[str]:
    return [content.plain[span.start : span.end] for span in content.spans if span.style == "mark"]


@given(st.text())
def test_nothing_that_is_shown_steers_a_terminal(text: str) -> None:
    assert not _STEERING & set(visible(text))
    assert not _STEERING & set(rendered(text).plain)
    assert "\n" not in visible(text, one_line=True)


@given(st.text(alphabet="ab *_`#>-[]()\n\x1b\u200f", max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_marks_hold_what_they_held_before_but_for_signs(text: str, one: int, other: int) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    letters = "".join(sign for sign in text[start:end] if sign in "ab")
    shown = "".join(marked(rendered(text, [(start, end)])))
    assert "".join(sign for sign in shown if sign in "ab") == letters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# Title", "Title"),
        ("a **b** c *d* __e__ _f_", "a b c d e f"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("`**code**` stays", "**code** stays"),
        ("- one\n  * two", "• one\n  • two"),
        ("- [x] done", "- [x] done"),
        ("> said", "│ said"),
        ("[text](http://x.example/a_b_c)", "text (http://x.example/a_b_c)"),
        ("![alt](pic.png)", "alt (pic.png)"),
        ("```python\nx = 1\n```\nafter", "x = 1\nafter"),
        ("```\n# no title\n", "# no title\n"),
        ("not # a title, 1 > 0, - no list", "not # a title, 1 > 0, - no list"),
    ],
)
def test_markdown_reads_like_text(text: str, shown: str) -> None:
    assert rendered(text).plain == shown


def test_code_in_a_fence_is_coloured() -> None:
    content = rendered("```python\ndef f(): pass\n```")
    assert any("$text-accent" in str(span.style) for span in content.spans)


def test_a_language_is_told_by_the_name_and_unknown_ones_are_plain() -> None:
    assert language_of("a.py") == "python"
    assert language_of("a.unheard-of") == ""
    assert list(code_styles("x = 1", "")) == []
    assert list(code_styles("x = 1", "unheard-of")) == []
    assert list(code_styles("x = 1\n" * 10_000, "python")) == []  # too long to wait for


def test_the_menu_of_a_collection_fits_80_columns() -> None:
    assert max(len(each.about) for each in ACTIONS) <= 50
