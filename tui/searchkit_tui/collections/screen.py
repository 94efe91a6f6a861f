"""The collections: what they contain, and everything that can be done with them."""

import asyncio
import time
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Footer, Static

from searchkit import Library
from searchkit.display import printable
from searchkit.errors import SearchkitError
from searchkit_tui.collections.actions import Actions
from searchkit_tui.collections.keys import ACTIONS, COLLECTION_KEYS, choose_action
from searchkit_tui.collections.status_text import CollectionRow, read_rows, row_details
from searchkit_tui.collections.table import CollectionTable
from searchkit_tui.jobs.notices import JobPanel
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.errors import error_text
from searchkit_tui.settings.keys import key_of
from searchkit_tui.widgets.help_screen import ScreenWithHelp

_LOOK_SECONDS = 0.25  # between two looks at the jobs
_COUNT_SECONDS = 2.0  # between two counts of the collections, which other processes change, too
_SHARE = 10  # of the time, one part at most is spent on counting
_ADD = "collections_add"
_NOTHING_YET = (
    "Nothing is indexed yet.\n\nPress {} to add a folder: its files become searchable by words at once, and by meaning as"
    " they are embedded. They are only read; nothing leaves this machine."
)


class CollectionsScreen(ScreenWithHelp):
    """A table of collections over the selected one's details and the jobs under way."""

    DEFAULT_CSS = """
    CollectionsScreen CollectionTable {
        height: auto;
        min-height: 3;
        max-height: 50%;
        padding: 0 1;
        border: round $primary;
        background: $background;
        overflow-x: hidden;
    }

    CollectionsScreen #empty {
        height: 1fr;
        padding: 1 2;
        color: $text-muted;
    }

    CollectionsScreen #details {
        height: 1fr;
        padding: 1 2 0 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*COLLECTION_KEYS]

    def __init__(self, library: Library, jobs: JobRunner) -> None:
        super().__init__()
        self._library = library
        self._jobs = jobs
        self._rows: list[CollectionRow] | None = None
        self._is_counting = False
        self._rests_until = 0.0
        self._seen: object = None

    def compose(self) -> ComposeResult:
        """Lay out from top to bottom."""
        yield CollectionTable()
        yield Static(id="empty", markup=False)
        with VerticalScroll(id="details", can_focus=False):
            yield Static(id="detail-text", markup=False)
        yield JobPanel()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to look at the jobs and to count."""
        empty = self.query_one("#empty", Static)
        empty.update(_NOTHING_YET.format(key_of(self, _ADD)))
        empty.display = False
        self.query_one(CollectionTable).focus()
        self.query_one(CollectionTable).border_title = "Collections"
        self.set_interval(_LOOK_SECONDS, self._look)
        self._look()

    @cached_property
    def _actions(self) -> Actions:
        return Actions(self.app, self._library, self._jobs)

    def _look(self) -> None:
        """Show the jobs; count when one has ended, and now and then."""
        self.query_one(JobPanel).show(self._jobs)
        self._show()
        seen = (self._jobs.finished, self._jobs.watch_outcome)
        if (seen != self._seen or time.monotonic() >= self._rests_until) and not self._is_counting:
            self._seen = seen
            self._count()

    @work
    async def _count(self) -> None:
        """Count what the collections contain, in a thread; one count at a time."""
        self._is_counting = True
        started = time.monotonic()
        try:
            self._rows = await asyncio.to_thread(read_rows, self._library)
        except SearchkitError as error:
            self.notify(printable(error_text(error)), severity="error", markup=False)
        finally:
            self._is_counting = False
            took = time.monotonic() - started
            self._rests_until = started + max(_COUNT_SECONDS, _SHARE * took)
        self._show()

    def _show(self) -> None:
        """Show what was last counted, and the active jobs."""
        tables = self.query(CollectionTable)
        if self._rows is None or not tables:  # counted while the screen was being left
            return
        table = tables.first()
        if table.show([replace(row, doing=self._doing(row)) for row in self._rows]):
            self.query_one("#empty").display = not self._rows
            table.display = self.query_one("#details").display = bool(self._rows)
            self._show_details()

    def _doing(self, row: CollectionRow) -> str:
        job = self._jobs.of(row.name)
        doing = [job.kind.doing] if job else []
        if not job and row.status and row.status.writer:
            doing.append(f"being {row.status.writer.work}")
        return ", ".join(doing + (["watched"] if row.name in self._jobs.watched else []))

    @on(DataTable.RowHighlighted)
    def _show_details(self) -> None:
        row = self.query_one(CollectionTable).selected
        self.query_one("#detail-text", Static).update(row_details(row) if row else Content(""))

    @on(DataTable.RowSelected)
    def _choose_action(self) -> None:
        if row := self.query_one(CollectionTable).selected:
            self.app.push_screen(choose_action(row.name), self._run_chosen)

    def action_back(self) -> None:
        """Leave the screen; jobs continue."""
        self.dismiss(None)

    def action_run(self, name: str) -> None:
        """Run one of ACTIONS, with the selected collection where it needs one."""
        row = self.query_one(CollectionTable).selected
        action = next(each for each in ACTIONS if each.name == name)
        if row is None and action.needs_collection:
            self.notify(f"There is no collection yet. Add a folder: {key_of(self, _ADD)}", markup=False)
        elif row and row.status is None and action.needs_status:
            self.notify(printable(row.error), severity="error", markup=False)
        else:
            self._actions.run(name, row)
            self._look()

    def _run_chosen(self, name: str | None) -> None:
        if name:
            self.action_run(name)
