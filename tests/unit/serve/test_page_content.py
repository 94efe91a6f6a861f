"""What the pages show of texts: safe pieces with marks, addresses with marks, answers with the numbers of their sources."""

from pathlib import Path

import pytest
from starlette.requests import Request

from searchkit.errors import UsageError
from searchkit.serve.page.asking import AnswerPiece, answer_pieces
from searchkit.serve.page.content import Piece, marked, passage_address, read_marks, snippet_pieces, written
from searchkit.serve.page.door import is_foreign
from searchkit.types import Evidence, Hit


def parts(text: str, *marks: tuple[int, int]) -> str:
    """The pieces as text, marks in brackets."""
    return "".join(f"[{piece.text}]" if piece.is_marked else piece.text for piece in marked(text, marks))


@pytest.mark.parametrize(
    ("text", "marks", "shown"),
    [
        ("Prune the roses.", ((6, 9),), "Prune [the] roses."),
        ("Prune the roses.", ((10, 15), (0, 5)), "[Prune] the [roses]."),
        ("Prune the roses.", ((0, 9), (6, 15)), "[Prune the] roses."),  # overlapping: the first counts
        ("Prune the roses.", ((5, 2), (3, 3), (9, 99)), "Prune the roses."),
        ("a <!-- hide --> rose", ((2, 15), (16, 20)), "a [             ] [rose]"),
        ("a <!-- hide rose", ((12, 16),), "a           [    ]"),
        ("see [the rose](https://evil.example/x)", ((9, 13),), "see the [rose] (evil.example/x)"),
        ("<script src=x>", ((1, 7),), "<[script] src=x>"),
        ("\ue0f0both\ue0f1 signs", ((8, 12),), "\ufffdboth\ufffd s[igns]"),
        ("a\u202eb\x1b c", ((0, 2),), "[a]b c"),
        ("", (), ""),
    ],
)
def test_a_text_is_safe_in_pieces(text: str, marks: tuple[tuple[int, int], ...], shown: str) -> None:
    assert parts(text, *marks) == shown


@pytest.mark.parametrize(
    ("text", "mark", "shown"),
    [
        ("the **Town Archive**, and", (6, 10), "the [Town] Archive, and"),
        ("the **Town Archive**, and", (4, 20), "the [Town Archive], and"),
        ("2 ** 3 ** 4", (0, 1), "[2] ** 3 ** 4"),
        ("**a\nb**", (0, 0), "**a\nb**"),
        ("__init__ stays", (0, 0), "__init__ stays"),
    ],
)
def test_markdowns_signs_of_emphasis_are_left_out(text: str, mark: tuple[int, int], shown: str) -> None:
    pieces = marked(text, [mark], is_markdown=True)
    assert "".join(f"[{piece.text}]" if piece.is_marked else piece.text for piece in pieces) == shown


def hit(text: str, snippet: str, *marks: tuple[int, int]) -> Hit:
    evidence = Evidence(None, None, ())
    return Hit("docs", Path("/docs/a.md"), "", None, 1, 9, 0.9, text, snippet, marks, evidence)


def test_a_snippet_hides_the_part_of_a_comment_that_it_shows() -> None:
    found = hit("Bees. <!-- say nothing --> Roses grow.", "nothing --> Roses grow.", (12, 17))
    assert "".join(piece.text for piece in snippet_pieces(found)).split() == ["…", "Roses", "grow."]
    assert Piece("Roses", is_marked=True) in snippet_pieces(found)


def test_marks_travel_in_addresses() -> None:
    marks = ((12, 40), (60, 66))
    assert written(marks) == "12-40.60-66"
    assert read_marks(written(marks)) == marks
    assert read_marks("") == ()
    assert len(read_marks(written([(i, i + 1) for i in range(500)]))) == 60
    assert passage_address("my docs:p1.0.00", marks, "a&b", start=3) == (
        "/ui/read/my%20docs%3Ap1.0.00?m=12-40.60-66&q=a%26b&start=3"
    )


@pytest.mark.parametrize("text", ["1", "a-b", "1-2,3-4", "1-2.", "-1-2", "12345678-9", "1-2\n"])
def test_other_marks_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="make no sense"):
        read_marks(text)


def test_only_numbers_of_sources_become_links() -> None:
    assert answer_pieces("Yes [1][2], see list[3] and [0].", 2) == [
        AnswerPiece("Yes "),
        AnswerPiece("", 1),
        AnswerPiece("", 2),
        AnswerPiece(", see list[3] and [0]."),
    ]
    assert answer_pieces("", 2) == []


@pytest.mark.parametrize(
    ("method", "headers", "foreign"),
    [
        ("GET", {}, False),
        ("GET", {"sec-fetch-site": "same-origin"}, False),
        ("POST", {"origin": "http://HOST:1", "sec-fetch-site": "same-origin"}, False),
        ("POST", {"origin": "http://host:2"}, True),
        ("POST", {"origin": "null"}, True),
        ("POST", {"sec-fetch-site": "same-site", "sec-fetch-dest": "document"}, True),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-dest": "document"}, False),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-dest": "iframe"}, True),
        ("GET", {"sec-fetch-site": "cross-site"}, True),
    ],
)
def test_pages_of_other_addresses_are_known(method: str, headers: dict[str, str], foreign: bool) -> None:
    sent = [(name.encode(), value.encode()) for name, value in {"host": "host:1", **headers}.items()]
    assert is_foreign(Request({"type": "http", "method": method, "headers": sent})) is foreign
