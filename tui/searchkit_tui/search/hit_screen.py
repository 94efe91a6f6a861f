"""What can be done with the selected hit: opened, copied, read in its document."""

import subprocess
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import SuspendNotSupported
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList
from textual.worker import get_current_worker

from searchkit.errors import UsageError
from searchkit.types import Hit
from searchkit_tui.rendering.hit_content import copied
from searchkit_tui.rendering.rewriting import visible
from searchkit_tui.search.session import Around, SearchSession
from searchkit_tui.settings.external_viewer import Opening, opening, show_in_window
from searchkit_tui.settings.opened_hits import OpenedHits
from searchkit_tui.widgets.document_scroll import DocumentScroll
from searchkit_tui.widgets.preview import Preview
from searchkit_tui.widgets.result_list import ResultList

if TYPE_CHECKING:
    from searchkit_tui.rendering.document_content import DocumentContent


class HitScreen(Screen[None]):
    """A list of hits and the preview of the one selected."""

    class DocumentRead(Message):
        """The document of a hit is there to be shown."""

        def __init__(self, hit: Hit, document: "DocumentContent", *, is_more: bool) -> None:
            super().__init__()
            self.hit = hit
            self.document = document
            self.is_more = is_more

    def __init__(self, session: SearchSession, opened: OpenedHits) -> None:
        super().__init__()
        self.session = session
        self.opened = opened
        self._is_passage_alone = False
        self._previewed: Hit | None = None
        self._document: DocumentContent | None = None
        self._around = Around()
        self._is_reading_more = False

    @property
    def selected_hit(self) -> Hit | None:
        """The hit that keys act on."""
        return self.query_one(ResultList).selected_hit

    @property
    def query_of_hits(self) -> str:
        """The query that the hits answer, "" if they answer none."""
        return ""

    @on(OptionList.OptionHighlighted)
    def preview_selected(self) -> None:
        """Show the selected hit, unless it is shown already."""
        hit = self.selected_hit
        if hit is not None and hit != self._previewed and self.query_one(Preview).display:
            self._around = Around()
            self._is_reading_more = False
            self._read_document(hit, None if self._is_passage_alone else self._around, is_more=False)

    @on(DocumentRead)
    def _show_document(self, read: DocumentRead) -> None:
        if read.hit == self.selected_hit:
            self._previewed, self._document = read.hit, read.document
            self._is_reading_more = False
            self.query_one(Preview).show(read.hit, read.document, is_more=read.is_more)

    @on(DocumentScroll.EndReached)
    def _read_more(self, reached: DocumentScroll.EndReached) -> None:
        """Go on with the document where the end of what is shown of it is reached."""
        hit, shown = self.selected_hit, self._document
        if hit is None or hit != self._previewed or shown is None or self._is_reading_more:
            return
        around = self._around.more(is_above=reached.is_above)
        if (shown.hidden_above if reached.is_above else shown.hidden_below) and around != self._around:
            self._around = around
            self._is_reading_more = True
            self._read_document(hit, around, is_more=True)

    @on(ResultList.Opened)
    def _open_clicked(self) -> None:
        self.action_open()

    def action_select(self, step: int) -> None:
        """Select the hit below, or above for -1."""
        self.query_one(ResultList).select_next(step)

    def action_select_page(self, pages: int) -> None:
        """Select the hit a page below, or above for -1."""
        self.query_one(ResultList).select_page(pages)

    def action_scroll_preview(self, lines: int) -> None:
        """Scroll the document in the preview."""
        self.query_one(Preview).scroll_lines(lines)

    def action_next_view(self) -> None:
        """Show the passage in its document, or alone."""
        self._is_passage_alone = not self._is_passage_alone
        self._previewed = None
        self.preview_selected()

    def action_toggle_preview(self) -> None:
        """Hide the preview, or show it again."""
        preview = self.query_one(Preview)
        preview.display = not preview.display
        self.preview_selected()

    def action_copy(self) -> None:
        """Copy the passage with its source, by the terminal."""
        if hit := self.selected_hit:
            self.app.copy_to_clipboard(copied(hit))
            self.opened.note(self.query_of_hits, hit)
            self.notify(visible(hit.path.name, one_line=True), title="Copied with its source", timeout=2, markup=False)

    def action_open(self) -> None:
        """Open the file of the selected hit where the hit is."""
        hit = self.selected_hit
        if hit is None:
            return
        try:
            program = opening(hit)
        except UsageError as error:
            self.show_error(str(error), "Cannot open it")
            return
        note = partial(self.opened.note, self.query_of_hits, hit)
        if program.takes_terminal:
            self._run_in_terminal(program, note)
        else:
            self._run_in_window(program, note)

    def show_error(self, message: str, title: str) -> None:
        """A toast, in place of the one before."""
        self.app.clear_notifications()
        self.notify(visible(message), title=title, severity="error", timeout=8, markup=False)

    @work(thread=True, exclusive=True, exit_on_error=False, group="preview")
    def _read_document(self, hit: Hit, around: Around | None, *, is_more: bool) -> None:
        worker = get_current_worker()
        if not worker.is_cancelled:
            document = self.session.document(hit, around)
            if not worker.is_cancelled:
                self.post_message(self.DocumentRead(hit, document, is_more=is_more))

    def _run_in_terminal(self, program: Opening, note: Callable[[], None]) -> None:
        """Make room for an editor, and come back when it ends; `note`: that it has been opened."""
        try:
            with self.app.suspend():
                status = subprocess.run(program.command, check=False).returncode
        except SuspendNotSupported:
            self.show_error("This terminal cannot be lent to an editor. Name one with a window: export EDITOR=code", "")
        except OSError as error:
            self.show_error(f"{program.command[0]}: {error.strerror}. Set EDITOR to a program that there is.", "")
        else:
            note()
            if status:
                self.show_error(f"{program.command[0]} ended with status {status}.", "The editor reports an error")
        self.app.refresh(layout=True)

    @work(thread=True, exit_on_error=False, group="open")
    def _run_in_window(self, program: Opening, note: Callable[[], None]) -> None:
        failure = show_in_window(program.command)
        if not failure:
            note()
        elif self.is_attached:
            self.app.call_from_thread(self.show_error, failure, "Cannot open it")
