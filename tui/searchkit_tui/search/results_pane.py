"""The hits and the preview of the selected one: select, mark, read."""

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import OptionList
from textual.worker import Worker, get_current_worker

from searchkit.types import Hit, Note
from searchkit_tui.search.preview import DocumentScroll, Preview
from searchkit_tui.search.result_list import ResultList
from searchkit_tui.search.session import ContextWindow, passage_of
from searchkit_tui.widgets.dialogs import show_worker_failure

if TYPE_CHECKING:
    from searchkit_tui.rendering.document_content import DocumentContent

ReadDocument = Callable[[Hit, ContextWindow | None], "DocumentContent"]


class ResultsPane(Container):
    """A list of hits beside or above the document of the selected one.

    `read_document`: reads a hit in its document, or its passage alone, in a thread.
    """

    class DocumentRead(Message):
        """The document of a hit has been read."""

        def __init__(self, hit: Hit, document: "DocumentContent", *, is_more: bool) -> None:
            super().__init__()
            self.hit = hit
            self.document = document
            self.is_more = is_more

    def __init__(self, read_document: ReadDocument) -> None:
        super().__init__()
        self.previewed: Hit | None = None
        self._read_document = read_document
        self._query = ""
        self._notes: Sequence[Note] = ()
        self._document: DocumentContent | None = None
        self._window = ContextWindow()
        self._is_passage_alone = False
        self._is_reading_more = False

    def compose(self) -> ComposeResult:
        """Put the list before the preview."""
        yield ResultList()
        yield Preview()

    @property
    def selected_hit(self) -> Hit | None:
        """The hit that keys act on."""
        return self.query_one(ResultList).selected_hit

    @property
    def selected(self) -> int | None:
        """The number of the selected hit, from 0."""
        return self.query_one(ResultList).highlighted

    def show(
        self,
        hits: Sequence[Hit],
        query: str,
        *,
        title: str = "",
        words: Sequence[str] = (),
        selected: int | None = 0,
    ) -> None:
        """Show other hits. `query`: what they answer, "" if nothing; `title`: what else they are; `words`: marked in names."""
        self._query = query
        self.query_one(ResultList).show(hits, selected, words=words)
        self._entitle(title)

    def exchange(self, hits: Sequence[Hit], *, title: str = "", keeps_selected: bool = False) -> None:
        """Show newer hits for the same request; see `ResultList.exchange`. `keeps_selected`: their documents may be new too."""
        self._entitle(title)
        self.query_one(ResultList).exchange(hits, keeps_selected=keeps_selected)
        hit = self.selected_hit
        if keeps_selected and hit is not None and hit == self.previewed:
            self._read(hit, None if self._is_passage_alone else self._window, is_more=True)

    def _entitle(self, title: str) -> None:
        results = self.query_one(ResultList)
        results.border_title = title
        results.set_class(bool(title), "-titled")

    def select(self, step: int) -> None:
        """Select the hit below, or above for -1."""
        self.query_one(ResultList).select_next(step)

    def select_page(self, pages: int) -> None:
        """Select the hit a page below, or above for -1."""
        self.query_one(ResultList).select_page(pages)

    def scroll_preview(self, lines: int) -> None:
        """Scroll the document in the preview."""
        self.query_one(Preview).scroll_lines(lines)

    def next_view(self) -> None:
        """Show the passage in its document, or alone."""
        self._is_passage_alone = not self._is_passage_alone
        self.previewed = None
        self._preview_selected()

    @property
    def shows_why(self) -> bool:
        """True while the reasons of the selected hit are seen."""
        preview = self.query_one(Preview)
        return preview.shows_why and preview.display

    def toggle_why(self) -> None:
        """Show why the selected hit stands where it does, with the preview, or hide it again."""
        preview = self.query_one(Preview)
        preview.shows_why = not self.shows_why
        preview.display = preview.display or preview.shows_why
        self._preview_selected()
        self._explain()

    def explain_by(self, notes: Sequence[Note]) -> None:
        """Take the notes of the answer, which say what was searched for."""
        self._notes = notes
        self._explain()

    def _explain(self) -> None:
        hit = self.previewed
        if hit is not None and hit == self.selected_hit:  # else another is just being read
            self.query_one(Preview).explain(hit, self.query_one(ResultList).hits, self._notes)

    def toggle_preview(self) -> None:
        """Hide the preview, or show it again."""
        preview = self.query_one(Preview)
        preview.display = not preview.display
        self._preview_selected()

    @property
    def answered_query(self) -> str:
        """What the hits answer, "" if nothing."""
        return self._query

    @property
    def marked(self) -> dict[Hashable, tuple[Hit, str]]:
        """The hits that the user has marked, with their queries, by what tells passages apart; also those of other queries."""
        return self.query_one(ResultList).marked

    def toggle_mark(self) -> None:
        """Mark the selected hit, or take its mark away."""
        self.query_one(ResultList).toggle_mark(self._query)

    def toggle_alike(self) -> None:
        """List what says the same as the selected hit below it, or fold it again."""
        self.query_one(ResultList).toggle_alike()

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.query_one(ResultList).clear_marks()

    @on(OptionList.OptionHighlighted)
    def _preview_selected(self) -> None:
        """Show the selected hit, unless it is shown already."""
        hit = self.selected_hit
        if hit is not None and hit != self.previewed and self.query_one(Preview).display:
            if self.previewed is not None and passage_of(hit) == passage_of(self.previewed):  # with other marks
                self._read(hit, None if self._is_passage_alone else self._window, is_more=True)
                return
            self._window = ContextWindow()
            self._is_reading_more = False
            self._read(hit, None if self._is_passage_alone else self._window, is_more=False)

    @on(DocumentRead)
    def _show_document(self, read: DocumentRead) -> None:
        if read.hit == self.selected_hit and (read.hit, read.document) != (self.previewed, self._document):
            self.previewed, self._document = read.hit, read.document
            self._is_reading_more = False
            self.query_one(Preview).show(read.hit, read.document, is_more=read.is_more)
            self._explain()

    @on(DocumentScroll.EndReached)
    def _read_more(self, reached: DocumentScroll.EndReached) -> None:
        """Show more of the document where the user has reached the end of what is shown."""
        hit, shown = self.selected_hit, self._document
        if hit is None or hit != self.previewed or shown is None or self._is_reading_more:
            return
        window = self._window.widened(is_above=reached.is_above)
        if (shown.hidden_above if reached.is_above else shown.hidden_below) and window != self._window:
            self._window = window
            self._is_reading_more = True
            self._read(hit, window, is_more=True)

    @work(thread=True, exclusive=True, exit_on_error=False, group="preview")
    def _read(self, hit: Hit, window: ContextWindow | None, *, is_more: bool) -> None:
        worker = get_current_worker()
        if not worker.is_cancelled:
            document = self._read_document(hit, window)
            if not worker.is_cancelled:
                self.post_message(self.DocumentRead(hit, document, is_more=is_more))

    @on(Worker.StateChanged)
    def _show_failure(self, changed: Worker.StateChanged) -> None:
        show_worker_failure(self.app, changed)
