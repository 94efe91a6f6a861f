"""Things to tick, with signs that do not depend on colour."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class TickList(OptionList):
    """`[x] pdf (2 files)`: a click or the space bar ticks, and takes the tick away again."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "select", "Tick", show=False)]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, compact=True, markup=False)
        self._values: list[str] = []
        self._labels: dict[str, str] = {}
        self._ticked: set[str] = set()

    @property
    def ticked(self) -> tuple[str, ...]:
        """The values that are ticked, in their order."""
        return tuple(value for value in self._values if value in self._ticked)

    def show(self, choices: Sequence[tuple[str, str]], ticked: Iterable[str]) -> None:
        """Offer these (value, label)."""
        self._values = [value for value, _ in choices]
        self._labels = dict(choices)
        self._ticked = set(ticked)
        self.set_options(Option(self._prompt(value)) for value in self._values)
        self.highlighted = 0 if choices else None

    def on_option_list_option_selected(self, selected: OptionList.OptionSelected) -> None:
        """Tick, or take the tick away."""
        selected.stop()
        value = self._values[selected.option_index]
        self._ticked ^= {value}
        self.replace_option_prompt_at_index(selected.option_index, self._prompt(value))

    def _prompt(self, value: str) -> Content:
        sign, style = ("[x] ", "bold $text-success") if value in self._ticked else ("[ ] ", "")
        return Content.assemble((sign, style), self._labels[value])
