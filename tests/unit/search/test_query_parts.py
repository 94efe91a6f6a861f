"""A query taken apart for people."""

import pytest

from searchkit.errors import UsageError
from searchkit.search.query.parse import TypedFilter, demands_of, filters_of, with_filters
from tests.support.errors import refused


@pytest.mark.parametrize(
    ("query", "demands"),
    [
        ("boiler pressure", ()),
        ("boiler type:pdf,md", ("type: pdf or md",)),
        ("boiler -type:code folder:notes", ("folder: notes", "not type: code")),
        ("boiler since:2025-03 until:2025-04-01", ("since 2025-03-01", "until 2025-04-01")),
        ('"too low" -draft -"first draft" boiler', ('"too low"', "not draft", 'not "first draft"')),
        ("boiler since:banana std::vector", ()),
        ('say "type:pdf"', ('"type:pdf"',)),
        ("", ()),
    ],
)
def test_demands_are_told_as_they_are_understood(query: str, demands: tuple[str, ...]) -> None:
    assert demands_of(query) == demands


def test_a_query_that_cannot_be_meant_is_refused() -> None:
    with refused(UsageError, "Swap them"):
        demands_of("boiler since:2025 until:2024")


def test_filters_are_read_as_they_are_typed() -> None:
    query = 'boiler type:PDF,md -path:old/* folder:"My Notes" since:7d since:banana "type:txt"'
    assert filters_of(query) == (
        TypedFilter("type", "PDF,md"),
        TypedFilter("-path", "old/*"),
        TypedFilter("folder", "My Notes"),
        TypedFilter("since", "7d"),
    )


def test_filters_are_exchanged_and_the_words_stay() -> None:
    query = 'the "type:txt" boiler type:pdf -draft since:banana'
    changed = with_filters(query, [TypedFilter("folder", "My Notes"), TypedFilter("since", "")])
    assert changed == 'the "type:txt" boiler -draft since:banana folder:"My Notes"'
    assert filters_of(changed) == (TypedFilter("folder", "My Notes"),)
    assert with_filters(changed, ()) == 'the "type:txt" boiler -draft since:banana'
