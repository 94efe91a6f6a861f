"""The search screen: what typing, arrows and the mouse do, and what is shown of it."""

import asyncio
from pathlib import Path

import pytest
from textual.widgets import Input

from searchkit.errors import CollectionNotFoundError
from searchkit.library import Library
from searchkit.reports import Progress
from searchkit_tui.jobs.job import Job, JobKind
from searchkit_tui.search.preview import Preview
from searchkit_tui.search.result_list import ResultList
from searchkit_tui.widgets.dialogs import Confirm
from tests.support.driving import FILES, GatedEmbedder, Session, drive, marked_text, write_files
from tests.support.hash_embedder import HashEmbedder


def test_typing_shows_hits_and_what_was_found(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        assert session.message.startswith("Type to search notes.")
        for typed in ("f", "fi", "fil", "fill"):  # faster than any pause
            session.box.value = typed
        await session.until(lambda: session.answered_query == "fill")
        assert session.names[0] == "boiler.md"
        await session.until(lambda: "hash" in session.status)
        assert session.status.startswith("hybrid · ")
        assert " of 4 passages · " in session.status
        assert session.status.endswith(" ms · hash · notes")
        assert session.message == ""
        assert embedder.queries == ["fill"]  # one search, after the pause

    drive(library, scenario)


def test_arrow_keys_change_the_preview_while_the_query_keeps_the_focus(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pruning boiler")
        first = session.heading
        await session.press("up")
        assert session.heading == first
        await session.press("down")
        await session.until(lambda: session.heading != first)
        await session.pilot.click(ResultList, offset=(5, 0))
        await session.until(lambda: session.heading == first)
        assert isinstance(session.app.focused, Input)
        await session.type("s")
        assert session.box.value == "pruning boilers"

    drive(library, scenario)


def test_page_keys_move_by_what_the_list_shows_and_stop_at_the_ends(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pruning apple walrus")
        assert len(session.names) == 4
        await session.press("pagedown")
        assert session.results.highlighted == 3
        await session.press("pagedown")
        assert session.results.highlighted == 3
        await session.press("pageup")
        assert session.results.highlighted == 0

    drive(library, scenario)


def test_the_selected_hit_has_a_sign_besides_its_colour(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pruning boiler")
        await session.press("down")
        prompts = [str(option.prompt) for option in session.results.options]
        assert [prompt.startswith("▌") for prompt in prompts][:3] == [False, True, False]

    drive(library, scenario)


def test_a_query_that_was_cleared_is_not_answered_any_more(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        await session.type("slow")
        await session.until(embedder.is_waiting.is_set)
        session.box.value = ""
        embedder.gate.set()
        await session.until(embedder.has_passed.is_set)
        await session.pilot.pause(0.1)
        assert session.results.border_title == "Recent files"
        assert session.message.startswith("Type to search notes.")

    drive(library, scenario)


def test_only_the_last_query_is_answered_and_old_hits_stay_until_then(
    library: Library, embedder: GatedEmbedder
) -> None:
    async def scenario(session: Session) -> None:
        await session.search("apple")
        before = session.names
        session.box.value = "slow xylophone"  # no word that is in the files: nothing comes by words meanwhile
        await session.until(embedder.is_waiting.is_set)
        assert "searching…" not in session.status
        await session.until(lambda: "searching…" in session.status)
        assert session.names == before
        session.box.value = "quokka"
        await session.pilot.pause(0.2)  # its search is due now, and waits for the other
        session.box.value = "xenon"
        await session.pilot.pause(0.2)
        assert session.names == before
        embedder.gate.set()
        await session.until(lambda: session.answered_query == "xenon")
        assert embedder.queries == ["apple", "slow xylophone", "xenon"]  # the one between was dropped unsearched
        assert embedder.most_at_work == 1
        assert "searching" not in session.status

    drive(library, scenario)


def test_escape_stops_a_slow_search_and_keeps_what_was_there(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        await session.search("apple")
        before = session.names
        session.box.value = "slow xylophone"
        await session.until(lambda: "searching…" in session.status)
        await session.press("escape")
        assert "searching" not in session.status
        assert session.box.value == "slow xylophone"
        embedder.gate.set()
        await session.until(embedder.has_passed.is_set)
        await session.pilot.pause(0.1)
        assert session.names == before

    drive(library, scenario)


def test_escape_clears_the_query_and_never_quits(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.press("escape")
        await session.until(lambda: session.message.startswith("Type to search notes."))
        assert session.box.value == ""
        await session.until(lambda: session.results.border_title == "Recent files")
        await session.press("escape")
        assert session.app.is_running
        assert session.toasts == ["Ctrl+Q quits."]

    drive(library, scenario)


def test_ctrl_q_quits(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.press("ctrl+q")
        await session.until(lambda: not session.app.is_running)
        assert session.app.return_code == 0

    drive(library, scenario)


def test_ctrl_t_goes_through_the_modes_and_asks_again(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        for mode in ("semantic", "lexical", "hybrid"):
            await session.press("ctrl+t")
            await _until_answered_in(session, mode)
            assert session.status.startswith(f"{mode} · ")
        await session.press("ctrl+t", "ctrl+t")
        await _until_answered_in(session, "lexical")
        assert session.names == ["boiler.md", "notes.md"]
        await session.until(lambda: session.heading.endswith("words: boiler · in notes"))

    drive(library, scenario)


async def _until_answered_in(session: Session, mode: str) -> None:
    def is_answered() -> bool:
        answer = session.status_line.answer
        return answer is not None and not answer.is_partial and answer.request.mode == mode

    await session.until(is_answered)
    await session.pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (70, 30), (240, 70)])
def test_everything_has_its_place_on_small_and_large_terminals(library: Library, size: tuple[int, int]) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        results, preview = session.results.region, session.app.screen.query_one(Preview).region
        if size[0] < 90:
            assert preview.y >= results.bottom
            assert preview.width == results.width
            assert results.height < preview.height
        else:
            assert preview.x >= results.right
            assert results.width == pytest.approx(0.4 * size[0], abs=1)
        assert preview.bottom < size[1]
        footer = session.seen.split("\n")[-1]
        assert "Quit" in footer

    drive(library, scenario, columns=size[0], rows=size[1])


def test_the_footer_has_six_keys_at_most(library: Library) -> None:
    async def scenario(session: Session) -> None:
        shown = {active.binding.action for active in session.app.screen.active_bindings.values() if active.binding.show}
        assert 0 < len(shown) <= 6

    drive(library, scenario)


def test_nothing_found_is_said_with_what_there_is_nothing_for(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.press("ctrl+t", "ctrl+t")
        await session.search("zzyzx")
        assert session.message == "Nothing found."
        assert "0 of 4" in session.status
        await session.search("boiler type:pdf")
        assert session.message == "Nothing found of type pdf."

    drive(library, scenario)


def test_errors_are_toasts_once_and_the_next_search_works(library: Library) -> None:
    async def scenario(session: Session) -> None:
        while not session.status.startswith("semantic"):
            await session.press("ctrl+t")
        for query in ("broken", "broken pipes"):
            await session.search(query)
            assert session.toasts == ["The model folder is damaged [really]. Import it again. Search by words: Mode"]
        assert "not answered" in session.status
        await session.until(lambda: "The model folder is damaged [really]" in session.seen)
        await session.search("boiler")
        assert session.names

    drive(library, scenario)


def test_an_unexpected_failure_costs_one_search_only(library: Library) -> None:
    async def scenario(session: Session) -> None:
        session.box.value = "crash"
        await session.until(lambda: "ZeroDivisionError: [oops" in session.seen)
        await session.search("boiler")
        assert session.names

    drive(library, scenario)


def test_what_files_say_is_shown_as_it_is_written_and_control_signs_as_signs(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("walrus")
        expected = "Walrus [bold]x[/bold] [@click=app.quit]y[/] ␛[31mred␛[0m ␦2Jend [not closed"
        assert session.names[0] == "hostile.txt"
        await session.until(lambda: session.preview().plain.strip() == expected)
        assert marked_text(session.preview()) == ["Walrus"]
        shown = session.seen
        assert expected in shown
        assert not [sign for sign in shown if sign != "\n" and (ord(sign) < 32 or 127 <= ord(sign) < 160)]

    drive(library, scenario, columns=160)


def test_the_hint_to_an_empty_library_is_the_engines_own(tmp_path: Path) -> None:
    with (
        Library(tmp_path, embedder=HashEmbedder()) as library,
        pytest.raises(CollectionNotFoundError, match="Nothing is indexed yet"),
    ):
        library.search("boiler")


def test_what_is_indexed_meanwhile_is_found(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await asyncio.to_thread(library.index, folder)
        await session.search("boiler")
        assert session.names == ["boiler.md"]
        assert session.status.endswith("notes")

    folder = write_files(tmp_path / "notes", {"boiler.md": FILES["boiler.md"]})
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        drive(library, scenario)


def test_quitting_during_a_run_says_what_is_left_and_how_it_goes_on(library: Library) -> None:
    def work(_: Library, job: Job) -> str:
        job.listen(Progress("Reading", 12, 40, "files"))
        assert job.stopped.wait(20)
        return ""

    async def scenario(session: Session) -> None:
        job = session.app.jobs.submit(Job(JobKind.INDEX, "notes", work))
        await session.until(lambda: job.meter.progress)
        await session.press("ctrl+q")
        await session.until(lambda: isinstance(session.app.screen, Confirm))
        said = "Index notes: Reading 12 of 40 files. What is read and embedded is kept; it goes on from there:"
        await session.until_seen("Index notes: Reading 12 of 40 files.", "What is read and embedded is kept")
        await session.press("enter")  # stays
        assert job.is_active and not isinstance(session.app.screen, Confirm)
        await session.press("ctrl+q", "ctrl+q")
        (line,) = session.app.left_undone
        assert line.startswith(said) and line.endswith("index -c notes")

    drive(library, scenario)


def test_quitting_asks_nothing_where_nothing_is_under_way(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.press("ctrl+q")
        assert not session.app.is_running or not isinstance(session.app.screen, Confirm)
        assert session.app.left_undone == []

    drive(library, scenario)
