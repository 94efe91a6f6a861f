"""One line on the state of the search and of the work in the background."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from searchkit.display import command, plural, seconds_left, time_left
from searchkit.types import SearchMode
from searchkit_tui.jobs.runner import JobRunner
from searchkit_tui.rendering.hit_content import ASIDE_STYLE, hit_count
from searchkit_tui.rendering.markup import visible
from searchkit_tui.search.session import SearchAnswer, SearchSession

if TYPE_CHECKING:
    from searchkit.reports import Coverage

_LOOK_SECONDS = 0.25  # between two looks at the jobs
_LOOKS_PER_COUNT = 8  # looks between two counts of what can be searched, while jobs are active
_LOOKS_WHEN_IDLE = 20  # the same where something is to come, which may come through another process
_NAMES_SHOWN = 3
_WHOLE = 100  # per cent


class StatusLine(Static):
    """Mode, hits of how many passages, milliseconds, jobs, model, and how much can be found by meaning.

    Looks at the jobs and counts what can be searched by itself; mode and answer are set by the screen.
    """

    mode: reactive[SearchMode] = reactive(SearchMode.HYBRID)
    collections: reactive[tuple[str, ...]] = reactive(())
    answer: reactive[SearchAnswer | None] = reactive(None)
    is_slow: reactive[bool] = reactive(False)
    is_loading: reactive[bool] = reactive(False)
    coverages: "reactive[tuple[Coverage, ...]]" = reactive(())
    job_line: reactive[str] = reactive("")
    keeps_opened: reactive[bool] = reactive(False)

    class CountsChanged(Message):
        """There may be more to find than before."""

    class JobEnded(Message):
        """A job has ended: collections may have come or gone."""

    class Counted(Message):
        """New counts of what can be searched."""

        def __init__(self, coverages: "tuple[Coverage, ...]") -> None:
            super().__init__()
            self.coverages = coverages

    def __init__(self, session: SearchSession, jobs: JobRunner) -> None:
        super().__init__()
        self._session = session
        self._jobs = jobs
        self._jobs_ended = 0
        self._looks = 0

    def on_mount(self) -> None:
        """Begin to look at the jobs."""
        self.set_interval(_LOOK_SECONDS, self._look)

    @work(thread=True, exclusive=True, exit_on_error=False, group="count")
    def count(self) -> None:
        """Count what can be searched, in a thread, and show it."""
        self.post_message(self.Counted(self._session.coverages()))

    def show_counts(self, coverages: "tuple[Coverage, ...]") -> None:
        """Show what can be searched, now that the model is loaded or has failed to be."""
        self.is_loading = False
        before, self.coverages = self.coverages, coverages
        if before != coverages:
            self.post_message(self.CountsChanged())

    def show_waiting(self, is_slow: bool) -> None:
        """Show that a search takes its time, or no longer."""
        self.is_slow = is_slow

    def render(self) -> Content:
        """Join the parts that are not empty, the most important first: what does not fit is cut off."""
        asides = [visible(part, one_line=True) for part in self._asides() if part]
        return Content.assemble(
            ("similar" if self.answer and self.answer.request.like else self.mode.value, "bold"),
            *self._outcome(),
            (f" · {visible(self.job_line, one_line=True)}" if self.job_line else "", "$text-accent"),
            ("".join(f" · {part}" for part in asides), ASIDE_STYLE),
        )

    @on(Counted)
    def _show_counted(self, counted: Counted) -> None:
        self.show_counts(counted.coverages)

    def _look(self) -> None:
        self.is_loading = not self._session.is_warm and bool(self.collections)
        self.job_line = self._jobs.line()
        self._looks += 1
        if self._looks % (_LOOKS_PER_COUNT if self.job_line else _LOOKS_WHEN_IDLE) == 0 and self._is_to_change():
            self.count()
        if self._jobs.finished != self._jobs_ended:
            self._jobs_ended = self._jobs.finished
            self.post_message(self.JobEnded())

    def _is_to_change(self) -> bool:
        """Return whether there may be more to find than when it was counted last: by a job here, or in another process."""
        incomplete = any(not each.model or each.vectors < each.passages for each in self.coverages)
        return bool(self.job_line) or (incomplete and not self.is_loading)

    def _outcome(self) -> list[str | tuple[str, str]]:
        answer = self.answer
        if self.is_slow:
            shown = "searching by meaning…" if answer and answer.is_partial else "searching…"
            return [" · ", (shown, "$text-accent")]
        if answer is None:
            return []
        if answer.error:
            return [" · ", ("not answered", "bold $text-error")]
        passages = sum(coverage.passages for coverage in self.coverages)
        of_all = f" of {plural(passages, 'passage')}" if passages else ""
        by_words = " · by words" if answer.is_partial else ""
        return [f" · {hit_count(len(answer.hits))}{of_all} · {answer.elapsed_ms:.0f} ms{by_words}"]

    def _asides(self) -> list[str]:
        kept = "keeps what you open" if self.keeps_opened else ""
        return [kept, *self._model(), names_of(self.collections)]

    def _model(self) -> list[str]:
        """Name the models, and say how much they have not embedded yet."""
        if self.is_loading:
            return ["loading the model"]
        if self.coverages and not any(each.model for each in self.coverages):
            way = "Collections › Index embeds them" if self._session.has_models else command("models", "pull")
            return [f"by words alone; for meaning: {way}"]
        models = ", ".join(dict.fromkeys(each.model for each in self.coverages if each.model))
        passages = sum(each.passages for each in self.coverages)
        vectors = sum(each.vectors for each in self.coverages)
        if passages == vectors:
            return [models]
        rest = "guessed until a search needs it" if any(each.provisional for each in self.coverages) else "by words"
        left = max((seconds_left(each) or 0.0 for each in self.coverages), default=0.0)
        ends = f", {time_left(left)} left" if left else ""
        return [f"{_WHOLE * vectors // passages} % by meaning{ends}, the rest {rest}", models]


def names_of(collections: Sequence[str]) -> str:
    """Join a few names, or count many."""
    if len(collections) > _NAMES_SHOWN:
        return f"{len(collections)} collections"
    return ", ".join(collections) if collections else "no collections"
