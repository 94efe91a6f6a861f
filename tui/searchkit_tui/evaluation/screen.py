"""Shows a report of `searchkit eval retrieval --out`, or of an evaluation made in the UI."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Footer, Static

from searchkit.display import on_one_line, printable
from searchkit.evaluate import Metric, RetrievalReport, SetReport, set_as_text
from searchkit_tui.evaluation.choose_report import interval_bar
from searchkit_tui.settings.keys import EVALUATION_KEYS
from searchkit_tui.widgets.help_screen import ScreenWithHelp

_LEGEND = """\
nDCG@10: do the relevant files come first among ten? recall@10, recall@100: the share of them among as many hits. MRR@10: one by
the rank of the first relevant one. Means over the queries; higher is better, 1 is perfect.
├─┤ 95 % interval over queries (bootstrap). p: how likely so large a difference is by chance (paired randomization test)."""
_LEAST_BAR, _MOST_BAR = 10, 60


class EvaluationScreen(ScreenWithHelp):
    """Bars of one metric above the tables of all."""

    DEFAULT_CSS = """
    EvaluationScreen VerticalScroll {
        height: 1fr;
        padding: 1 2;
    }

    EvaluationScreen .bars {
        height: auto;
        margin-bottom: 1;
    }

    EvaluationScreen .table {
        width: auto;
        height: auto;
        text-wrap: nowrap;
        margin-bottom: 1;
    }

    EvaluationScreen .tables {
        height: auto;
        overflow-x: auto;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*EVALUATION_KEYS]

    def __init__(self, report: RetrievalReport, title: str) -> None:
        super().__init__()
        self._report, self._title = report, title
        self._metric = Metric.NDCG_10

    def compose(self) -> ComposeResult:
        """Put the bars above the tables."""
        with VerticalScroll():
            yield Static(id="bars", classes="bars", markup=False)
            for one in self._report.sets:
                yield Static(printable(set_as_text(one)), classes="table", markup=False)
            yield Static(_LEGEND, markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Let arrow keys scroll."""
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        """Fit the bars to the width."""
        self._draw()

    def action_next_metric(self) -> None:
        """Show the bars of the next metric."""
        metrics = list(Metric)
        self._metric = metrics[(metrics.index(self._metric) + 1) % len(metrics)]
        self._draw()

    def action_back(self) -> None:
        """Leave the screen."""
        self.dismiss(None)

    def _draw(self) -> None:
        lines = [Content.assemble((on_one_line(self._title), "bold"), f" · {self._metric.value}")]
        for one in self._report.sets:
            lines += [Content(""), *bars(one, self._metric, self.size.width - 6)]
        self.query_one("#bars", Static).update(Content("\n").join(lines))


def bars(one: SetReport, metric: Metric, width: int) -> list[Content]:
    """Draw a line for the set and one for each way: name, bar with its interval, mean and interval in figures."""
    name_cells = max((len(row.way) for row in one.rows), default=0)
    cells = min(_MOST_BAR, max(_LEAST_BAR, width - name_cells - 26))
    lines = [Content.styled(on_one_line(f"{one.name}, {one.queries:,} queries, {one.model}"), "$text-primary")]
    for row in one.rows:
        score = row.scores[metric]
        lines.append(
            Content.assemble(
                f"{on_one_line(row.way):<{name_cells}}  ",
                (interval_bar(score.mean, score.low, score.high, cells), "$text-accent"),
                f"  {score.mean:.3f} ({score.low:.3f}–{score.high:.3f})",
            )
        )
    return lines
