"""One line on the state of the search."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from searchkit.types import SearchMode
from searchkit.wording import printable
from searchkit_tui.hit_content import ASIDE_STYLE, hit_count
from searchkit_tui.search_session import SearchAnswer

_NAMES_SHOWN = 3


class StatusLine(Static):
    """Mode, number of hits, milliseconds, collections; or the error, in full, in place of what was found."""

    mode: reactive[SearchMode] = reactive(SearchMode.HYBRID)
    collections: reactive[tuple[str, ...]] = reactive(())
    answer: reactive[SearchAnswer | None] = reactive(None, layout=True)
    is_slow: reactive[bool] = reactive(False)

    def render(self) -> Content:
        """The parts that there is something to say of."""
        return Content.assemble(
            (self.mode.value, "bold"), *self._outcome(), (f" · {names_of(self.collections)}", ASIDE_STYLE)
        )

    def _outcome(self) -> list[str | tuple[str, str]]:
        if self.is_slow:
            return [" · ", ("searching…", "$text-accent")]
        if self.answer is None:
            return []
        if self.answer.error:
            return [" · ", (printable(self.answer.error), "$text-error")]
        return [f" · {hit_count(len(self.answer.hits))} · {self.answer.elapsed_ms:.0f} ms"]


def names_of(collections: tuple[str, ...]) -> str:
    """The names while they are few, else their number."""
    if len(collections) > _NAMES_SHOWN:
        return f"{len(collections)} collections"
    return ", ".join(collections) if collections else "no collections"
