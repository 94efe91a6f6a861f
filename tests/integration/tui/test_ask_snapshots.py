"""Pictures of the ask screen.

To renew them: pytest tests/integration/tui --snapshot-update.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.types import Evidence, Hit
from searchkit_tui.ask.reply import Answerer
from searchkit_tui.ask.screen import AskScreen
from tests.integration.tui.test_ask import Script
from tests.support.small_app import Driver, SmallApp

Compare = Callable[..., bool]
ANSWER = (
    "Three months' notice are due [1], and by **letter**: a mail is not enough [2]. See http://example.org/\x1b[31m."
    "\n\nIf the rent rises, the contract can be ended early [1]."
)


def hit(name: str, text: str, **place: Any) -> Hit:
    evidence = Evidence(0.61, 4.2, ("notice", "period"))
    fields = {"heading": "Rent › Ending it", "page": None, "line": 12, "line_end": 15, **place}
    return Hit(
        "house",
        Path("/home/ada/house") / name,
        score=0.7,
        text=text,
        snippet=text,
        marks=(),
        evidence=evidence,
        **fields,
    )


SOURCES = (
    hit("contract.pdf", "The notice period is three months to the end of a month.", page=4, line=None),
    hit("letters/2024-03 賃貸.md", "Notice has to be given by letter; שלום a mail or a call is not enough."),
    hit("rules.txt", "Rules of the house. Bicycles belong in the cellar."),
)


class FixedAnswerer:
    """Gives one answer and does not end."""

    name = "scripted-1b"
    advice = ""

    def answer(self, question: str, collections: Sequence[str]) -> Script:
        assert question and not collections
        return Script(SOURCES, [ANSWER, ""], Event())

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("size", "key", "place"),
    [((120, 36), "2", "/home/ada/house/letters"), ((80, 24), "1", "[1] contract.pdf, page 4 /home/ada/house")],
    ids=["wide", "narrow"],
)
def test_an_answer_that_is_coming(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snap_compare: Compare,
    size: tuple[int, int],
    key: str,
    place: str,
) -> None:
    async def shown(pilot: Pilot[None]) -> None:
        user = Driver(pilot.app, pilot)
        await user.until(lambda: "early" in str(pilot.app.screen.query_one("#answer", Static).content))
        await user.press(key)
        await user.settle(place)

    def open_answerer(_: Library) -> Answerer:
        return FixedAnswerer()

    monkeypatch.delenv("NO_COLOR", raising=False)
    library = Library(tmp_path)
    app = SmallApp(lambda _: AskScreen(library, "what is the notice period", (), open_answerer=open_answerer))
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=size, run_before=shown)


def test_without_a_language_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snap_compare: Compare) -> None:
    class Found(Library):
        def sibling(self) -> Library:
            return self

        def search(self, *_: Any, **__: Any) -> list[Hit]:
            return list(SOURCES)

    async def shown(pilot: Pilot[None]) -> None:
        await Driver(pilot.app, pilot).settle("3 passages found", "[3] rules.txt:12")

    def open_answerer(_: Library) -> Answerer:
        raise ModelError("No language model was found. Start a server with one, or install the embedded one.")

    monkeypatch.delenv("NO_COLOR", raising=False)
    app = SmallApp(lambda _: AskScreen(Found(tmp_path), "what is the notice period", (), open_answerer=open_answerer))
    app.animation_level = "none"
    assert snap_compare(app, terminal_size=(100, 30), run_before=shown)
