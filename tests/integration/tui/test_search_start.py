"""The first start, and what is kept for the next one."""

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest

from searchkit.library import Library
from searchkit.types import Passage
from searchkit_indexes import Vectors
from searchkit_tui.collections.add_folder import AddFolder
from searchkit_tui.jobs.work import index_folder
from searchkit_tui.search import body
from searchkit_tui.search.body import Welcome, sample_folder
from tests.support.driving import FILES, Session, drive, write_files
from tests.support.hash_embedder import HashEmbedder


def test_an_empty_library_explains_itself(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        shown = session.seen
        assert "Nothing is indexed yet." in shown
        assert "Everything stays on this computer." in shown
        assert "Try the samples (Enter)" in shown
        assert "Ctrl+N" in shown
        await session.type("oil")
        await session.pilot.pause(0.3)
        assert session.app.screen.query_one(Welcome).display
        assert session.toasts == []
        assert session.app.focused is session.box

    with Library(tmp_path, embedder=HashEmbedder()) as library:
        drive(library, scenario, columns=80, rows=24)


@pytest.mark.parametrize("by", ["enter", "mouse"])
def test_the_samples_are_indexed_at_a_key_and_can_be_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    async def scenario(session: Session) -> None:
        if by == "enter":
            await session.press("enter")
        else:
            await session.pilot.click("#samples")
        await session.until(lambda: session.message.startswith("Type to search"))
        session.box.value = "boiler"
        await session.until(lambda: session.names[:1] == ["boiler.md"])

    folder = write_files(tmp_path / "samples", FILES)
    for place in ("searchkit_tui.search.screen", "searchkit_tui.search.body"):
        monkeypatch.setattr(f"{place}.sample_folder", lambda: folder)
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        drive(library, scenario)


def test_ctrl_n_asks_for_a_folder(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.press("ctrl+n")
        await session.until(lambda: isinstance(session.app.screen, AddFolder))
        await session.press("escape")
        await session.until(lambda: not isinstance(session.app.screen, AddFolder))

    with Library(tmp_path, embedder=HashEmbedder()) as library:
        drive(library, scenario)


def test_without_a_checkout_there_are_no_samples_to_offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(session: Session) -> None:
        assert "samples" not in session.seen
        await session.press("enter")
        assert session.app.screen.query_one(Welcome).display

    for place in ("searchkit_tui.search.screen", "searchkit_tui.search.body"):
        monkeypatch.setattr(f"{place}.sample_folder", lambda: None)
    with Library(tmp_path, embedder=HashEmbedder()) as library:
        drive(library, scenario)


def test_the_samples_lie_in_the_checkout() -> None:
    folder = sample_folder()
    assert folder is not None
    assert (folder / "notes").is_dir()
    assert body.sample_folder is sample_folder


def test_the_theme_is_kept_for_the_next_session(library: Library) -> None:
    async def first(session: Session) -> None:
        session.app.choose_theme("textual-light")
        await session.until((library.home.path / "tui.json").exists)

    async def second(session: Session) -> None:
        assert session.app.theme == "textual-light"

    drive(library, first)
    assert json.loads((library.home.path / "tui.json").read_text()) == {"theme": "textual-light"}
    drive(library, second)


@pytest.mark.parametrize("kept", ["", "{", '{"theme": "no such"}', '{"theme": 7}', "[]"])
def test_a_kept_theme_that_makes_no_sense_is_ignored(library: Library, kept: str) -> None:
    async def scenario(session: Session) -> None:
        assert session.app.theme == "textual-dark"

    (library.home.path / "tui.json").write_text(kept)
    drive(library, scenario)


def test_no_color_leaves_every_sign_in_place(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(session: Session) -> None:
        assert session.app.no_color
        await session.search("pressure")
        await session.until(lambda: "pressure" in session.preview().plain)
        strips = session.app.screen._compositor.render_strips()
        assert [
            part
            for strip in strips
            for part in strip
            if part.text == "pressure" and part.style and part.style.underline
        ]
        assert any(strip.text.startswith("▌ 0.") or strip.text.startswith("▌ 1.") for strip in strips)

    monkeypatch.setenv("NO_COLOR", "1")
    drive(library, scenario)


class LateEmbedder(HashEmbedder):
    """Embeds passages once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Event()

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        assert self.gate.wait(20)
        return super().embed_documents(passages)


def test_who_asks_before_anything_is_read_is_answered_once_it_is(tmp_path: Path) -> None:
    embedder = LateEmbedder()

    async def scenario(session: Session) -> None:
        await session.type("pressure")
        await session.until(
            lambda: session.status_line.answer is None and session.app.screen.query_one(Welcome).display
        )
        session.app.jobs.submit(index_folder(folder, library.collection_for(folder)))
        await session.until(lambda: session.names[:1] == ["boiler.md"])
        assert session.app.jobs.at_work is not None  # nothing is embedded yet
        embedder.gate.set()

    folder = write_files(tmp_path / "notes", FILES)
    with Library(tmp_path / "home", embedder=embedder) as library:
        try:
            drive(library, scenario)
        finally:
            embedder.gate.set()


def test_a_query_without_hits_says_that_files_are_still_read_and_is_asked_again(tmp_path: Path) -> None:
    embedder = LateEmbedder()

    async def scenario(session: Session) -> None:
        session.app.jobs.submit(index_folder(folder, library.collection_for(folder)))
        await session.until(lambda: session.message.startswith("Reading your files."))
        assert not session.app.screen.query_one(Welcome).display
        await session.press("enter")  # which would index the samples if the welcome were there still
        await session.until(lambda: session.status_line.coverages)
        session.box.value = "zebra"
        await session.until(lambda: "Files are still being read" in session.message)
        (folder / "zebra.md").write_text("The zebra is here.\n")
        session.app.jobs.submit(index_folder(folder, library.collection_for(folder)))
        embedder.gate.set()
        await session.until(lambda: "zebra.md" in session.names)
        assert library.collections() == ["notes"]

    folder = write_files(tmp_path / "notes", {})
    (folder / "one.md").write_text("Something else.\n")
    with Library(tmp_path / "home", embedder=embedder) as library:
        try:
            drive(library, scenario)
        finally:
            embedder.gate.set()


def test_the_welcome_names_the_keys_as_they_are_set(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: "F7 chooses a folder" in session.seen)
        assert "Ctrl+J tries it" in session.seen
        assert "(F7)" in session.seen
        assert "Ctrl+N" not in session.seen

    (tmp_path / "config.toml").write_text('[keys]\nindex = "f7"\nopen = "ctrl+j"\n')
    with Library(tmp_path, embedder=HashEmbedder()) as library:
        drive(library, scenario)
