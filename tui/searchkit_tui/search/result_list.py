"""The list of hits, and the chips of the query."""

from collections.abc import Hashable, Iterator, Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from searchkit.display import plural
from searchkit.errors import UsageError
from searchkit.types import Hit
from searchkit_tui.rendering.file_names import telling_folders
from searchkit_tui.rendering.hit_content import ASIDE_STYLE, Around, entry, is_weak
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.session import passage_of

_LINES_OF_ENTRY = 2
_WEAK_SHOWN = 3
_DOUBLE = 2  # clicks
_USUAL_CELLS = 47  # before there is a layout; on a terminal of 120 columns


class ResultList(OptionList, can_focus=False):
    """Hits, best first, of which one is selected. It never takes the focus: keys come from the screen."""

    class Opened(Message):
        """The selected hit was clicked twice."""

    class MarksChanged(Message):
        """Hits have been marked, or are marked no longer."""

    def __init__(self) -> None:
        super().__init__(compact=True, markup=False)
        self.hits: tuple[Hit, ...] = ()  # as they are listed
        self._found: tuple[Hit, ...] = ()
        self._strong = 0  # hits before the first weak one, with those below them
        self.marked: dict[Hashable, tuple[Hit, str]] = {}
        self._is_moved = False
        self._is_unfolded = False
        self._opened: set[Hashable] = set()  # hits whose likes are listed below them
        self._around = Around()
        self._shown_selected: int | None = None

    def show(self, hits: Sequence[Hit], selected: int | None = 0, *, words: Sequence[str] = ()) -> None:
        """Replace all hits and select one; weak ones come last, most of them folded. `words`: those that are marked in names."""
        self._is_unfolded = False
        self._opened.clear()
        self._around = Around(words=words)
        self._replace(hits, selected)
        self._is_moved = False

    def exchange(self, hits: Sequence[Hit], *, keeps_selected: bool = False) -> None:
        """Replace all hits by newer ones for the same request; a hit that the user has selected stays selected.

        `keeps_selected`: so does the one at the top that nobody has chosen; where the hit is gone, the next one takes its place.
        """
        chosen, at = self.selected_hit, self.highlighted or 0
        if chosen is None or not (self._is_moved or keeps_selected):
            self._replace(hits, 0)
            return
        arranged = self._arranged(hits)
        found = (index for index, hit in enumerate(arranged) if passage_of(hit) == passage_of(chosen))
        self._replace(hits, next(found, min(at, len(arranged) - 1) if keeps_selected else 0))

    @property
    def selected_hit(self) -> Hit | None:
        """The hit under the cursor, None if there are no hits."""
        return None if self.highlighted is None or not self.hits else self.hits[self.highlighted]

    def toggle_mark(self, query: str) -> None:
        """Mark the selected hit as one that answers this query, or take its mark away."""
        hit = self.selected_hit
        if hit is not None and self.highlighted is not None:
            if self.marked.pop(passage_of(hit), None) is None:
                self.marked[passage_of(hit)] = hit, query
            self.replace_option_prompt_at_index(self.highlighted, self._prompt(hit, is_selected=True))
            self.post_message(self.MarksChanged())

    def toggle_alike(self) -> None:
        """List the hits that say the same as the selected one below it, or fold them again."""
        hit = self.selected_hit
        if hit is None:
            return
        key = next((passage_of(each) for each in self._found if hit in (each, *each.alike) and each.alike), None)
        if key is None:
            return
        self._is_moved = True
        self._opened ^= {key}
        kept = key if key not in self._opened else passage_of(hit)
        listed = self._arranged(self._found)
        self._replace(self._found, next(index for index, each in enumerate(listed) if passage_of(each) == kept))

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.marked.clear()
        self.on_resize()
        self.post_message(self.MarksChanged())

    def select_next(self, step: int) -> None:
        """Move the selection down, or up if negative; it stops at either end."""
        if self.highlighted is not None:
            self._is_moved = True
            if self.highlighted + step >= self._listed:
                self._unfold()
            self.highlighted = min(max(self.highlighted + step, 0), len(self.hits) - 1)

    def select_page(self, pages: int) -> None:
        """Move the selection by as many hits as the list shows at once."""
        self.select_next(pages * max(1, self.scrollable_content_region.height // _LINES_OF_ENTRY - 1))

    def watch_highlighted(self, highlighted: int | None) -> None:
        """Mark the selected entry by a sign as well as a colour."""
        for index in (self._shown_selected, highlighted):
            if index is not None and index < self._listed:
                prompt = self._prompt(self.hits[index], is_selected=index == highlighted)
                self.replace_option_prompt_at_index(index, prompt)
        self._shown_selected = highlighted
        super().watch_highlighted(highlighted)

    def on_resize(self) -> None:
        """Shorten file names to the new width."""
        for index, hit in enumerate(self.hits[: self._listed]):
            prompt = self._prompt(hit, is_selected=index == self.highlighted)
            self.replace_option_prompt_at_index(index, prompt)

    @property
    def _cells(self) -> int:
        return (self.scrollable_content_region.width or _USUAL_CELLS) - 1  # the scroll bar's, which may come

    def on_click(self, event: events.Click) -> None:
        """Select on one click, open on two."""
        clicked = event.style.meta.get("option")
        if clicked is None:
            return
        self._is_moved = True
        if clicked == self._listed:  # the line below the hits
            event.prevent_default()
            self._unfold()
            return
        if event.chain == _DOUBLE:
            self.post_message(self.Opened())

    def _prompt(self, hit: Hit, *, is_selected: bool = False) -> Content:
        is_marked = passage_of(hit) in self.marked
        return entry(hit, self._cells, self._around, is_selected=is_selected, is_marked=is_marked)

    def _replace(self, hits: Sequence[Hit], selected: int | None) -> None:
        self._shown_selected = None
        self._found = tuple(hits)
        self._strong = len(self._arranged([hit for hit in hits if not is_weak(hit)]))
        self.hits = self._arranged(hits)
        if selected is not None and selected >= self._listed:
            self._is_unfolded = True
        self._around = Around(telling_folders(hit.path for hit in self.hits), self._around.words)
        self.set_options(self._rows())
        self.highlighted = selected if hits else None

    def _arranged(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        """The hits in the order of the list, with those that are alike behind the one that they are folded under, if it is open."""
        in_order = sorted(hits, key=is_weak)
        return tuple(
            each for hit in in_order for each in (hit, *(hit.alike if passage_of(hit) in self._opened else ()))
        )

    def _rows(self) -> Iterator[Option | None]:
        for index, hit in enumerate(self.hits[: self._listed]):
            if index == self._strong and index:
                yield None  # a rule
            yield Option(self._prompt(hit))
        if folded := len(self.hits) - self._listed:
            more = plural(folded, "more weak hit")
            yield Option(
                Content.assemble((f"        … {more}: move on to see {'it' if folded == 1 else 'them'}", ASIDE_STYLE))
            )

    @property
    def _listed(self) -> int:
        """The number of hits that are shown: of weak ones only a few, until the user wants to see them."""
        return len(self.hits) if self._is_unfolded else min(len(self.hits), self._strong + _WEAK_SHOWN)

    def _unfold(self) -> None:
        """Show all weak hits, and keep the selected one."""
        if self._listed < len(self.hits):
            self._is_unfolded = True
            self._replace(self._found, self.highlighted)


_CHIP_STYLE = "$foreground on $panel"


class Chips(Static):
    """The filters of a query, as in `[type: pdf]  [since 2025-01-01]`; hidden while there are none."""

    def show_filters(self, query: str) -> None:
        """Show the filters of this query; none where they make no sense, which the search will say."""
        from searchkit import demands_of  # loaded with the engine, behind the box

        try:
            filters = demands_of(query)
        except UsageError:
            filters = ()
        self.display = bool(filters)
        chips = [Content.assemble((f"[{visible(each, one_line=True)}]", _CHIP_STYLE)) for each in filters]
        self.update(Content("  ").join(chips))
