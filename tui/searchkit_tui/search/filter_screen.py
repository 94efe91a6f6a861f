"""A dialog to choose filters. They are written into the query, where they can be seen, changed and learnt."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Label, OptionList
from textual.widgets.option_list import Option

from searchkit import TypedFilter, filters_of, with_filters
from searchkit.display import plural
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.session import SearchSession
from searchkit_tui.widgets.dialogs import Dialog

_TEXTS = (
    ("folder", "In a folder named", "notes"),
    ("path", "At a path like", "reports/*.md"),
    ("from", "Mail from", "anna, example.org"),
    ("to", "Mail to", "max"),
    ("subject", "Mail about", "invoice"),
    ("has", "Mail with", "attachment"),
    ("since", "Since", "2025, 2025-03-01, 7d, 2w, 3m, 1y"),
    ("until", "Until", "2025-06, yesterday"),
)


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """The query with its new filters, and the collections to search, none for all."""

    query: str
    collections: tuple[str, ...]


class TickList(OptionList):
    """A list of things to tick, as in `[x] pdf (2 files)`: a click or the space bar ticks and unticks."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "select", "Tick", show=False)]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, compact=True, markup=False)
        self._values: list[str] = []
        self._labels: dict[str, str] = {}
        self._ticked: set[str] = set()

    @property
    def ticked(self) -> tuple[str, ...]:
        """The ticked values, in the order of the list."""
        return tuple(value for value in self._values if value in self._ticked)

    def show(self, choices: Sequence[tuple[str, str]], ticked: Iterable[str]) -> None:
        """Show these (value, label), of which some are ticked."""
        self._values = [value for value, _ in choices]
        self._labels = dict(choices)
        self._ticked = set(ticked)
        self.set_options(Option(self._prompt(value)) for value in self._values)
        self.highlighted = 0 if choices else None

    def on_option_list_option_selected(self, selected: OptionList.OptionSelected) -> None:
        """Tick or untick."""
        selected.stop()
        value = self._values[selected.option_index]
        self._ticked ^= {value}
        self.replace_option_prompt_at_index(selected.option_index, self._prompt(value))

    def _prompt(self, value: str) -> Content:
        sign, style = ("[x] ", "bold $text-success") if value in self._ticked else ("[ ] ", "")
        return Content.assemble((sign, style), self._labels[value])


class FilterScreen(Dialog[FilterChoice | None]):
    """Types, folders, days and collections. What the query already asks for is filled in."""

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

    class Counted(Message):
        """The types of the indexed files have been counted."""

        def __init__(self, files: Mapping[str, int]) -> None:
            super().__init__()
            self.files = files

    def __init__(self, session: SearchSession, query: str) -> None:
        super().__init__()
        self._session = session
        self._query = query
        self._typed = filters_of(query)
        self._all = tuple(session.library.collections())

    def compose(self) -> ComposeResult:
        """Put the lists above the texts."""
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
        """Show at once what is known, and count the types, which means opening every collection."""
        types = self._wanted_types()
        self.query_one("#types", TickList).show([(name, visible(name)) for name in types], types)
        names = [(name, visible(name)) for name in self._all]
        self.query_one("#collections", TickList).show(names, self._session.chosen or self._all)
        self._count()

    def action_apply(self) -> None:
        """Close with the chosen filters written into the query."""
        types = self.query_one("#types", TickList).ticked
        chosen = self.query_one("#collections", TickList).ticked
        texts = [TypedFilter(name, self.query_one(f"#{name}", Input).value.strip()) for name, _, _ in _TEXTS]
        shown = {"type": None} | {name: self._first(name) for name, _, _ in _TEXTS}
        kept = [each for each in self._typed if each.name != "type" and shown.get(each.name) is not each]
        filters = [TypedFilter("type", ",".join(types)), *texts, *kept]
        everything = set(chosen) in (set(), set(self._all))
        self.dismiss(FilterChoice(with_filters(self._query, filters), () if everything else chosen))

    @on(Button.Pressed, "#apply")
    def _apply_clicked(self) -> None:
        self.action_apply()

    @work(thread=True, exit_on_error=False)
    def _count(self) -> None:
        self.post_message(self.Counted(self._session.file_types()))

    @on(Counted)
    def _show_types(self, counted: Counted) -> None:
        types = self.query_one("#types", TickList)
        ticked = types.ticked
        others = [(name, visible(name)) for name in ticked if name not in counted.files]
        known = [(name, f"{visible(name)} ({plural(count, 'file')})") for name, count in counted.files.items()]
        known.sort(key=lambda each: each[0] not in ticked)  # what is chosen is seen, however long the list
        types.show([*others, *known], ticked)

    def _wanted_types(self) -> list[str]:
        values = [each.value for each in self._typed if each.name == "type"]
        return list(dict.fromkeys(part for value in values for part in value.lower().split(",") if part))

    def _value_of(self, name: str) -> str:
        first = self._first(name)
        return first.value if first else ""

    def _first(self, name: str) -> TypedFilter | None:
        """The filter of a name that the dialog shows; further ones of the name stay in the query as they are."""
        return next((each for each in self._typed if each.name == name), None)
