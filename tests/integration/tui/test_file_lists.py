"""Files in place of passages: in an empty box, and where a query says too little."""

import os
from pathlib import Path

import pytest

from searchkit.library import Library
from searchkit.types import SearchMode
from searchkit_tui.rendering.file_names import MATCH_STYLE
from tests.support.driving import GatedEmbedder, Session, drive
from tests.support.files import write


@pytest.fixture
def library(library: Library, tmp_path: Path) -> Library:
    for days, name in enumerate(("garden.md", "notes.md", "boiler.md", "hostile.txt")):
        os.utime(tmp_path / "notes" / name, (2_000_000_000 - days * 86_400,) * 2)
    library.index(tmp_path / "notes")
    return library


def title(session: Session) -> str:
    return str(session.results.border_title)


def test_an_empty_box_shows_recent_files_before_the_model_is_loaded(library: Library, embedder: GatedEmbedder) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: session.names == ["garden.md", "notes.md", "boiler.md", "hostile.txt"])
        await session.until(lambda: "loading the model" in session.status)
        assert "hybrid · 4 files" in session.status
        assert title(session) == "Recent files"
        assert session.message.startswith("Type to search notes.")
        await session.until(lambda: "garden.md" in session.heading and "pruning" in session.preview().plain)
        assert "2033-05-18  garden.md" in session.seen
        await session.press("down")
        await session.until(lambda: "notes.md" in session.heading)
        embedder.warm.set()

    embedder.warm.clear()
    drive(library, scenario)


def test_a_letter_shows_names_and_marks_it_and_more_letters_passages(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("m")
        assert session.names[0] == "garden.md"  # all are Markdown, and none is named so
        await session.search("b")
        assert (title(session), session.names) == ("Files named b…", ["boiler.md"])
        assert session.message == ""
        prompt = session.results.get_option_at_index(0).prompt
        marked = [prompt.plain[span.start : span.end] for span in prompt.spans if span.style == MATCH_STYLE]  # type: ignore[union-attr]
        assert marked == ["b"]
        await session.search("boiler")
        assert title(session) == ""
        assert "passages" in session.status
        await session.search("the")
        assert title(session) == "Recent files: the alone says too little"
        assert session.names[0] == "garden.md"
        await session.press("escape")
        await session.until(lambda: title(session) == "Recent files")

    drive(library, scenario)


@pytest.mark.parametrize("mode", list(SearchMode))
def test_files_are_listed_in_every_mode(library: Library, mode: SearchMode) -> None:
    async def scenario(session: Session) -> None:
        session.app.screen.action_mode(mode.value)  # type: ignore[attr-defined]
        await session.search("g")
        assert session.names == ["garden.md"]

    drive(library, scenario)


def test_recent_files_follow_the_store(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: len(session.names) == 4)
        path = write(tmp_path / "notes" / "today.md", "# Today\n\nIt rains.\n")
        os.utime(path, (2_000_000_100,) * 2)
        with Library(library.home, embedder=GatedEmbedder()) as other:
            other.index(tmp_path / "notes")
        await session.until(lambda: session.names[:2] == ["today.md", "garden.md"])
        assert session.selected == "garden.md"

    drive(library, scenario)


def test_what_is_opened_from_a_list_of_files_answers_no_query(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("b")
        assert session.app.screen._on_hits.chosen == [(session.results.selected_hit, "")]  # type: ignore[attr-defined]
        await session.press("alt+y")
        assert session.app.clipboard.endswith("boiler.md")

    drive(library, scenario)
