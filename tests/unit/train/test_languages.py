"""Queries in another language than the passages are noticed, and nothing is said where there is nothing to notice."""

import pytest

from searchkit.train.pairs.languages import judged_remarks, pair_remarks
from searchkit.train.pairs.pair import Kind, Pair
from searchkit.types import Passage

ENGLISH = [Passage("", f"This is the text number {i}, and it says what there is to say about it.") for i in range(40)]
GERMAN = [Passage("", f"Das ist der Text Nummer {i}, und er sagt, was es dazu zu sagen gibt.") for i in range(40)]


def pairs(query: str, count: int = 20) -> list[Pair]:
    return [Pair(f"{query} {i}", ENGLISH[i], Kind.USER, f"{i}.md") for i in range(count)]


@pytest.mark.parametrize(
    ("query", "language"),
    [("was kostet die Reparatur von dem Dach", "German"), ("сколько стоит ремонт крыши", "Cyrillic script")],
)
def test_queries_in_another_language_than_the_passages_are_noticed(query: str, language: str) -> None:
    (remark,) = pair_remarks(pairs(query), ENGLISH)
    assert remark.startswith(f"About 100% of the pairs' queries are in {language}, the passages in English.")
    assert "leave them out, or add pairs with queries in English" in remark


def test_a_share_of_them_is_noticed_too() -> None:
    mixed = [*pairs("was kostet die Reparatur von dem Dach", 10), *pairs("what does it cost to repair the roof", 30)]
    (remark,) = pair_remarks(mixed, ENGLISH)
    assert remark.startswith("About 25%")


@pytest.mark.parametrize(
    ("query", "passages"),
    [
        ("what does it cost to repair the roof", ENGLISH),
        ("was kostet die Reparatur", [*ENGLISH, *GERMAN]),
        ("was kostet die Reparatur", []),
        ("roof repair", ENGLISH),
        ("404 E07", ENGLISH),
    ],
    ids=["the same", "two languages", "no passages", "no function words", "no words"],
)
def test_nothing_is_said_where_there_is_nothing_to_notice(query: str, passages: list[Passage]) -> None:
    assert pair_remarks(pairs(query), passages) == ()


def test_a_few_titles_that_look_foreign_are_none() -> None:
    few = [*pairs("die casting in an alloy, von der Art", 4), *pairs("what does it cost to repair the roof", 30)]
    assert pair_remarks(few, ENGLISH) == ()


def test_judged_queries_are_held_against_the_queries_that_are_learned_from() -> None:
    learned = pairs("what does it cost to repair the roof")
    (remark,) = judged_remarks([f"was kostet die Reparatur von dem Dach {i}" for i in range(6)], learned)
    assert "judged queries are in German" in remark
    assert judged_remarks([pair.query for pair in learned], learned) == ()
