"""Tuning, switching models and looking at evaluations, from the collections screen."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.widgets import Input, Static

from searchkit.errors import UsageError
from searchkit.evaluate.retrieval.report import read_report
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit_indexes import Vectors
from searchkit_tui.collections.screen import CollectionsScreen
from searchkit_tui.evaluation.choose_report import ChooseReport
from searchkit_tui.evaluation.screen import EvaluationScreen
from searchkit_tui.evaluation.tune_screen import TrialTable, TuneScreen
from searchkit_tui.jobs.job import JobKind, JobState
from searchkit_tui.jobs.work import TuneJob
from searchkit_tui.widgets.dialogs import Choose
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.small_app import User, shown


class GatedQueries(HashEmbedder):
    """Embeds queries once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Event()

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        assert self.gate.wait(20)
        return super().embed_queries(queries)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """A collection with headings, of which queries can be made."""
    for number in range(12):
        write(tmp_path / "docs" / f"doc{number}.md", f"# Chapter {number}\n\nWord{number} is all that it says.\n")
    with Library(tmp_path / "home", embedder=HashEmbedder()) as opened:
        opened.index(tmp_path / "docs")
        yield opened


def drive(
    library: Library, scenario: Callable[[User], Coroutine[Any, Any, None]], size: tuple[int, int] = (120, 40)
) -> None:
    async def run() -> None:
        async with shown(lambda app: CollectionsScreen(library, app.jobs), size, library) as user:
            await user.until_seen("docs", "12 indexed")
            await scenario(user)

    asyncio.run(run())


def tune_job(user: User) -> TuneJob:
    job = user.app.jobs.latest(JobKind.TUNE, "docs")
    assert isinstance(job, TuneJob)
    return job


async def open_tune(user: User) -> None:
    await user.press("t")
    await user.until(lambda: isinstance(user.app.screen, TuneScreen) and user.app.jobs.latest(JobKind.TUNE, "docs"))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_the_table_grows_trial_by_trial_and_the_cheapest_is_set(library: Library, size: tuple[int, int]) -> None:
    async def scenario(user: User) -> None:
        await open_tune(user)
        table = user.app.screen.query_one(TrialTable)
        await user.until(lambda: table.row_count > 0)
        await user.until(lambda: not tune_job(user).is_active)
        report = tune_job(user).report
        assert report is not None
        assert report.chosen is not None
        await user.until(lambda: table.row_count == len(report.trials))
        plot = (
            ["┈┈┈"] if size[1] > 24 else []
        )  # there is room for it beside the table and a sentence on what is missing
        await user.until_seen("◆ Measured on", "recall@10", " ms", *plot)
        assert user.footer_keys <= 5  # and one of the app
        await user.press("s")
        await user.until_seen(f"searches use {report.chosen.spec}")
        status = library.status("docs")
        assert status.index is not None
        assert status.index.name == str(report.chosen.spec)

    drive(library, scenario, size)


def test_any_trial_can_be_set_and_automatic_goes_back(library: Library) -> None:
    async def scenario(user: User) -> None:
        await open_tune(user)
        await user.until(lambda: not tune_job(user).is_active)
        table = user.app.screen.query_one(TrialTable)
        await user.until(lambda: table.row_count == len(tune_job(user).trials))
        await user.press("down", "enter")
        chosen = sorted(tune_job(user).trials, key=lambda trial: trial.cost)[1].spec
        await user.until_seen(f"searches use {chosen} now")
        await user.press("a")
        await user.until_seen("the index that suits its size now")

    drive(library, scenario)


def test_measuring_goes_on_when_the_screen_is_left(library: Library) -> None:
    async def scenario(user: User) -> None:
        await open_tune(user)
        job = tune_job(user)
        await user.press("escape")
        await user.until(lambda: not job.is_active)
        assert job.state is JobState.DONE
        await open_tune(user)
        assert tune_job(user) is job
        await user.until_seen("◆ Measured on")

    drive(library, scenario)


def test_measuring_can_be_cancelled(library: Library) -> None:
    embedder = GatedQueries()

    async def scenario(user: User) -> None:
        await open_tune(user)
        await user.until_seen("Embedding the queries")
        await user.press("c")
        embedder.gate.set()
        await user.until(lambda: not tune_job(user).is_active)
        assert tune_job(user).state is JobState.CANCELLED
        await user.until_seen("Stopped")

    with Library(library.home, embedder=embedder) as gated:
        drive(gated, scenario)


def test_an_impossible_share_is_refused(library: Library) -> None:
    async def scenario(user: User) -> None:
        await open_tune(user)
        await user.until(lambda: not tune_job(user).is_active)
        user.app.screen.query_one("#recall", Input).value = "1.5"
        await user.press("ctrl+r")
        await user.until_seen("must be between 0 and 1")

    drive(library, scenario)


def test_models_are_listed_with_what_switching_means(library: Library) -> None:
    async def scenario(user: User) -> None:
        await user.press("m")
        await user.until(lambda: isinstance(user.app.screen, Choose))
        await user.until_seen("A model for docs", "Vectors of different models cannot be compared", "12 passages")
        await user.press("escape")
        assert isinstance(user.app.screen, CollectionsScreen)

    drive(library, scenario)


def test_settings_that_make_no_sense_are_a_toast(library: Library) -> None:
    (library.home.path / "config.toml").write_text("modle = 'x'\n")

    async def scenario(user: User) -> None:
        await user.press("m")
        await user.until(lambda: "there is no setting 'modle'" in "\n".join(user.toasts))

    drive(library, scenario)


