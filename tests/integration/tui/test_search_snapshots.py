"""Pictures of the search screen as it was looked at and found right.

To renew them: pytest tests/integration/tui --snapshot-update.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from searchkit.library import Library
from searchkit_tui.app import SearchApp
from searchkit_tui.settings.saved_state import save_theme
from tests.support.driving import GatedEmbedder, Session, write_files
from tests.support.hash_embedder import HashEmbedder

DOCUMENTS = {
    "heating/boiler.md": (
        "# Heating\n\nThe boiler stands in the cellar, behind the **green** door.\n\n## When it is cold\n\n"
        "The boiler pressure is too low if the house stays cold. Fill it up to `1.5 bar`:\n\n"
        "- open the blue tap by a quarter turn\n- watch the gauge\n- close it again\n\n"
        "## Who repairs it\n\nMrs Okafor, 0123 4567. She wants to know the model: see [the plate](plate.md).\n"
    ),
    "heating/gauge.py": (
        '"""Reads the pressure gauge of the boiler."""\n\nLOW_BAR = 1.2\n\n\ndef is_low(readings):\n'
        '    """Whether the pressure was low at all times."""\n    return max(readings) < LOW_BAR  # not the mean\n'
    ),
    "garden.md": "# Garden\n\nThe apple tree needs pruning in February, while the pressure of the sap is low.\n",
    "世界/שלום 汽車.txt": "שלום! The boiler pressure, 圧力が低い, is too low \x1b[31m.\n",
}
Compare = Callable[..., bool]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    for name, text in DOCUMENTS.items():
        path = tmp_path / "house" / name
        write_files(path.parent, {path.name: text})
    monkeypatch.chdir(tmp_path)  # paths are shown from here
    monkeypatch.delenv("NO_COLOR", raising=False)
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        library.index(tmp_path / "house")
        yield library


def app_over(library: Library) -> SearchApp:
    """Each search takes no time at all."""
    app = SearchApp(library, clock=lambda: 0.0)
    app.animation_level = "none"
    return app


def asked(query: str, *keys: str, sees: str = "") -> Callable[[Pilot[Any]], Any]:
    """Types a query, waits for its answer and its preview, presses keys, and waits for what they bring."""

    async def ask(pilot: Pilot[Any]) -> None:
        assert isinstance(pilot.app, SearchApp)
        session = Session(pilot.app, pilot)
        await session.until(lambda: "loading" not in session.status and session.status_line.coverages)
        if query:
            await session.search(query)
            await session.until(lambda: not session.names or session.preview().plain)
        session.box.cursor_blink = False
        await session.press(*keys)
        await pilot.app.workers.wait_for_complete()
        await session.settle(sees)

    return ask


def test_wide_and_dark(library: Library, snap_compare: Compare) -> None:
    assert snap_compare(app_over(library), terminal_size=(120, 30), run_before=asked("house stays cold"))


def test_wide_and_light(library: Library, snap_compare: Compare) -> None:
    save_theme(library.home, "textual-light")
    assert snap_compare(
        app_over(library),
        terminal_size=(120, 30),
        run_before=asked("boiler pressure low", "down", sees="LOW_BAR = 1.2"),
    )


def test_narrow(library: Library, snap_compare: Compare) -> None:
    assert snap_compare(app_over(library), terminal_size=(80, 24), run_before=asked("house stays cold type:md"))


def test_code(library: Library, snap_compare: Compare) -> None:
    assert snap_compare(app_over(library), terminal_size=(100, 24), run_before=asked("low readings type:py"))


def test_signs_of_many_writings(library: Library, snap_compare: Compare) -> None:
    assert snap_compare(app_over(library), terminal_size=(100, 24), run_before=asked("圧力 type:txt"))


def test_help(library: Library, snap_compare: Compare) -> None:
    assert snap_compare(
        app_over(library), terminal_size=(100, 44), run_before=asked("boiler", "f1", sees="Query syntax")
    )


def test_filters(library: Library, snap_compare: Compare) -> None:
    assert snap_compare(
        app_over(library),
        terminal_size=(100, 34),
        run_before=asked("boiler since:2020", "ctrl+f", sees="text (1 file)"),
    )


def test_nothing_found(library: Library, snap_compare: Compare) -> None:
    ask = asked('boiler "green gate" type:pdf')
    assert snap_compare(app_over(library), terminal_size=(80, 24), run_before=ask)


def test_nothing_indexed(tmp_path: Path, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def wait(pilot: Pilot[Any]) -> None:
        assert isinstance(pilot.app, SearchApp)
        session = Session(pilot.app, pilot)
        session.box.cursor_blink = False
        await pilot.app.workers.wait_for_complete()
        await session.settle("Nothing is indexed yet.")

    with Library(tmp_path, embedder=HashEmbedder()) as library:
        assert snap_compare(app_over(library), terminal_size=(80, 24), run_before=wait)


def test_error(tmp_path: Path, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_files(tmp_path / "house", {"boiler.md": "The boiler is cold.\n"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    with Library(tmp_path / "home", embedder=GatedEmbedder()) as library:
        library.index(folder)
        assert snap_compare(app_over(library), terminal_size=(100, 24), run_before=asked("broken pipes"))
