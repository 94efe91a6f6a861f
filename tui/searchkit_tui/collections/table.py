"""The table of collections."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widgets import DataTable

from searchkit.display import on_one_line, size
from searchkit_tui.collections.keys import MENU_KEY
from searchkit_tui.collections.status_text import CollectionRow, coverage, folders

_WIDE_CELLS = 110  # of the table; narrower ones leave model, index and folders to the pane below
_DAMAGED = "damaged"


class CollectionTable(DataTable[Text]):
    """A row for each collection. The cursor stays on its collection whatever comes and goes."""

    BINDINGS: ClassVar[list[BindingType]] = [MENU_KEY]

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=False)
        self.rows_shown: tuple[CollectionRow, ...] = ()
        self._is_wide: bool | None = None

    @property
    def selected(self) -> CollectionRow | None:
        """The collection under the cursor, None if there are no collections."""
        return self.rows_shown[self.cursor_row] if 0 <= self.cursor_row < len(self.rows_shown) else None

    def show(self, rows: Sequence[CollectionRow]) -> bool:
        """Show these rows; True if that changed anything."""
        is_wide = self.app.size.width >= _WIDE_CELLS
        if tuple(rows) == self.rows_shown and is_wide == self._is_wide:
            return False
        names = [row.name for row in rows]
        if names == [row.name for row in self.rows_shown] and is_wide == self._is_wide:
            self._update(rows, is_wide=is_wide)
        else:
            self._replace(rows, is_wide=is_wide)
        self.rows_shown, self._is_wide = tuple(rows), is_wide
        return True

    def _update(self, rows: Sequence[CollectionRow], *, is_wide: bool) -> None:
        """Update cell by cell, so that nothing jumps."""
        for row in rows:
            for (column, _), cell in zip(_columns(is_wide=is_wide), _cells(row, is_wide=is_wide), strict=True):
                self.update_cell(row.name, column, cell, update_width=True)
        self.call_after_refresh(self._draw_again)

    def _draw_again(self) -> None:
        """Draw what was drawn while its column still had its old width: DataTable keeps that until a cell changes."""
        for row in self.rows_shown[:1]:
            (column, _), cell = _columns(is_wide=False)[0], _cells(row, is_wide=False)[0]
            self.update_cell(row.name, column, cell)

    def _replace(self, rows: Sequence[CollectionRow], *, is_wide: bool) -> None:
        before = self.selected.name if self.selected else ""
        names = [row.name for row in rows]
        self.rows_shown = tuple(rows)  # the cursor's events come as rows are added
        self.clear(columns=True)
        for key, label in _columns(is_wide=is_wide):
            self.add_column(label, key=key)
        for row in rows:
            self.add_row(*_cells(row, is_wide=is_wide), key=row.name)
        if before in names:
            self.move_cursor(row=names.index(before))


def _columns(*, is_wide: bool) -> list[tuple[str, str]]:
    """List key and heading of each column."""
    columns = "collection passages meaning size problems now".split()
    columns += "model index folders".split() if is_wide else []
    return [(name, name) for name in columns]


def _cells(row: CollectionRow, *, is_wide: bool) -> list[Text]:
    name = Text(on_one_line(row.name), style="bold")
    status = row.status
    if status is None:
        blank = [Text("")] * 4
        return [name, *blank, Text(_DAMAGED), *([Text("")] * 3 if is_wide else [])]
    cells = [
        name,
        _number(f"{status.passages:,}"),
        _number(coverage(status)),
        _number(size(status.size_bytes)),
        _number(f"{len(status.problems):,}" if status.problems else "–"),
        Text(row.doing),
    ]
    if is_wide:
        index = status.index.name if status.index else "none yet"
        cells += [Text(on_one_line(status.model) or "words only"), Text(index), Text(folders(status))]
    return cells


def _number(text: str) -> Text:
    return Text(text, justify="right")
