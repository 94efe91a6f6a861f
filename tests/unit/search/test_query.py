"""Every text is a query: what is a phrase, an exclusion or a filter in it, and what stays ordinary text."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from searchkit.errors import UsageError
from searchkit.search.query.filters import Filters, is_file_type
from searchkit.search.query.parse import ParsedQuery, not_filters, parse_query
from tests.support.errors import refused

TODAY = date(2025, 3, 31)
HOSTILE = st.lists(
    st.sampled_from(
        [*"\"“”«»'-–:*()^~{}[]|\\/%_,.;", "type:", "since:", "path:", "folder:", "pdf", "2025", "-", '-"', "NEAR(", "AND",
         "OR", "NOT", "💧", "\u202e", "\u200b", "\x1b[31m", "\ud800", "塑料", "e\u0301", "word", " ", "\t"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


def parse(query: str) -> ParsedQuery:
    return parse_query(query, is_type=is_file_type, today=TODAY)


@pytest.mark.parametrize(
    ("query", "text", "phrases"),
    [
        ("when does it end", "when does it end", ()),
        ('the "notice period" of it', "the notice period of it", ("notice period",)),
        ("„Erste Hilfe“ und «mise en place»", "Erste Hilfe und mise en place", ("Erste Hilfe", "mise en place")),
        ('"a" "a"', "a a", ("a",)),
        ('a 5" pipe and a 6" one', 'a 5" pipe and a 6" one', ()),
        ('"not closed', '"not closed', ()),
        ('"" and "  "', '"" and " "', ()),
        ("don't 'single' stop", "don't 'single' stop", ()),
    ],
)
def test_quotes_that_open_a_word_and_close_make_a_phrase(query: str, text: str, phrases: tuple[str, ...]) -> None:
    assert parse(query) == ParsedQuery(text, phrases)


@pytest.mark.parametrize(
    ("query", "text", "words", "phrases"),
    [
        ("lease -draft", "lease", ("draft",), ()),
        ("-draft lease", "lease", ("draft",), ()),
        ('lease -"first draft", please', "lease , please", (), ("first draft",)),
        ("lease -draft, -Entwürfe.", "lease", ("draft", "Entwürfe"), ()),
        ("mail -e-mail -log4j", "mail -e-mail", ("log4j",), ()),
        ("gcc -O2 -v --help -5 - -std=c++11", "gcc -O2 -v --help -5 - -std=c++11", (), ()),
        ("state-of-the-art 2024-2025", "state-of-the-art 2024-2025", (), ()),
        ("-draft", "-draft", (), ()),
        ('-"first draft" -other', '-"first draft" -other', (), ()),
        ("type:pdf -draft", "", ("draft",), ()),
    ],
)
def test_a_hyphen_before_a_word_or_a_quote_excludes_where_something_else_is_asked(
    query: str, text: str, words: tuple[str, ...], phrases: tuple[str, ...]
) -> None:
    parsed = parse(query)
    assert (parsed.text, parsed.excluded_words, parsed.excluded_phrases) == (text, words, phrases)


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("x type:pdf", Filters(types=("pdf",))),
        ("x TYPE:PDF,md type:markdown", Filters(types=("pdf", "md", "markdown"))),
        ("x type:pdf, y", Filters(types=("pdf",))),
        ("x type:.conf9", Filters(types=(".conf9",))),
        ("x -type:code -path:*.min.js -folder:old", Filters(not_types=("code",), not_paths=("*.min.js",), not_folders=("old",))),
        ("x path:reports/* path:*.md", Filters(paths=("reports/*", "*.md"))),
        ('x folder:"My Notes" folder:notes', Filters(folders=("My Notes", "notes"))),
        ("x since:2025", Filters(since=date(2025, 1, 1))),
        ("x since:2024-02 until:2024-02", Filters(since=date(2024, 2, 1), until=date(2024, 2, 29))),
        ("x since:2025-03-01 until:2025", Filters(since=date(2025, 3, 1), until=date(2025, 12, 31))),
        ("x since:7d", Filters(since=date(2025, 3, 24))),
        ("x since:2w until:yesterday", Filters(since=date(2025, 3, 17), until=date(2025, 3, 30))),
        ("x since:1m", Filters(since=date(2025, 2, 28))),
        ("x since:3m since:1y", Filters(since=date(2024, 12, 31))),
        ("x until:1y", Filters(until=date(2024, 3, 31))),
    ],
)  # fmt: skip
def test_filters_are_read_wherever_they_stand(query: str, filters: Filters) -> None:
    assert parse(query).filters == filters
    swapped = parse(f"{query.removeprefix('x ')} z")
    assert swapped.filters == filters
    assert swapped.text.split()[-1] == "z"


@pytest.mark.parametrize(
    "query",
    [
        "http://example.org/a?b=c", "std::vector<int>", "foo:bar", "at 12:30", "C:\\path\\file", "type:", "type: pdf",
        "type:banana", "type:pdf,banana", "since:banana", "since:2025-13", "since:2025-02-30", "since:99999y", "since:0000",
        "-since:2025", "until:12:30", "path:/", 'folder:""', "xtype:pdf", "mytype:pdf", "path:" + "a" * 2000,
        "since:٢٠٢٥",
    ],
)  # fmt: skip
def test_what_is_no_filter_stays_text(query: str) -> None:
    assert parse(query) == ParsedQuery(query)


def test_a_query_that_demands_too_much_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="more than 100 filters"):
        parse("x " + " ".join(f"path:{i}" for i in range(2000)))
    with pytest.raises(UsageError, match="more than 32 phrases"):
        parse(" ".join(f'"{i}"' for i in range(2000)))
    with refused(UsageError, "Swap them"):
        parse("x since:2025 until:2024")


@given(st.one_of(st.text(max_size=200), HOSTILE))
@example('"' * 10_000)
@example("-" * 10_000)
@example("[" * 900)
@example("path:" + "[!]" * 300)
@example("path:" + "*a" * 400)
@example("x" * 10_000)
@example("type:pdf" * 1_000)
def test_every_text_can_be_read_and_loses_no_ordinary_word(query: str) -> None:
    try:
        parsed = parse(query)
    except UsageError as error:
        assert str(error).endswith(".")
        return
    assert parsed.text or parsed.filters or not query.strip()
    plain = [word for word in query.split() if word.isalnum()]
    if not set(query) & set('"“”„‟«»'):
        assert [word for word in parsed.text.split() if word.isalnum()] == plain


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_words_alone_are_never_changed(word: str) -> None:
    assert parse(f"{word} {word}") == ParsedQuery(f"{word} {word}")


def test_a_pasted_text_is_no_more_than_text() -> None:
    pasted = 'It is "shown" that -words of a pasted text mean what they say: ' + "and more of it " * 6

    assert parse(pasted) == ParsedQuery(pasted.strip())


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("lease typ:pdf", ["typ:pdf"]),
        ("lease sicne:2025", ["sicne:2025"]),
        ("lease type:nonsense since:soon", ["type:nonsense", "since:soon"]),
        (
            "lease before:2024 After:2023-05 cc:anna filetype:pdf",
            ["before:2024", "After:2023-05", "cc:anna", "filetype:pdf"],
        ),
        ("lease type:pdf note:this std::vector http://x.y C:\\docs 12:30", []),
    ],
)
def test_what_looks_like_a_filter_and_is_none_can_be_told(query: str, words: list[str]) -> None:
    assert not_filters(parse_query(query, is_type=lambda name: name == "pdf", today=date(2025, 6, 1))) == words
