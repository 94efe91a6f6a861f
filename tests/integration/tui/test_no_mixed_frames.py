"""Every frame that is drawn: the preview is of one file, and what answers an older query is dimmed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style

from searchkit.library import Library
from searchkit_tui.app import SearchApp
from searchkit_tui.search.preview import Preview
from tests.support.driving import GatedEmbedder, Session, drive, write_files
from tests.support.hash_embedder import HashEmbedder

_NAMES = ("walrus", "lantern", "quarry", "thimble", "meadow", "anchor")


def _watch_frames(app: SearchApp, look: Callable[[], None]) -> None:
    """Look after every frame."""
    draw = app._display

    def drawn(*frame: Any) -> None:
        draw(*frame)
        look()

    app._display = drawn  # type: ignore[method-assign, assignment]


def test_no_frame_shows_the_heading_of_one_file_and_the_text_of_another(tmp_path: Path) -> None:
    frames: list[tuple[set[str], set[str]]] = []

    async def scenario(session: Session) -> None:
        def look() -> None:
            preview = session.app.screen_stack[0].query_one(Preview).region
            lines = session.seen.split("\n")[preview.y : preview.bottom]
            seen = "".join(line[preview.x : preview.right].strip("│ ") for line in lines)  # paths are wrapped
            frames.append((set(re.findall(r"docs/(\w+)\.md", seen)), set(re.findall(r"tale of (\w+)", seen))))

        await session.search("common")
        _watch_frames(session.app, look)
        for key in ("down", "down", "alt+e", "down", "tab", "up", "down", "ctrl+o", "ctrl+o", "up"):
            await session.press(key)
            selected = session.selected
            await session.until(lambda: selected in session.heading or not session.heading)  # noqa: B023 (at once)
        await session.search("common anchor")
        await session.search("common meadow")

    # Of different lengths, so that other lines are drawn anew.
    files = {f"{name}.md": "\n\n".join([f"The common tale of {name}."] * (at + 1)) for at, name in enumerate(_NAMES)}
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        library.index(write_files(tmp_path / "docs", files))
        drive(library, scenario)
    assert len({name for heading, _ in frames for name in heading}) > 3
    assert not [frame for frame in frames if frame[0] != frame[1]]


def _style_of(session: Session, text: str) -> Style:
    """How a text in the list of hits is drawn."""
    strips = session.app.screen._compositor.render_strips()
    return next(part.style for strip in strips for part in strip if text in part.text and part.style)


@pytest.mark.parametrize("is_plain", [False, True])
def test_hits_of_an_older_query_are_drawn_dimmed_until_fresh_ones_come(
    library: Library, embedder: GatedEmbedder, monkeypatch: pytest.MonkeyPatch, *, is_plain: bool
) -> None:
    texts = ("garden.md", "Heating")  # in the list, in the preview

    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.settle(*texts)
        before = [_style_of(session, text) for text in texts]
        session.box.value = "slow qqq"  # no words are found, and the meaning waits for the gate
        await session.until(embedder.is_waiting.is_set)
        await session.settle(*texts)
        for text, style in zip(texts, before, strict=True):
            assert _style_of(session, text).color != style.color, text  # a grey, where there are no colours
        embedder.gate.set()
        await session.until(lambda: session.answered_query == "slow qqq")
        await session.search("boiler pressure")
        await session.settle(*texts)
        assert [_style_of(session, text) for text in texts] == before

    if is_plain:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    drive(library, scenario)
