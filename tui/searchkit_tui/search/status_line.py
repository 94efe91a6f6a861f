"""One line on the state of the search and of the work in the background."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from searchkit.display import command, plural, time_left
from searchkit.types import SearchMode
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.hit_content import ASIDE_STYLE
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.session import SearchAnswer, SearchSession
from searchkit_tui.search.store_watch import StoreState

if TYPE_CHECKING:
    from searchkit.reports import Coverage

_LOOK_SECONDS = 0.25  # between two looks at the jobs
_NAMES_SHOWN = 3
_WHOLE = 100  # per cent
_SHORTENED, _FIGURE, _MODE = 10, 20, 100  # worth of parts
_SEPARATOR = " · "
_ACCENT = "$text-accent"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the line. `short`: what is left of it where there is no room, "" if nothing; the lowest `worth` gives way first."""

    text: str
    short: str = ""
    worth: int = 0
    style: str = ""


class StatusLine(Static):
    """Mode, hits of how many passages, milliseconds, jobs, model, and how much can be found by meaning.

    Looks at the jobs by itself; everything else is set by the screen.
    """

    mode: reactive[SearchMode] = reactive(SearchMode.HYBRID)
    collections: reactive[tuple[str, ...]] = reactive(())
    answer: reactive[SearchAnswer | None] = reactive(None)
    is_outdated: reactive[bool] = reactive(False)
    is_slow: reactive[bool] = reactive(False)
    is_loading: reactive[bool] = reactive(False)
    store: reactive[StoreState] = reactive(StoreState())
    job_line: reactive[str] = reactive("")
    keeps_opened: reactive[bool] = reactive(False)

    def __init__(self, session: SearchSession, jobs: JobRunner) -> None:
        super().__init__()
        self._session = session
        self._jobs = jobs

    def on_mount(self) -> None:
        """Begin to look at the jobs."""
        self.set_interval(_LOOK_SECONDS, self._look)

    @property
    def coverages(self) -> "tuple[Coverage, ...]":
        """How much of each collection can be found."""
        return self.store.coverages

    def show_waiting(self, is_slow: bool) -> None:
        """Show that a search takes its time, or no longer."""
        self.is_slow = is_slow

    def watch_collections(self) -> None:
        """Say with the names of the collections, not a look later, that their model is being loaded."""
        self._look()

    def render(self) -> Content:
        """Join the parts, the most important first; where there is little room, others are shortened or left out."""
        parts = [each for each in (self._mode(), *self._outcome(), *self._work(), *self._asides()) if each.text]
        shown = fitting(parts, self.content_size.width)
        return Content(_SEPARATOR).join([Content.assemble((each.text, each.style)) for each in shown])

    def _look(self) -> None:
        self.is_loading = not self._session.is_warm and bool(self.collections)
        self.job_line = self._jobs.line()

    def _mode(self) -> Part:
        return Part(
            "similar" if self.answer and self.answer.request.like else self.mode.value, worth=_MODE, style="bold"
        )

    def _outcome(self) -> list[Part]:
        answer = self.answer
        if self.is_slow:
            shown = "searching by meaning…" if answer and answer.is_partial else "searching…"
            return [Part(shown, worth=_FIGURE, style=_ACCENT)]
        if answer is None:
            return []
        if answer.error:
            return [Part("not answered", worth=_FIGURE, style="bold $text-error")]
        style = ASIDE_STYLE if self.is_outdated else ""
        if answer.listed:
            return [Part(plural(len(answer.hits), "file"), worth=_FIGURE, style=style)]
        passages = sum(coverage.passages for coverage in self.coverages)
        figure = f"{len(answer.hits)} of {passages:,}" if passages else f"{len(answer.hits)} found"
        return [
            Part(f"{figure} passages", figure, worth=_FIGURE - _SHORTENED, style=style)
            if passages
            else Part(figure, worth=_FIGURE, style=style),
            Part(f"{answer.elapsed_ms:.0f} ms", worth=3, style=style),
            *([Part("by words", worth=6, style=style)] if answer.is_partial else []),
        ]

    def _work(self) -> list[Part]:
        line = visible(self.job_line, one_line=True)
        return [Part(line, line.rpartition(": ")[2], worth=7, style=_ACCENT)]

    def _asides(self) -> list[Part]:
        kept = Part("keeps what you open", worth=4, style=ASIDE_STYLE) if self.keeps_opened else Part("")
        names = Part(visible(names_of(self.collections), one_line=True), worth=2, style=ASIDE_STYLE)
        return [kept, *self._model(), names]

    def _model(self) -> list[Part]:
        """Name the models, and say how much they have not embedded yet."""
        if self.is_loading:
            return [Part("loading the model", worth=5, style=ASIDE_STYLE)]
        if self.coverages and not any(each.model for each in self.coverages):
            way = "Collections › Index embeds them" if self.store.models else command("models", "pull")
            return [Part(f"by words alone; for meaning: {way}", "by words alone", worth=8, style=ASIDE_STYLE)]
        models = ", ".join(dict.fromkeys(each.model for each in self.coverages if each.model))
        named = Part(visible(models, one_line=True), worth=1, style=ASIDE_STYLE)
        passages = sum(each.passages for each in self.coverages)
        vectors = sum(each.vectors for each in self.coverages)
        if passages == vectors:
            return [named]
        rest = "guessed until a search needs it" if any(each.provisional for each in self.coverages) else "by words"
        left = max((each.seconds_left or 0.0 for each in self.coverages), default=0.0)
        figure = f"{_WHOLE * vectors // passages} % by meaning{f', {time_left(left)} left' if left else ''}"
        return [Part(f"{figure}, the rest {rest}", figure, worth=8, style=ASIDE_STYLE), named]


def fitting(parts: Sequence[Part], cells: int) -> list[Part]:
    """Shorten parts, and leave out those without a short form, until they fit into a line; of a line without width all are left."""
    shown = list(parts)
    while cells and len(shown) > 1 and _cells(shown) > cells:
        least = min(shown, key=lambda each: each.worth)
        at = shown.index(least)
        shown[at : at + 1] = (
            [replace(least, text=least.short, short="", worth=least.worth + _SHORTENED)] if least.short else []
        )
    return shown


def names_of(collections: Sequence[str]) -> str:
    """Join a few names, or count many."""
    if len(collections) > _NAMES_SHOWN:
        return f"{len(collections)} collections"
    return ", ".join(collections) if collections else "no collections"


def _cells(parts: Sequence[Part]) -> int:
    return sum(cell_len(each.text) for each in parts) + len(_SEPARATOR) * max(0, len(parts) - 1)