REPORT = {
    "sets": [
        {
            "name": "docs[bold]",
            "model": "hash",
            "documents": 12,
            "passages": 12,
            "queries": 4,
            "k": 100,
            "rows": [
                {
                    "way": way,
                    "mode": way,
                    "index": "",
                    "scores": {
                        metric: {"mean": mean, "low": round(mean - 0.1, 6), "high": round(mean + 0.05, 6)}
                        for metric in ("ndcg@10", "recall@10", "recall@100", "mrr@10")
                    },
                    "latency": None,
                }
                for way, mean in (("hybrid", 0.8), ("lexical", 0.5))
            ],
            "differences": [
                {
                    "way": "hybrid",
                    "other": "lexical",
                    "metric": "ndcg@10",
                    "mean": 0.3,
                    "low": 0.1,
                    "high": 0.5,
                    "p": 0.01,
                }
            ],
            "changes": {
                "way": "hybrid",
                "other": "lexical",
                "winners": [{"query_id": "1", "text": "words \u001b[31m", "value": 1.0, "other": 0.0}],
                "losers": [],
            },
        }
    ],
    "means": {},
}


def test_an_evaluation_is_shown_as_bars_and_tables(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "runs" / "report.json", json.dumps(REPORT))

    async def scenario(user: User) -> None:
        await user.press("e")
        await user.until(lambda: isinstance(user.app.screen, ChooseReport))
        user.app.screen.query_one("#path", Input).value = str(tmp_path / "runs")
        await user.press("enter")
        await user.until(lambda: isinstance(user.app.screen, EvaluationScreen))
        await user.until_seen("docs[bold], 4 queries", "hybrid", "0.800 (0.700–0.850)", "├", "┤", "nDCG@10")
        await user.press("m")
        await user.until_seen("recall@10")
        assert "\x1b" not in user.seen
        await user.press("escape")
        assert isinstance(user.app.screen, CollectionsScreen)

    drive(library, scenario)


def test_a_file_that_is_no_report_is_refused(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "other.json", '{"sets": [1]}')

    async def scenario(user: User) -> None:
        await user.press("e")
        await user.until(lambda: isinstance(user.app.screen, ChooseReport))
        user.app.screen.query_one("#path", Input).value = str(tmp_path / "other.json")
        await user.press("ctrl+s")
        error = user.app.screen.query_one("#error", Static)
        await user.until(lambda: "is not a report of an evaluation" in str(error.content))
        user.app.screen.query_one("#path", Input).value = str(tmp_path / "nothing")
        await user.press("ctrl+s")
        await user.until(lambda: "cannot be read" in str(error.content))

    drive(library, scenario)


def test_a_report_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    from searchkit.evaluate.retrieval.report import report_as_json

    file = write(tmp_path / "report.json", json.dumps(REPORT))
    assert json.loads(json.dumps(report_as_json(read_report(file)))) == REPORT
    for broken in ("", "[]", "{}", '{"sets": [], "means": 3}'):
        with pytest.raises(UsageError, match="is not a report"):
            read_report(write(tmp_path / "broken.json", broken))


def test_a_collection_is_evaluated_with_judged_queries(library: Library, tmp_path: Path) -> None:
    (file,) = list((tmp_path / "docs").glob("*"))[:1]
    judged = write(tmp_path / "judged.jsonl", json.dumps({"query": "words", "relevant": [file.name]}) + "\n")

    async def scenario(user: User) -> None:
        await user.press("e")
        await user.until(lambda: isinstance(user.app.screen, ChooseReport))
        path = user.app.screen.query_one("#path", Input)
        path.value = str(tmp_path / "none.jsonl")
        await user.press("ctrl+s")
        await user.until_seen("searchkit eval init docs")
        path.value = str(judged)
        await user.press("ctrl+s")
        await user.until(lambda: isinstance(user.app.screen, EvaluationScreen))
        await user.until_seen("docs, 1 queries", "hybrid", "semantic", "lexical")

    drive(library, scenario)
    assert existing_collection(library.home, "docs").evaluation.is_file()


def test_judged_queries_are_begun_where_there_are_none(library: Library, tmp_path: Path) -> None:
    async def scenario(user: User) -> None:
        await user.press("e")
        await user.until(lambda: isinstance(user.app.screen, ChooseReport))
        user.app.screen.query_one("#path", Input).value = str(tmp_path)
        await user.press("ctrl+b")
        await user.until(lambda: any("Reword each as a question" in toast for toast in user.toasts))
        await user.press("e")
        await user.until(lambda: isinstance(user.app.screen, ChooseReport))
        user.app.screen.query_one("#path", Input).value = str(tmp_path)
        await user.press("ctrl+b")
        await user.until(lambda: any("exists already" in toast for toast in user.toasts))

    drive(library, scenario)
    lines = (tmp_path / "docs-queries.jsonl").read_text().splitlines()
    assert lines and all(json.loads(line)["relevant"] for line in lines)


def test_the_columns_of_tuning_are_explained_and_judged_queries_offered(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(user: User) -> None:
        await user.press("t")
        await user.until_seen("share of the true ten nearest", "cost: median plus memory")
        await user.press("j")
        await user.until((tmp_path / "docs-queries.jsonl").exists)

    monkeypatch.setenv("HOME", str(tmp_path))
    drive(library, scenario)
