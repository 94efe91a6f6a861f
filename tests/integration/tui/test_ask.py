"""The ask screen: without anything that answers, and with a scripted answerer."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual import events
from textual.widgets import Input, OptionList, Static

from searchkit.errors import ModelError
from searchkit.library import Library
from searchkit.types import Hit
from searchkit_tui.ask.content import answer_text
from searchkit_tui.ask.reply import Answerer, AnswerStream, OpenAnswerer
from searchkit_tui.ask.screen import AskScreen
from searchkit_tui.ask.sources_pane import SourcesPane
from searchkit_tui.settings.saved_state import History
from tests.support.hash_embedder import HashEmbedder
from tests.support.small_app import User, shown

ANSWER = ("Top up the water ", "until two bar [1]. ", "Roses are another matter [2].")


class Script:
    """An answer that comes piece by piece, each after the first once it is let go."""

    def __init__(self, sources: Sequence[Hit], pieces: Sequence[str], gate: Event) -> None:
        self.sources = sources
        self.findings: Sequence[str] = ()
        self._pieces = pieces
        self._gate = gate
        self.stopped = Event()

    def __iter__(self) -> Iterator[str]:
        for number, piece in enumerate(self._pieces):
            while number and not self._gate.wait(0.01):
                if self.stopped.is_set():
                    return
            yield piece

    def stop(self) -> None:
        self.stopped.set()


class ScriptedAnswerer:
    """Answers every question alike, from what a search finds."""

    name = "scripted-1b"
    advice = ""

    def __init__(self, library: Library, pieces: Sequence[str] = ANSWER, *, waits: bool = False) -> None:
        self._library = library
        self._pieces = pieces
        self.gate = Event()
        if not waits:
            self.gate.set()
        self.questions: list[str] = []
        self.streams: list[Script] = []
        self.is_closed = False

    def answer(self, question: str, collections: Sequence[str]) -> AnswerStream:
        if "impossible" in question:
            raise ModelError("The model file is damaged [really]. Get it again.")
        self.questions.append(question)
        hits = self._library.search(question, k=3, collections=collections)
        self.streams.append(Script(hits, self._pieces, self.gate))
        return self.streams[-1]

    def close(self) -> None:
        self.is_closed = True


def none_found(_: Library) -> Answerer:
    """Never looks for a server, of which one may run on this machine."""
    raise ModelError("No language model was found.")


def drive(
    library: Library,
    scenario: Callable[[User], Coroutine[Any, Any, None]],
    open_answerer: OpenAnswerer = none_found,
    question: str = "boiler pressure",
    size: tuple[int, int] = (120, 40),
) -> None:
    async def run() -> None:
        async with shown(lambda _: AskScreen(library, question, (), open_answerer=open_answerer), size) as user:
            await scenario(user)

    asyncio.run(run())


def answer_of(user: User) -> str:
    return str(user.app.screen.query_one("#answer", Static).content)


def state_of(user: User) -> str:
    return str(user.app.screen.query_one("#state", Static).content)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty one."""
    with Library(tmp_path / "home", embedder=HashEmbedder()) as opened:
        yield opened


@pytest.fixture
def filled(library: Library, docs: Path) -> Library:
    library.index(docs)
    return library


@pytest.fixture
def answerer(filled: Library) -> ScriptedAnswerer:
    return ScriptedAnswerer(filled)


def test_an_answerer_that_is_not_set_up_says_what_to_do(filled: Library) -> None:
    def open_answerer(_: Library) -> Answerer:
        raise ModelError("No language model is installed. Get one: searchkit llm pull [small]")

    async def scenario(user: User) -> None:
        await user.until_seen("[1]", "boiler.md")
        assert answer_of(user).startswith("No language model is installed. Get one: searchkit llm pull [small]")
        await user.press("1")
        await user.until_seen("Top up the water until the gauge shows two bar.")

    drive(filled, scenario, open_answerer)


def test_an_answer_streams_and_names_its_sources(filled: Library) -> None:
    answerer = ScriptedAnswerer(filled, waits=True)

    async def scenario(user: User) -> None:
        await user.until(lambda: answer_of(user) == ANSWER[0])
        assert "scripted-1b is answering" in state_of(user)
        answerer.gate.set()
        await user.until(lambda: answer_of(user) == "".join(ANSWER))
        await user.until(lambda: "it cites [1], [2]" in state_of(user))
        assert answerer.is_closed

    drive(filled, scenario, lambda _: answerer)


def test_what_the_checks_found_stands_below_and_joined_sources_get_the_page_that_is_cited(filled: Library) -> None:
    class Checked(Script):
        def __iter__(self) -> Iterator[str]:
            yield from super().__iter__()
            self.sources = [replace(self.sources[0], place="page 4"), *self.sources[1:]]
            self.findings = ["1 sentence is marked (differs): look at it.", "Removed [9] from the answer."]

    class Checking(ScriptedAnswerer):
        def answer(self, question: str, collections: Sequence[str]) -> AnswerStream:
            first = replace(self._library.search(question, k=1, collections=collections)[0], place="pages 3–4")
            return Checked([first, *self._library.search("roses", k=1)], self._pieces, self.gate)

    answerer = Checking(filled, ("Two bar [1]. (differs)", " Or three."), waits=True)

    async def scenario(user: User) -> None:
        await user.until_seen("pages 3–4")
        await user.press("2")
        await user.until(lambda: "roses" in str(user.app.screen.query_one("#source", Static).content))
        answerer.gate.set()
        await user.until_seen("marked (differs): look at it.", "Removed [9] from the answer.")
        await user.until(lambda: "pages 3–4" not in user.seen)
        assert "page 4" in user.seen
        assert user.app.screen.query_one("#sources", OptionList).highlighted == 1
        assert "roses" in str(user.app.screen.query_one("#source", Static).content)

    drive(filled, scenario, lambda _: answerer)


