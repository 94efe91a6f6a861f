"""The middle of the search screen: hits, a message in their place, or a welcome where nothing is indexed yet."""

from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Static

import searchkit
from searchkit.display import note_text
from searchkit.types import NO_MODEL_AT_INDEXING, NO_MODEL_INSTALLED, NoteKind
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.file_names import words_of
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.results_pane import ResultsPane
from searchkit_tui.search.session import SearchAnswer
from searchkit_tui.search.status_line import names_of
from searchkit_tui.settings.keys import key_of

_OUTDATED = "-outdated"
_LOOK_SECONDS = 0.25  # between two looks whether indexing has begun
_IN_STATUS_LINE = (NoteKind.PARTLY_EMBEDDED, NoteKind.MORE_TO_COME)
_NO_MODEL = (NO_MODEL_INSTALLED, NO_MODEL_AT_INDEXING)  # why words alone were searched, where the status line says so
_READING = "Reading your files. Just type: you can search by words in a moment, and by meaning a little later."
_STILL_READING = "Files are still being read; new hits will appear by themselves."
_NOTHING_INDEXED = """\
Nothing is indexed yet.

searchkit finds passages in your own files by meaning and by words. Everything stays on this computer.
First it has to read a folder; you can stop that at any time and continue later.
"""
_SAMPLES = "{} tries it with the sample documents: the letters, manuals, notes and code of a bookbinder.\n"
_CHOOSE = "{} chooses a folder of yours."


class Welcome(VerticalScroll, can_focus=False):
    """An explanation for those who have no collection yet, with an offer to make one."""

    class Chosen(Message):
        """The samples are to be indexed, or a folder is to be chosen (None)."""

        def __init__(self, folder: Path | None) -> None:
            super().__init__()
            self.folder = folder

    def compose(self) -> ComposeResult:
        """Put the two ways to begin below the explanation."""
        samples = sample_folder()
        enter, choose = key_of(self.screen, "open"), key_of(self.screen, "index")
        ways = (_SAMPLES.format(enter) if samples else "") + _CHOOSE.format(choose)
        yield Static(Content(f"{_NOTHING_INDEXED}\n{ways}"))
        with Horizontal():
            if samples:
                yield _unfocused(Button(Content(f"Try the samples ({enter})"), id="samples", variant="primary"))
            yield _unfocused(Button(Content(f"Choose a folder ({choose})"), id="folder"))

    def on_button_pressed(self, pressed: Button.Pressed) -> None:
        """Pass on a click; keys are the screen's."""
        pressed.stop()
        self.post_message(self.Chosen(sample_folder() if pressed.button.id == "samples" else None))


class SearchBody(Container):
    """Shows one of three: the results, a message or the welcome."""

    def __init__(self, results: ResultsPane, jobs: JobRunner) -> None:
        super().__init__()
        self.results = results
        self._welcome = Welcome()
        self._message = Static(id="message", markup=False)
        self._notes = Static(id="notes", markup=False)
        self._jobs = jobs

    def compose(self) -> ComposeResult:
        """Take turns; only one is displayed."""
        yield self._welcome
        yield self._message
        yield self._notes
        yield self.results

    def on_mount(self) -> None:
        """Show nothing yet: what is indexed is not known before the engine is loaded."""
        self._show_only()
        self.set_interval(_LOOK_SECONDS, self._look)

    @property
    def is_outdated(self) -> bool:
        """True while the hits answer an older query: they are dimmed."""
        return self.results.has_class(_OUTDATED)

    @is_outdated.setter
    def is_outdated(self, is_outdated: bool) -> None:
        self.results.set_class(is_outdated, _OUTDATED)

    @property
    def is_welcome(self) -> bool:
        """True while the welcome is shown and can be accepted."""
        return self._welcome.display and not self._jobs.is_indexing

    def show_answer(self, answer: SearchAnswer, *, is_update: bool, selected: int | None) -> None:
        """Show hits, or a message without hits. An answer that has failed without hits changes nothing."""
        if answer.hits:
            is_start = not (answer.request.query or answer.request.like)
            self._show_only(self.results, *([self._message] if is_start else []))
            if is_start:
                self._message.update(self._invitation(answer.collections))
            self._show_notes([] if answer.is_partial else notes_of(answer))
            self._show_hits(answer, is_update=is_update, selected=selected)
        elif not answer.error and answer.request.query:
            self._show_message(self._nothing_found(answer))

    def show_start(self, collections: tuple[str, ...]) -> None:
        """Invite to search collections; where there are none, to index a folder."""
        if collections:
            self._show_message(self._invitation(collections))
        elif self._jobs.is_indexing:
            self.show_reading()
        else:
            self._show_message("")
            self._show_only(self._welcome)

    def _invitation(self, collections: tuple[str, ...]) -> str:
        names = visible(names_of(collections), one_line=True)
        return f"Type to search {names}. {key_of(self.screen, 'help')} explains keys and query syntax."

    def show_reading(self) -> None:
        """Say that indexing has begun."""
        self._show_message(_READING)

    def _look(self) -> None:
        if self._welcome.display and self._jobs.is_indexing:
            self.show_reading()

    def _show_hits(self, answer: SearchAnswer, *, is_update: bool, selected: int | None) -> None:
        request, listed = answer.request, answer.listed
        title = note_text(listed) if listed else ""
        if request.like is not None:
            name = visible(request.like.path.name, one_line=True)
            title = f"{key_of(self.screen, 'back')}: back · similar to {name}"
        if is_update and self.results.selected_hit is not None:
            self.results.exchange(answer.hits, title=title, keeps_selected=selected is None)
        else:
            words = listed.values if listed else words_of(request.query)
            answered = "" if title else request.query
            self.results.show(
                answer.hits, answered, title=title, words=() if request.like else words, selected=selected or 0
            )
        self.results.explain_by(answer.response.notes)

    def _nothing_found(self, answer: SearchAnswer) -> str:
        if answer.request.like is not None:
            return f"No other passage is like this one. {key_of(self.screen, 'back')}: back."
        nothing = visible(" ".join(notes_of(answer)))
        return f"{nothing}\n\n{_STILL_READING}" if self._jobs.is_indexing else nothing

    def _show_notes(self, notes: Sequence[str]) -> None:
        self._notes.update(visible("\n".join(notes)))
        self._notes.display = bool(notes)

    def _show_message(self, text: str) -> None:
        self.results.show((), "")
        self._message.update(text)
        self._show_only(self._message)

    def _show_only(self, *wanted: Widget) -> None:
        for each in (self._welcome, self._message, self._notes, self.results):
            each.display = each in wanted
        self._message.set_class(self.results in wanted, "-above")


def notes_of(answer: SearchAnswer) -> list[str]:
    """Word the notes on an answer, except what the status line says: how much is embedded, and if there is a model."""
    return [
        note_text(note)
        for note in answer.response.notes
        if note.kind not in _IN_STATUS_LINE and note.reason not in _NO_MODEL and note != answer.listed
    ]


def sample_folder() -> Path | None:
    """Find the sample documents, which are there where searchkit runs from a checkout."""
    folder = Path(searchkit.__file__).parents[1] / "sample_docs"
    return folder if folder.is_dir() else None


def _unfocused(button: Button) -> Button:
    """Leave the focus to the query box."""
    button.can_focus = False
    return button
