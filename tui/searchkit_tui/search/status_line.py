"""One line on the state of the search."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from searchkit.display import plural
from searchkit.types import SearchMode
from searchkit_tui.rendering.hit_content import ASIDE_STYLE, hit_count
from searchkit_tui.rendering.rewriting import visible
from searchkit_tui.search.session import SearchAnswer

if TYPE_CHECKING:
    from searchkit.catalog.coverage import Coverage

_NAMES_SHOWN = 3
_WHOLE = 100  # per cent


class StatusLine(Static):
    """Mode, hits of how many passages, milliseconds, what is under way and kept, model, how much can be found by meaning."""

    mode: reactive[SearchMode] = reactive(SearchMode.HYBRID)
    collections: reactive[tuple[str, ...]] = reactive(())
    answer: reactive[SearchAnswer | None] = reactive(None)
    is_slow: reactive[bool] = reactive(False)
    is_loading: reactive[bool] = reactive(False)
    coverages: "reactive[tuple[Coverage, ...]]" = reactive(())
    work: reactive[str] = reactive("")
    keeps_opened: reactive[bool] = reactive(False)

    def render(self) -> Content:
        """The parts that there is something to say of, the most important first: what does not fit is cut off."""
        asides = [visible(part, one_line=True) for part in self._asides() if part]
        return Content.assemble(
            ("similar" if self.answer and self.answer.request.like else self.mode.value, "bold"),
            *self._outcome(),
            (f" · {visible(self.work, one_line=True)}" if self.work else "", "$text-accent"),
            ("".join(f" · {part}" for part in asides), ASIDE_STYLE),
        )

    def _outcome(self) -> list[str | tuple[str, str]]:
        answer = self.answer
        if self.is_slow:
            shown = "searching by meaning…" if answer and answer.is_partial else "searching…"
            return [" · ", (shown, "$text-accent")]
        if answer is None:
            return []
        if answer.error:
            return [" · ", ("not answered", "bold $text-error")]
        chunks = sum(coverage.chunks for coverage in self.coverages)
        of_all = f" of {plural(chunks, 'passage')}" if chunks else ""
        by_words = " · by words" if answer.is_partial else ""
        return [f" · {hit_count(len(answer.hits))}{of_all} · {answer.elapsed_ms:.0f} ms{by_words}"]

    def _asides(self) -> list[str]:
        kept = "keeps what you open" if self.keeps_opened else ""
        return [kept, *self._model(), names_of(self.collections)]

    def _model(self) -> list[str]:
        """The models, and what they have not embedded yet."""
        if self.is_loading:
            return ["loading the model"]
        models = ", ".join(dict.fromkeys(each.model for each in self.coverages if each.model))
        passages, vectors = (sum(getattr(each, name) for each in self.coverages) for name in ("passages", "vectors"))
        if passages == vectors:
            return [models]
        return [f"{_WHOLE * vectors // passages} % by meaning, the rest by words", models]


def names_of(collections: Sequence[str]) -> str:
    """The names while they are few, else their number."""
    if len(collections) > _NAMES_SHOWN:
        return f"{len(collections)} collections"
    return ", ".join(collections) if collections else "no collections"
