"""Which requests are made and which answers are shown, decided without any widget."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.library import Library
from searchkit.search.request import PassageAt, SearchRequest, SearchResponse
from searchkit.types import Hit, SearchMode
from searchkit_tui.search.controller import SearchController
from searchkit_tui.search.session import Pending, SearchAnswer, SearchSession
from tests.support.driving import write_files


class Runner:
    """Keeps what it is to search for, and searches when the test says so."""

    def __init__(self) -> None:
        self.under_way: list[Pending] = []
        self.to_mark: list[Pending] = []
        self.refreshes = 0

    def mark(self, pending: Pending) -> None:
        self.to_mark.append(pending)

    def start(self, pending: Pending) -> None:
        self.under_way.append(pending)

    def refresh(self, pending: Pending) -> None:
        self.under_way.append(pending)
        self.refreshes += 1

    def cancel(self) -> None:
        self.under_way.clear()
        self.to_mark.clear()

    def stop_waiting(self) -> None:
        """Nothing shows that anything is slow."""


class View:
    """Records what a user would see, and returns what a user would have typed."""

    def __init__(self) -> None:
        self.typed_query = ""
        self.answer: SearchAnswer | None = None
        self.selected: int | None = None
        self.updates: list[bool] = []
        self.is_outdated = False
        self.start: tuple[str, ...] | None = None
        self.errors: list[str] = []
        self.missing: list[str] = []

    def show_answer(self, answer: SearchAnswer, *, is_update: bool = False, selected: int | None = 0) -> None:
        self.answer, self.selected, self.start = answer, selected, None
        self.is_outdated = False
        self.updates.append(is_update)

    def show_start(self, collections: tuple[str, ...]) -> None:
        self.answer, self.start = None, collections

    def show_outdated(self) -> None:
        self.is_outdated = True

    def show_error(self, message: str, title: str) -> None:
        self.errors.append(f"{title}: {message}")

    def show_missing(self, names: Sequence[str]) -> None:
        self.missing += names

    @property
    def hits(self) -> tuple[Hit, ...]:
        return self.answer.hits if self.answer else ()

    @property
    def names(self) -> list[str]:
        return [hit.path.name for hit in self.hits]

    def is_dimmed(self) -> bool:
        return self.is_outdated


class Desk:
    """A controller with what it needs."""

    def __init__(self, session: SearchSession) -> None:
        self.session, self.runner, self.view = session, Runner(), View()
        self.now = 0.0
        self.controller = SearchController(session, SearchMode.LEXICAL, self.runner, self.view, lambda: self.now)

    def type(self, query: str) -> SearchRequest:
        self.view.typed_query = query
        self.controller.query_changed()
        self.controller.search()
        return self.request

    @property
    def request(self) -> SearchRequest:
        (pending,) = self.runner.under_way
        return pending.request

    def change_store(self) -> None:
        """Have the collections changed, long after the last answer."""
        self.now += 100
        self.controller.store_changed()
        self.controller.refresh()

    def answer(self) -> None:
        """Have the request under way answered."""
        (pending,) = self.runner.under_way
        answer = self.session.answer(pending, lambda: True)
        assert answer is not None
        self.controller.take(answer)


@pytest.fixture
def desk(library: Library) -> Desk:
    return Desk(SearchSession(library))


def answer_to(request: SearchRequest, error: str = "", *, partial: bool = False) -> SearchAnswer:
    return SearchAnswer(request, SearchResponse(()), 1.0, ("notes",), error, partial)


def test_an_answer_is_shown_and_the_request_is_over(desk: Desk) -> None:
    desk.type("boiler pressure")
    desk.answer()
    assert desk.view.names[0] == "boiler.md"
    assert desk.runner.under_way == []


def test_an_answer_to_an_older_request_is_never_shown(desk: Desk) -> None:
    older = desk.type("boiler")
    desk.type("apple")
    desk.controller.take(answer_to(older))
    assert desk.view.names == []
    desk.answer()
    assert desk.view.names == ["garden.md"]


def test_a_partial_answer_is_shown_and_the_rest_is_still_wanted(desk: Desk) -> None:
    desk.controller.mode = SearchMode.HYBRID
    request = desk.type("boiler")
    desk.controller.take(answer_to(request, partial=True))
    desk.answer()
    assert desk.view.updates == [False, True]
    assert desk.runner.under_way == []


def test_better_marks_come_later_and_the_selection_stays(desk: Desk) -> None:
    desk.controller.mode = SearchMode.HYBRID
    desk.type("boiler pressure")
    desk.answer()
    first = desk.view.answer
    (pending,) = desk.runner.to_mark
    marked = desk.session.marked(pending, lambda: True)
    assert first is not None and marked is not None and marked.is_marked
    better = tuple(replace(hit, sentence=(0, 5)) for hit in marked.hits)
    desk.controller.take(replace(marked, response=replace(marked.response, hits=better)))
    assert desk.view.updates == [False, True]
    assert desk.view.answer is not None
    assert (desk.view.answer.hits, desk.view.answer.elapsed_ms) == (better, first.elapsed_ms)


def test_marking_ends_when_nothing_is_left_to_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, answer = [], desk.session.answer

    def counted(pending: Pending, is_wanted: Callable[[], bool]) -> SearchAnswer | None:
        turns.append(pending)
        return answer(pending, is_wanted)

    monkeypatch.setattr(desk.session, "answer", counted)
    assert desk.session.marked(Pending(desk.session.request("boiler", SearchMode.HYBRID)), lambda: True)
    assert len(turns) == 1


def test_marks_of_hits_that_are_no_longer_wanted_are_dropped(desk: Desk) -> None:
    desk.controller.mode = SearchMode.HYBRID
    desk.type("boiler pressure")
    desk.answer()
    (pending,) = desk.runner.to_mark
    marked = desk.session.marked(pending, lambda: True)
    assert marked is not None
    desk.type("apple")
    assert desk.runner.to_mark == []
    desk.controller.take(replace(marked, response=SearchResponse(())))
    assert desk.view.updates == [False]


def test_hits_by_words_alone_are_not_marked_again(desk: Desk) -> None:
    desk.type("boiler")
    desk.answer()
    assert desk.runner.to_mark == []


def test_where_meaning_fails_the_answer_by_words_is_still_taken(desk: Desk) -> None:
    desk.controller.mode = SearchMode.HYBRID
    request = desk.type("boiler")
    desk.controller.take(answer_to(request, error="The model is damaged."))
    assert desk.view.errors == ["The search failed: The model is damaged."]
    assert len(desk.runner.under_way) == 1
    desk.controller.take(answer_to(request, partial=True))
    assert desk.view.answer is not None and desk.view.answer.is_partial


def test_similar_passages_lead_back_to_the_answer_and_its_selection(desk: Desk) -> None:
    desk.type("boiler")
    desk.answer()
    before = desk.view.answer
    assert before is not None
    desk.controller.search_similar(before.hits[1], 1)
    assert desk.request.like == PassageAt(before.hits[1].path, before.hits[1].line)
    desk.controller.search_similar(before.hits[0], 0)  # similar to the similar
    desk.controller.leave_similar()
    assert (desk.view.answer, desk.view.selected) == (before, 1)
    assert not desk.controller.is_similar
    assert desk.runner.under_way == []


def test_without_an_answer_there_is_nothing_to_be_similar_to(desk: Desk) -> None:
    desk.type("boiler")
    desk.answer()
    hit = desk.view.answer.hits[0] if desk.view.answer else None
    assert hit is not None
    desk.view.typed_query = ""
    desk.controller.query_changed()
    desk.controller.show_start()
    desk.controller.search_similar(hit, 0)
    assert desk.request.like is None


def test_a_query_that_found_nothing_is_asked_again_when_there_is_more_to_find(desk: Desk) -> None:
    desk.type("zeppelin")
    desk.answer()
    desk.change_store()
    assert desk.request.query == "zeppelin"
    assert desk.runner.refreshes == 0  # the first hits by words come first, as for a new query


def test_what_is_found_now_takes_the_place_of_what_was_found_and_the_selection_stays(
    desk: Desk, library: Library, tmp_path: Path
) -> None:
    desk.type("boiler")
    desk.answer()
    assert desk.view.names == ["boiler.md", "notes.md"]
    library.index(write_files(tmp_path / "more", {"new.md": "The boiler, the boiler.\n"}))
    desk.change_store()
    assert desk.runner.refreshes == 1
    desk.answer()
    assert sorted(desk.view.names) == ["boiler.md", "new.md", "notes.md"]
    assert desk.view.selected is None
    assert desk.view.updates[-1]


def test_nothing_is_asked_again_while_nothing_has_changed(desk: Desk) -> None:
    desk.type("boiler")
    desk.answer()
    desk.now = 100
    desk.controller.refresh()
    assert desk.runner.under_way == []


def test_hits_are_not_refreshed_all_the_time_while_files_are_indexed(desk: Desk) -> None:
    desk.type("boiler")
    desk.answer()
    desk.controller.store_changed()
    desk.now = 0.5
    desk.controller.refresh()
    assert desk.runner.under_way == []
    desk.now = 100
    desk.controller.refresh()
    assert desk.request.query == "boiler"


def test_a_refresh_never_takes_the_turn_of_a_query(desk: Desk) -> None:
    desk.type("boiler")
    desk.answer()
    desk.view.typed_query = "apple"
    desk.controller.query_changed()
    desk.change_store()
    assert desk.runner.under_way == []  # the search for what is typed begins in a moment
    desk.controller.search()
    desk.change_store()
    assert desk.request.query == "apple"


def test_a_refresh_that_fails_leaves_what_was_found(desk: Desk) -> None:
    desk.type("boiler")
    desk.answer()
    desk.change_store()
    desk.controller.take(answer_to(desk.request, "The disk is away."))
    assert desk.view.names == ["boiler.md", "notes.md"]
    assert desk.view.errors == []


def test_marks_of_the_model_stay_in_a_refresh_of_the_same_passages(desk: Desk) -> None:
    desk.controller.mode = SearchMode.HYBRID
    desk.type("boiler pressure")
    desk.answer()
    (marking,) = desk.runner.to_mark
    shown = desk.view.answer
    assert shown is not None
    better = tuple(replace(hit, marks=((0, 1),)) for hit in shown.hits)
    desk.controller.take(
        replace(shown, request=marking.request, response=replace(shown.response, hits=better), is_marked=True)
    )
    desk.runner.to_mark.clear()
    desk.change_store()
    desk.answer()
    assert [hit.marks for hit in desk.view.hits] == [((0, 1),)] * len(better)
    assert desk.runner.to_mark == []


def test_hits_of_an_older_query_are_shown_as_such_until_fresh_ones_come(desk: Desk) -> None:
    desk.type("boiler")
    assert not desk.view.is_dimmed()  # nothing is shown yet
    desk.answer()
    desk.view.typed_query = "boiler  "
    desk.controller.query_changed()
    assert not desk.view.is_dimmed()  # it is the same query
    desk.type("apple")
    assert desk.view.is_dimmed()
    desk.answer()
    assert not desk.view.is_dimmed()


def test_a_chosen_collection_that_is_gone_is_named_and_the_others_are_searched(library: Library) -> None:
    desk = Desk(SearchSession(library, ["notes", "gone"]))
    desk.type("boiler")
    desk.answer()
    assert desk.view.missing == ["gone"]
    assert (desk.request.query, desk.request.collections) == ("boiler", ("notes",))
    desk.answer()
    assert desk.view.names == ["boiler.md", "notes.md"]


def test_a_collection_that_goes_while_it_is_searched_is_named_once_and_the_others_are_searched(
    library: Library,
) -> None:
    desk = Desk(SearchSession(library, ["notes", "gone"]))
    desk.type("boiler")
    desk.controller.store_changed()  # which notices first that it has gone
    desk.answer()
    assert (desk.view.missing, desk.view.errors) == (["gone"], [])
    assert desk.request.collections == ("notes",)


def test_another_mode_asks_again(desk: Desk) -> None:
    desk.type("boiler")
    desk.controller.search_in(SearchMode.SEMANTIC)
    assert desk.request.mode is SearchMode.SEMANTIC


def test_an_empty_library_shows_how_to_begin(tmp_path: Path) -> None:
    with Library(tmp_path / "home") as library:
        desk = Desk(SearchSession(library))
        desk.type("boiler")
        desk.answer()
        assert desk.view.start == ()
