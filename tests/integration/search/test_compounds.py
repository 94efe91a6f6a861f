"""A reference such as K-54 is more than its parts, and a passage with every word of a query is never weak, in no front end."""

from pathlib import Path

import pytest

from searchkit.daemon.protocol import read_answer_line, response_line
from searchkit.library import Library
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.types import Evidence, Hit, SearchMode
from tests.support.files import write

pytestmark = pytest.mark.both_homes

APART = "Gruppe K trifft sich im Raum 54, dort liegt die neue Dichtung. K und 54 stehen auch auf der Tafel."
TOGETHER = "Die Pumpe im Keller ist eine K-54; ihre Dichtung ist alt und wird von der Firma ersetzt."


@pytest.fixture
def pumps(library: Library, tmp_path: Path) -> Library:
    folder = tmp_path / "pumps"
    write(folder / "apart.md", APART)
    write(folder / "pump.md", TOGETHER)
    write(folder / "spelt.md", "Zur K 54 passt jede Dichtung aus Gummi, sagt der Händler.")
    write(folder / "invoices.md", "Rechnung RE-2025-1327 vom Händler.")
    write(folder / "others.md", "Rechnung RE-2025-1330 vom Händler. Nummer 132.")
    for number in range(30):
        write(folder / f"{number}.md", f"Notiz {number} zu Raum {number}: K und L und 54 Stühle.")
    library.index(folder)
    return library


def hits(library: Library, query: str) -> dict[str, Hit]:
    return {hit.path.stem: hit for hit in library.find(SearchRequest(query, 20, mode=SearchMode.LEXICAL)).hits}


@pytest.mark.parametrize("query", ["K-54 Dichtung", "k54 dichtung", "Dichtung k/54"])
def test_a_passage_with_the_parts_of_a_compound_apart_does_not_cover_it(pumps: Library, query: str) -> None:
    found = hits(pumps, query)
    assert {found["pump"].evidence.has_every_word, found["spelt"].evidence.has_every_word} == {True}
    assert not found["apart"].evidence.has_every_word if "apart" in found else True
    assert next(iter(found)) in ("pump", "spelt")


def test_a_reference_that_is_not_there_shows_those_that_begin_so(pumps: Library) -> None:
    found = hits(pumps, "RE-2025-132")
    assert next(iter(found)) == "invoices"
    assert not found["invoices"].weak
    assert found["others"].weak if "others" in found else True


def test_an_answer_over_the_daemon_is_as_weak_as_it_was() -> None:
    for evidence in (
        Evidence(None, 1.0, (), has_every_word=True),
        Evidence(None, None, (), provisional=0.4),
        Evidence(0.1, None, ()),
    ):
        hit = Hit("c", Path("/a"), "", None, None, None, 0.2, "x", "x", (), evidence, sender="Ada <a@b.c>")
        answer = read_answer_line(response_line(SearchResponse((hit,))))
        assert isinstance(answer, SearchResponse)
        assert answer.hits == (hit,)
