"""A question, its answer as it is written, and the numbered passages that it is based on."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Footer, Input, Static

from searchkit import Library
from searchkit_tui.ask.content import answer_text, no_answerer, state_line
from searchkit_tui.ask.reply import OpenAnswerer, Reply, find_answerer
from searchkit_tui.ask.sources_pane import SourcesPane
from searchkit_tui.settings.keys import ASK_KEYS
from searchkit_tui.settings.saved_state import History
from searchkit_tui.widgets.help_screen import ScreenWithHelp
from searchkit_tui.widgets.open_hit import HitOpener, OpenedHits
from searchkit_tui.widgets.query_box import QueryBox

_DRAW_SECONDS = 0.05  # between two looks at what has come; a model gives some dozens of pieces a second
_NO_QUESTION = "Type a question and press enter."


class AskScreen(ScreenWithHelp):
    """Asks at once. Escape stops the answer while it is being written, and then leaves.

    `collections`: to answer from, none for all. `opened`: where sources that are opened are noted, None for nowhere. `history`:
    of the queries, which the questions join.
    """

    DEFAULT_CSS = """
    AskScreen Input, AskScreen Input:focus {
        border: round $primary;
        padding: 0 1;
        background: $background;
    }

    AskScreen #state {
        height: auto;
        max-height: 4;
        padding: 0 2;
    }

    AskScreen #body {
        height: 1fr;
        margin-top: 1;
    }

    AskScreen #answer-pane {
        height: 1fr;
        padding: 0 2;
        scrollbar-size-vertical: 1;
        scrollbar-color: $primary 40%;
        scrollbar-background: $background;
    }

    AskScreen.-wide #body {
        layout: horizontal;
    }

    AskScreen.-wide SourcesPane {
        border-left: solid $primary 40%;
    }

    AskScreen.-narrow SourcesPane {
        border-top: solid $primary 40%;
    }

    /* Where there is little room, the list and the passage that is read take turns. */

    AskScreen.-short #source-pane {
        display: none;
    }

    AskScreen.-short .-reading #source-pane {
        display: block;
    }

    AskScreen.-short .-reading #sources {
        display: none;
    }

    AskScreen.-tall #source-pane {
        border-top: solid $primary 40%;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*ASK_KEYS]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 (as the base class declares it)
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012

    def __init__(
        self,
        library: Library,
        question: str,
        collections: Sequence[str] = (),
        *,
        open_answerer: OpenAnswerer = find_answerer,
        opened: OpenedHits | None = None,
        history: History | None = None,
    ) -> None:
        super().__init__()
        self._library = library
        self._question = question
        self._collections = tuple(collections)
        self._open_answerer = open_answerer
        self._opened = opened or OpenedHits()
        self._history = history or History(None)
        self._reply: Reply | None = None
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Put question and state above the answer and its sources."""
        yield QueryBox(self._question, placeholder="Ask your files a question", select_on_focus=False)
        yield Static(_NO_QUESTION, id="state", markup=False)
        with Container(id="body"):
            with VerticalScroll(id="answer-pane"):
                yield Static(id="answer", markup=False)
            yield SourcesPane()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Ask, if there is a question."""
        self.query_one(Input).border_title = "Ask"
        self.set_interval(_DRAW_SECONDS, self._draw)
        if self._question.strip():
            self._ask(self._question.strip())
        else:
            self.query_one(Input).focus()

    def on_unmount(self) -> None:
        """Stop the answer: nobody reads it any more."""
        self._stop()

    @on(Input.Submitted)
    def _submit(self, submitted: Input.Submitted) -> None:
        if submitted.value.strip():
            self._ask(submitted.value.strip())

    def action_history(self, step: int) -> None:
        """Put an earlier question or query into the box, or a later one."""
        box = self.query_one(QueryBox)
        move = self._history.earlier if step < 0 else self._history.later
        box.set_query(move(box.value))
        box.focus()

    def action_jump(self, number: int) -> None:
        """Read the source of this number, if there is one."""
        self.query_one(SourcesPane).jump(number)

    def action_list_sources(self) -> None:
        """Go back to the list of sources."""
        self.query_one(SourcesPane).show_list()

    def action_open_source(self) -> None:
        """Open the file of the source that is being read, or selected in the list."""
        if source := self.query_one(SourcesPane).current:
            HitOpener(self.app, self._library, self._opened).open([(source, self._question)])

    @property
    def help_note(self) -> str:
        """See ScreenWithHelp."""
        return self._opened.help_note

    def action_edit(self) -> None:
        """Change the question."""
        self.query_one(Input).focus()

    def action_stop_or_back(self) -> None:
        """Stop the answer while it is being written, or else leave."""
        if self._reply is not None and self._reply.is_coming and not self._reply.is_stopped:
            self._stop()
        else:
            self.dismiss(None)

    def _ask(self, question: str) -> None:
        self._stop()
        self._question = question
        self._history.add(question)
        self._reply = Reply(self._library, self._open_answerer)
        self.query_one(SourcesPane).close()
        self.query_one("#answer-pane").focus()
        self._run(self._reply, question)

    @work(thread=True, exit_on_error=False, group="ask")
    def _run(self, reply: Reply, question: str) -> None:
        reply.run(question, self._collections)

    def _stop(self) -> None:
        if self._reply is not None:
            self._reply.stop()

    def _draw(self) -> None:
        """Show the text that has arrived since the last look."""
        reply = self._reply
        if reply is None:
            return
        seen = (reply, reply.state, len(reply.pieces), reply.sources, reply.missing, reply.is_stopped)
        if seen == self._drawn:
            return
        if self._drawn[:1] != seen[:1] or self._drawn[3] != seen[3]:
            self.query_one(SourcesPane).show(reply.sources)
        self._drawn = seen
        self.query_one("#state", Static).update(state_line(reply))
        below = () if reply.is_coming else tuple(filter(None, (*reply.findings, reply.advice)))
        text = answer_text(reply.text, len(reply.sources), below)
        self.query_one("#answer", Static).update(text if reply.missing is None else no_answerer(reply.missing))
        if reply.is_coming:
            self.query_one("#answer-pane").scroll_end(animate=False)
