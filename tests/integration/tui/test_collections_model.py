"""Switching a collection to another model, to its end, with real models."""

import asyncio
import shutil
from pathlib import Path

import pytest

from searchkit.embedding.store import BUNDLED
from searchkit.library import Library
from searchkit.types import SearchMode
from searchkit_tui.collections.screen import CollectionsScreen
from searchkit_tui.jobs.job import JobKind, JobState
from searchkit_tui.widgets.dialogs import Choose
from tests.support.small_app import User, shown

pytestmark = pytest.mark.minilm


def test_a_collection_is_switched_to_another_model_and_embedded_with_it(
    small_model: Path, tmp_path: Path, docs: Path
) -> None:
    home = tmp_path / "home"
    for name in ("first", "second"):
        shutil.copytree(small_model / "models" / BUNDLED, home / "models" / name)

    async def scenario(user: User, library: Library) -> None:
        await user.until_seen("docs", "first", "all by meaning")
        await user.press("m")
        await user.until(lambda: isinstance(user.app.screen, Choose))
        await user.until_seen("first", "in use", "second")
        names = library.models.names()
        await user.press(*["down"] * names.index("second"), "enter")
        await user.until(lambda: isinstance(user.app.screen, CollectionsScreen))
        runner = user.app.jobs
        await user.until(lambda: runner.at_work is None and runner.jobs)
        job = runner.jobs[0]
        assert (job.kind, job.state) == (JobKind.SWITCH, JobState.DONE), job.error
        assert job.outcome.startswith("uses second now; ")
        await user.until(lambda: "uses second now" in "\n".join(user.toasts))
        await user.until_seen("model     second", "all by meaning")

    async def run(library: Library) -> None:
        async with shown(lambda app: CollectionsScreen(library, app.jobs), library=library) as user:
            await scenario(user, library)

    with Library(home) as library:
        library.index(docs, model="first")
        asyncio.run(run(library))
        status = library.status("docs")
        assert (status.model, status.vectors) == ("second", status.passages)
        assert library.search("how to keep bees", mode=SearchMode.SEMANTIC)


@pytest.mark.train
def test_one_key_adapts_the_model_and_says_what_came_of_it(small_model: Path, tmp_path: Path, docs: Path) -> None:
    pytest.importorskip("torch")
    home = Path(shutil.copytree(small_model, tmp_path / "home"))

    async def run(library: Library) -> None:
        async with shown(lambda app: CollectionsScreen(library, app.jobs), library=library) as user:
            await user.until_seen("docs", "all by meaning")
            await user.press("d")
            runner = user.app.jobs
            await user.until(lambda: runner.at_work is None and runner.jobs)
            job = runner.jobs[0]
            assert (job.kind, job.state) == (JobKind.ADAPT, JobState.DONE), job.error
            assert "dapted" in job.outcome
            await user.until(lambda: job.outcome in "\n".join(user.toasts))

    with Library(home) as library:
        library.index(docs)
        asyncio.run(run(library))