def test_escape_stops_the_answer_and_then_goes_back(filled: Library) -> None:
    answerer = ScriptedAnswerer(filled, waits=True)

    async def scenario(user: User) -> None:
        await user.until(lambda: answer_of(user) == ANSWER[0])
        await user.press("escape")
        await user.until(lambda: "Stopped" in state_of(user))
        assert answerer.streams[0].stopped.is_set()
        assert isinstance(user.app.screen, AskScreen)
        assert answer_of(user) == ANSWER[0]
        await user.press("escape")
        assert not isinstance(user.app.screen, AskScreen)

    drive(filled, scenario, lambda _: answerer)


def test_leaving_stops_the_answer(filled: Library) -> None:
    answerer = ScriptedAnswerer(filled, waits=True)

    async def scenario(user: User) -> None:
        await user.until(lambda: answer_of(user) == ANSWER[0])
        user.app.pop_screen()
        await user.until(lambda: answerer.is_closed)

    drive(filled, scenario, lambda _: answerer)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_a_number_jumps_to_its_source(filled: Library, answerer: ScriptedAnswerer, size: tuple[int, int]) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: "answered" in state_of(user))
        for number in ("2", "1"):
            await user.press(number)
            shown_source = str(user.app.screen.query_one("#source", Static).content)
            assert shown_source.startswith(f"[{number}] ")
            assert user.app.screen.query_one("#sources", OptionList).highlighted == int(number) - 1
        await user.until_seen("Top up the water until the gauge shows two bar.")
        await user.press("9")
        assert str(user.app.screen.query_one("#source", Static).content).startswith("[1] ")
        assert user.footer_keys <= 5  # and one of the app

    drive(filled, scenario, lambda _: answerer, size=size)


def test_a_number_in_the_answer_can_be_clicked(filled: Library, answerer: ScriptedAnswerer) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: "answered" in state_of(user))
        offset = "".join(ANSWER).index("[2]")
        pane = user.app.screen.query_one("#answer")
        await user.pilot.click(pane, offset=(offset + 1, 0))
        await user.until(lambda: str(user.app.screen.query_one("#source", Static).content).startswith("[2] "))

    drive(filled, scenario, lambda _: answerer, size=(240, 40))


def test_a_source_can_be_chosen_with_the_mouse(filled: Library, answerer: ScriptedAnswerer) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: "answered" in state_of(user))
        await user.pilot.click("#sources", offset=(5, 2))
        await user.until(lambda: str(user.app.screen.query_one("#source", Static).content).startswith("[2] "))
        assert user.app.screen.query_one(SourcesPane).has_class("-reading")
        await user.press("l")
        assert not user.app.screen.query_one(SourcesPane).has_class("-reading")

    drive(filled, scenario, lambda _: answerer, size=(80, 24))


def test_control_sequences_markup_and_links_of_an_answer_are_shown(filled: Library) -> None:
    hostile = (
        "See [@click=app.quit]here[/] \x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 [bold]b[/]"
    )
    answerer = ScriptedAnswerer(filled, [hostile[:30], hostile[30:]])

    async def scenario(user: User) -> None:
        await user.until(lambda: "answered" in state_of(user))
        await user.until_seen("[@click=app.quit]here[/]", "http://evil.example", "[bold]b[/]")
        assert "\x1b" not in user.seen
        assert "\x07" not in user.seen

    drive(filled, scenario, lambda _: answerer, size=(200, 40))
    assert not answer_text("http://evil.example [7]", 2).spans


def test_an_error_of_the_model_is_told(filled: Library, answerer: ScriptedAnswerer) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: "The model file is damaged [really]. Get it again." in state_of(user))
        assert answerer.is_closed

    drive(filled, scenario, lambda _: answerer, question="impossible")


def test_another_question_can_be_asked(filled: Library, answerer: ScriptedAnswerer) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: "answered" in state_of(user))
        await user.press("slash")
        user.app.screen.query_one(Input).value = "roses in March 1"
        await user.press("enter")
        await user.until(lambda: len(answerer.questions) == 2 and "answered" in state_of(user))
        assert answerer.questions == ["boiler pressure", "roses in March 1"]

    drive(filled, scenario, lambda _: answerer)


def test_an_empty_question_waits_for_one(filled: Library, answerer: ScriptedAnswerer) -> None:
    async def scenario(user: User) -> None:
        await user.until_seen("Type a question and press enter.")
        await user.press("a", "space", "1", "enter")
        await user.until(lambda: answerer.questions == ["a 1"])

    drive(filled, scenario, lambda _: answerer, question="")


def test_an_empty_library_says_what_to_do(library: Library) -> None:
    async def scenario(user: User) -> None:
        await user.until(lambda: "Nothing is indexed yet" in state_of(user))

    drive(library, scenario)


def test_of_a_question_of_several_lines_that_is_pasted_nothing_is_lost_and_it_can_be_found_again(
    filled: Library, answerer: ScriptedAnswerer
) -> None:
    async def run() -> None:
        history = History(None)
        history.add("an earlier query")
        screen = AskScreen(filled, "", (), open_answerer=lambda _: answerer, history=history)
        async with shown(lambda _: screen) as user:
            box = screen.query_one(Input)
            box.post_message(events.Paste("how many bars\r\ndoes the boiler\n\tneed?\n"))
            await user.until(lambda: box.value == "how many bars does the boiler need?")
            await user.press("enter")
            await user.until(lambda: answerer.questions)
            await user.press("ctrl+up", "ctrl+up")
            assert box.value == "an earlier query"
            await user.press("ctrl+down")
            assert box.value == "how many bars does the boiler need?"

    asyncio.run(run())
