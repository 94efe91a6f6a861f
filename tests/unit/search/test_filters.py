"""Which paths a pattern means, and which days words and documents mean."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from searchkit.errors import UsageError
from searchkit.search.query.filters import Filters, check_file_type, file_types, is_place, read_days, with_known_types
from searchkit.search.query.globs import PathPatterns, plain
from searchkit.text import folded

ROOT = "/home/anna/Docs"


def is_at(glob: str, path: str) -> bool:
    return PathPatterns([glob], []).fit(plain(ROOT), plain(path))


def is_in(folder: str, path: str) -> bool:
    return PathPatterns([], [folder]).fit(plain(ROOT), plain(path))


@pytest.mark.parametrize(
    ("glob", "fits", "misses"),
    [
        ("*.md", ["a.md", "deep/er/B.MD"], ["a.mdx", "a.md/b.txt"]),
        ("reports/*", ["reports/a.md", "Reports/ä.md"], ["reports/q1/a.md", "old/reports/a.md"]),
        ("reports/**", ["reports/a.md", "reports/q1/a.md"], ["reports.md"]),
        ("**/q?/*.md", ["q1/a.md", "reports/q2/a.md"], ["q10/a.md", "q1/x/a.md"]),
        ("docs/reports/*", ["reports/a.md"], ["docs2/reports/a.md"]),
        ("/home/anna/docs/*.md", ["a.md"], ["x/a.md"]),
        ("reports", ["reports/q1/a.md", "old/reports/a.md", "reports"], ["reports.md"]),
        ("reports/", ["reports/a.md"], ["reports", "old/reports/a.md"]),
        ("reports/q1", ["reports/q1/a.md"], ["x/reports/q1/a.md"]),
        ("./reports/a.md", ["reports/a.md"], ["b/a.md"]),
        ("[ab]?.txt", ["a1.txt", "B2.txt"], ["c1.txt", "ab1.txt"]),
        ("[!a-c]*.txt", ["d.txt"], ["b.txt"]),
        ("[z-a].txt", ["z.txt", "-.txt", "a.txt"], ["m.txt"]),
        ("a[.txt", ["a[.txt"], ["a.txt"]),
        ("a*b*c", ["abc", "axbxbxc"], ["acb", "abcd"]),
        ("(a|b)+.md", ["(a|b)+.md"], ["a.md"]),
        ("**", ["a", "b/c"], []),
        ("über*.md", ["U\u0308ber uns.md", "ÜBER.md"], ["uber.md"]),
    ],
)
def test_a_glob_means_these_paths(glob: str, fits: list[str], misses: list[str]) -> None:
    assert [path for path in fits if not is_at(glob, path)] == []
    assert [path for path in misses if is_at(glob, path)] == []


@pytest.mark.parametrize(
    ("folder", "fits", "misses"),
    [
        ("notes", ["notes/a.md", "x/Notes/y/a.md"], ["notes.md", "mynotes/a.md"]),
        ("my notes", ["My Notes/a.md"], ["my/notes/a.md"]),
        ("docs", ["a.md", "x/docs/a.md"], []),
        ("reports/2025", ["reports/2025/a.md", "x/reports/2025/b/c.md"], ["reports/x/2025/a.md"]),
        ("20*", ["2024/a.md", "x/2025/a.md"], ["a/2025.md"]),
        ("/home/anna/docs/x/", ["x/a.md"], ["y/x/a.md"]),
    ],
)
def test_a_folder_is_meant_at_any_depth(folder: str, fits: list[str], misses: list[str]) -> None:
    assert [path for path in fits if not is_in(folder, path)] == []
    assert [path for path in misses if is_in(folder, path)] == []


@given(st.text(alphabet="*?[]!-ab/.~^$\\", max_size=60), st.text(alphabet="ab/.", max_size=60))
def test_no_pattern_breaks_or_takes_long(glob: str, path: str) -> None:
    assume(is_place(glob))
    assert {type(is_at(glob, path)), type(is_in(glob, path))} == {bool}


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=5), min_size=1, max_size=6).map("/".join))
def test_a_path_without_signs_is_at_itself_alone(path: str) -> None:
    assert is_at(path, path)
    assert not is_at(path, f"{path}c")


@pytest.mark.parametrize(
    "glob",
    ["*a" * 400 + "b", "*" * 900 + "b", "**/" * 300 + "b", "**/*a*a*a*a/" * 40 + "b", "**/a/" * 150 + "b", "[a" * 400],
    ids=["stars", "stars alone", "spans alone", "spans and stars", "spans", "brackets"],
)
def test_a_hostile_pattern_is_matched_step_by_step(glob: str) -> None:
    assert not is_at(glob, "a" * 250 + "/" + "a/" * 100 + "c")


def test_what_is_no_pattern_is_refused() -> None:
    for pattern in ("", "/", "//", "x" * 1001):
        with pytest.raises(UsageError, match="path pattern"):
            Filters(paths=(pattern,))
        with pytest.raises(UsageError, match="path pattern"):
            Filters(not_folders=(pattern,))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2025", ("2025-01-01", "2025-12-31")),
        ("2024-2", ("2024-02-01", "2024-02-29")),
        ("2025-03-01", ("2025-03-01", "2025-03-01")),
        ("Today", ("2025-03-31", "2025-03-31")),
        ("1d", ("2025-03-30", "2025-03-30")),
        ("13m", ("2024-02-29", "2024-02-29")),
        ("100y", ("1925-03-31", "1925-03-31")),
        *(
            (bad, None)
            for bad in ("banana", "", "2025-00", "2025-3-32", "25", "99999d9", "99999y", "-1d", "2025-", "1e5d")
        ),
    ],
)
def test_words_mean_these_days(text: str, days: tuple[str, str] | None) -> None:
    found = read_days(text, date(2025, 3, 31))
    assert (found and tuple(day.isoformat() for day in found)) == days


def test_kinds_stand_for_their_formats_and_endings_for_themselves() -> None:
    assert file_types()["mail"] == ("mail", "mailbox", "msg")
    assert {"python", "rust", "code"} <= set(file_types()["code"])
    known = with_known_types(Filters(types=("PDF", "md", ".conf9", "spreadsheet"), not_types=("code",)))
    assert known.types == ("pdf", ".md", ".conf9", "xlsx", "xls", "table", ".ods", ".fods")
    assert "python" in known.not_types


def test_an_unknown_type_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"no type of file 'banana'. Types: archive, c, calendar, chat, code, .*markdown.*or an ending"
    ):
        check_file_type("banana")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Crème Brûlée", "creme brulee"),
        ("Cre\u0300me", "creme"),
        ("Йод", "йод"),
        ("“it’s” 5‑7", '"it\'s" 5-7'),
        ("가각", "가각"),
    ],
)
def test_phrases_are_compared_without_case_and_accents(text: str, seen: str) -> None:
    assert folded(text) == seen
