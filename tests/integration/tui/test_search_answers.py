"""Which answers are shown when: by words first where meaning takes its time, never for what is asked no more."""

import asyncio
from pathlib import Path

import pytest

from searchkit.display import note_text
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit_tui.jobs.work import index_folder
from tests.support.driving import FILES, GatedEmbedder, Session, drive, write_files
from tests.support.hash_embedder import HashEmbedder


def add_slow_boilers(library: Library, folder: Path) -> None:
    """Files that a query finds by words whose meaning waits."""
    files = {"one.md": "The slow boiler of the first floor.\n", "two.md": "Another boiler, slow as well.\n"}
    library.index(write_files(folder / "slow", files))


def test_while_the_model_loads_hits_by_words_are_there_already(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: "loading the model" in session.status)
        await session.type("boiler")
        await session.until(lambda: session.names == ["boiler.md", "notes.md"])
        await session.until(lambda: "searching by meaning…" in session.status)
        embedder.warm.set()
        await session.until(lambda: session.answered_query == "boiler")
        assert len(session.names) == 4  # by meaning, all of them are more or less near
        await session.until(lambda: "hash" in session.status)
        assert "by words" not in session.status

    embedder.warm.clear()
    drive(library, scenario)


def test_when_meaning_takes_longer_words_come_first_and_the_selection_is_kept(
    library: Library, embedder: GatedEmbedder, tmp_path: Path
) -> None:
    async def scenario(session: Session) -> None:
        await session.search("apple")
        session.box.value = "slow boiler"
        await session.until(lambda: sorted(session.names[:2]) == ["one.md", "two.md"])
        await session.until(lambda: "searching by meaning…" in session.status)
        await session.press("down")
        chosen = session.selected
        embedder.gate.set()
        await session.until(lambda: session.answered_query == "slow boiler")
        assert session.selected == chosen
        assert len(session.names) > 2

    add_slow_boilers(library, tmp_path)
    drive(library, scenario)


def test_who_has_not_moved_gets_the_best_of_the_whole_answer(
    library: Library, embedder: GatedEmbedder, tmp_path: Path
) -> None:
    async def scenario(session: Session) -> None:
        session.box.value = "slow boiler"
        await session.until(lambda: session.names)
        embedder.gate.set()
        await session.until(lambda: session.answered_query == "slow boiler")
        assert session.results.highlighted == 0

    add_slow_boilers(library, tmp_path)
    drive(library, scenario)


def test_an_answer_by_words_to_an_older_query_never_lands(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        await session.search("walrus")
        before = session.names
        session.box.value = "slow boiler"
        await session.until(embedder.is_waiting.is_set)
        session.box.value = "slow xylophone"
        await session.pilot.pause(0.4)  # what there was by words for the first one would have come by now
        assert session.names == before
        embedder.gate.set()
        await session.until(lambda: session.answered_query == "slow xylophone")

    drive(library, scenario)


def test_where_meaning_fails_hits_by_words_are_shown_all_the_same(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        session.box.value = "broken boiler"
        await session.until(lambda: session.names[:1] == ["boiler.md"])
        await session.until(lambda: "searched by words alone: The model folder is damaged [really]" in session.seen)
        assert session.toasts == []

    library.index(write_files(tmp_path / "broken", {"boiler.md": "A broken boiler.\n"}))
    drive(library, scenario)


@pytest.mark.parametrize("mode", ["semantic", "lexical"])
def test_other_modes_are_answered_in_one_go(library: Library, mode: str) -> None:
    async def scenario(session: Session) -> None:
        while not session.status.startswith(mode):
            await session.press("ctrl+t")
        await session.search("boiler")
        assert "so far" not in session.status
        assert session.names

    drive(library, scenario)


def test_a_model_that_cannot_be_loaded_is_said_once_and_words_still_work(
    library: Library, embedder: GatedEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from searchkit.errors import ModelError

    def fail(*_: object) -> None:
        raise ModelError("The model is gone. Import it again.")

    async def scenario(session: Session) -> None:
        await session.until(lambda: session.toasts == ["The model is gone. Import it again. Search by words: Mode"])
        await session.press("ctrl+t", "ctrl+t")
        await session.search("boiler")
        assert session.names == ["boiler.md", "notes.md"]

    monkeypatch.setattr(embedder, "embed_queries", fail)
    drive(library, scenario)


def test_indexing_shows_its_progress_while_searches_go_on(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        runner = session.app.jobs
        runner.submit(index_folder(folder, "notes"))
        await session.until(lambda: "Index notes: " in session.status)
        await session.until(lambda: library.collections() and library.collection("notes").coverage().chunks)
        session.box.value = "boiler"
        await session.until(lambda: session.names)
        assert runner.active
        await session.until(lambda: "% by meaning, the rest by words" in session.status)
        await session.until(lambda: not runner.active)
        await session.until(lambda: "Index notes" not in session.status and "by meaning" not in session.status)
        assert " of 60" in session.status

    files = {f"{number}.md": f"# Note {number}\n\nThe boiler has part {number}.\n" for number in range(60)}
    folder = write_files(tmp_path / "notes", files)
    with Library(tmp_path / "home", embedder=HashEmbedder(delay_seconds=0.06)) as library:
        drive(library, scenario, columns=200)


def test_when_a_collection_is_there_that_was_not_the_query_is_asked_again(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("zeppelin")
        assert "airship.md" not in session.names
        session.app.jobs.submit(index_folder(folder, "more"))
        await session.until(lambda: "airship.md" in session.names)
        assert session.status.endswith("more, notes")

    folder = write_files(tmp_path / "more", {"airship.md": "A zeppelin is an airship.\n", **FILES})
    drive(library, scenario, columns=200)


@pytest.mark.parametrize(
    "query", ['why is the boiler pressure so low "green gate"', "boiler tpye:md", "quokka xylophone", "pressure"]
)
def test_notes_are_those_of_the_response_in_words(library: Library, query: str) -> None:
    async def scenario(session: Session) -> None:
        await session.search(query)
        assert session.notes == [note_text(note) for note in library.find(SearchRequest(query)).notes]

    drive(library, scenario)


def test_typing_is_not_held_up_by_a_search(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        session.box.value = "slow"
        await session.until(embedder.is_waiting.is_set)
        await asyncio.wait_for(session.type(" and more"), timeout=5)
        assert session.box.value == "slow and more"

    drive(library, scenario)


def test_a_collection_that_was_chosen_and_is_forgotten_is_searched_no_more(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        assert "one.md" in session.names
        Library(library.home).collection("slow").delete()
        session.box.value = "boiler pressure"
        await session.until(lambda: session.names[:1] == ["boiler.md"])
        assert session.toasts == ["There is no collection slow. Now searching all collections."]
        assert session.status.endswith("· notes")

    add_slow_boilers(library, tmp_path)
    drive(library, scenario, collections=["slow"])


def test_a_collection_that_never_was_is_told_at_the_start(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: session.toasts)
        assert session.toasts == ["There is no collection nope. Now searching notes."]
        await session.until(lambda: session.message.startswith("Type to search notes"))

    drive(library, scenario, collections=["nope", "notes"])
