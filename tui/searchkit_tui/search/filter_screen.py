"""Filters chosen instead of typed. They are written into the query, so that they can be seen, changed and learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Input, Label

from searchkit.display import plural
from searchkit.errors import SearchkitError
from searchkit.search.query.editing import TypedFilter, filters_of, with_filters
from searchkit.types import FormatCount
from searchkit_tui.rendering.rewriting import visible
from searchkit_tui.search.session import SearchSession
from searchkit_tui.widgets.dialogs import Dialog
from searchkit_tui.widgets.tick_list import TickList

_TEXTS = (
    ("folder", "In a folder named", "notes"),
    ("path", "At a path like", "reports/*.md"),
    ("since", "Since", "2025, 2025-03-01, 7d, 2w, 3m, 1y"),
    ("until", "Until", "2025-06, yesterday"),
)


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """The query with its new filters, and the collections to search, none for all."""

    query: str
    collections: tuple[str, ...]


class FilterScreen(Dialog[FilterChoice | None]):
    """Types, folders, days and collections. What the query asks for already is filled in."""

    DEFAULT_CSS = """
    FilterScreen .lists {
        height: auto;
        max-height: 12;
        margin-bottom: 1;
    }

    FilterScreen .column {
        width: 1fr;
        height: auto;
    }

    FilterScreen TickList {
        height: auto;
        max-height: 10;
        border: none;
        padding: 0;
        background: $surface;
    }

    FilterScreen .row {
        height: 1;
        margin-bottom: 1;
    }

    FilterScreen .row Label {
        width: 20;
    }

    FilterScreen .row Input {
        width: 1fr;
        margin: 0;
    }

    FilterScreen .heading {
        text-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "apply", "Apply", priority=True)]

    class Found(Message):
        """The types of file that there are."""

        def __init__(self, formats: Sequence[FormatCount]) -> None:
            super().__init__()
            self.formats = formats

    def __init__(self, session: SearchSession, query: str) -> None:
        super().__init__()
        self._session = session
        self._query = query
        self._typed = filters_of(query)
        self._all = tuple(session.library.collections())

    def compose(self) -> ComposeResult:
        """Lists above, texts below."""
        with VerticalScroll(classes="box", can_focus=False) as box:
            box.border_title = "Filters"
            box.border_subtitle = "Tab moves, Space ticks, Enter applies, Esc closes"
            with Horizontal(classes="lists"):
                with Vertical(classes="column"):
                    yield Label("Types (none: all)", classes="heading")
                    yield TickList(id="types")
                with Vertical(classes="column"):
                    yield Label("Collections", classes="heading")
                    yield TickList(id="collections")
            for name, label, example in _TEXTS:
                with Horizontal(classes="row"):
                    yield Label(label)
                    yield Input(self._value_of(name), placeholder=example, id=name, compact=True)
            yield Button("Apply", id="apply", variant="primary")

    def on_mount(self) -> None:
        """What is known at once; the counts need a look into every collection."""
        types = self._wanted_types()
        self.query_one("#types", TickList).show([(name, visible(name)) for name in types], types)
        names = [(name, visible(name)) for name in self._all]
        self.query_one("#collections", TickList).show(names, self._session.chosen or self._all)
        self._count()

    def action_apply(self) -> None:
        """Write what is chosen into the query."""
        types = self.query_one("#types", TickList).ticked
        chosen = self.query_one("#collections", TickList).ticked
        texts = [TypedFilter(name, self.query_one(f"#{name}", Input).value.strip()) for name, _, _ in _TEXTS]
        kept = [each for each in self._typed if each.name.startswith("-")]
        filters = [TypedFilter("type", ",".join(types)), *texts, *kept]
        everything = set(chosen) in (set(), set(self._all))
        self.dismiss(FilterChoice(with_filters(self._query, filters), () if everything else chosen))

    @on(Button.Pressed, "#apply")
    def _apply_clicked(self) -> None:
        self.action_apply()

    @work(thread=True, exit_on_error=False)
    def _count(self) -> None:
        counts: dict[str, FormatCount] = {}
        for name in self._all:
            try:
                formats = self._session.library.status(name).formats
            except SearchkitError:  # forgotten or broken just now; the others have types too
                continue
            for each in formats:
                known = counts.get(each.format, FormatCount(each.format, 0, 0))
                counts[each.format] = FormatCount(each.format, known.files + each.files, known.chunks + each.chunks)
        self.post_message(self.Found([count for count in counts.values() if count.format]))

    @on(Found)
    def _show_types(self, found: Found) -> None:
        types = self.query_one("#types", TickList)
        ticked = types.ticked
        counts = {each.format: each.files for each in sorted(found.formats, key=lambda each: -each.files)}
        others = [(name, visible(name)) for name in ticked if name not in counts]
        formats = [(name, f"{visible(name)} ({plural(files, 'file')})") for name, files in counts.items()]
        types.show([*others, *formats], ticked)

    def _wanted_types(self) -> list[str]:
        values = [each.value for each in self._typed if each.name == "type"]
        return list(dict.fromkeys(part for value in values for part in value.lower().split(",") if part))

    def _value_of(self, name: str) -> str:
        return next((each.value for each in self._typed if each.name == name), "")
