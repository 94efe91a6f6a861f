"""`searchkit index`."""

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION, MODEL
from searchkit.cli.options import argument, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import clock_time, command, error_text, on_one_line, plural, remedy_command, remedy_text
from searchkit.display.runs import index_summary, left_out_text, ocr_text
from searchkit.errors import Action, Remedy, SearchkitError, UsageError
from searchkit.reports import IndexReport, RunOptions
from searchkit.types import Storage

if TYPE_CHECKING:
    from searchkit.library import Library

_PROBLEMS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Request:
    paths: Annotated[tuple[str, ...], argument(nargs=-1, metavar="[PATH]...")]
    collection: Annotated[
        str,
        option(
            "-c",
            "--collection",
            type=COLLECTION,
            default="",
            help="Put the folders into this collection (default: named after each).",
        ),
    ]
    model: Annotated[
        str,
        option(
            "--model",
            type=MODEL,
            default="",
            help="Embed with this model (default: the collection's, else the best installed).",
        ),
    ]
    to: Annotated[
        str,
        option(
            "--to",
            default="",
            metavar="URL",
            help="Create the collection in this PostgreSQL database: postgresql://USER@HOST/DATABASE.",
        ),
    ]
    watch: Annotated[
        bool,
        option("--watch", is_flag=True, help="Keep running, and index changes as they happen."),
    ]
    adapt: Annotated[
        bool,
        option(
            "--adapt",
            is_flag=True,
            help="Then adapt the model to the collection, if that helps (also: auto_adapt in config.toml).",
        ),
    ]
    retry: Annotated[
        bool, option("--retry", is_flag=True, help="Read skipped files again, even if they have not changed.")
    ]
    wait: Annotated[
        bool, option("--wait", is_flag=True, help="Wait for another process that is writing to the collection.")
    ]
    lazy: Annotated[
        bool | None,
        option(
            "--lazy/--no-lazy",
            default=None,
            help="Embed passages only as questions ask for them, or (--no-lazy) all of them, from now on.",
        ),
    ]
    storage: Annotated[
        str | None,
        option(
            "--storage",
            type=click.Choice([str(form) for form in Storage]),
            help="Keep vectors in 8 bits a component (standard), in 4 (compact) or 16 (exact), from now on.",
        ),
    ]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print each report as one JSON object.")]


@click.command()
@with_options(_Request)
def index(request: _Request) -> None:
    """Make folders searchable, or bring them up to date.

    Only new and changed files are read again. Their words can be searched as soon as they are read, their meaning as it
    is embedded, the most recent files first. Without a model words alone are indexed; the next run after you have got one
    embeds what is stored. Without a PATH every collection (or the one named) is brought up to date.

    \b
    Examples:
      searchkit index ~/docs
      searchkit index ~/work/reports ~/work/minutes -c work
      searchkit index ~/notes --watch
      searchkit index /srv/archive -c archive --to postgresql://anna@db.example.org/search
    """
    from searchkit.library import Library

    with Library() as library:
        _index(library, request)


def _index(library: "Library", request: _Request) -> None:
    from searchkit.errors import NothingIndexedError

    if request.to and not request.paths:
        raise UsageError("No folder is named.", remedy="Name the folders that go into the database.")
    may_adapt = _may_adapt(library, request)
    known = [request.collection] if request.collection else library.collections()
    if not (request.paths or known):
        raise NothingIndexedError
    for path in request.paths:  # a misspelt one is better reported before the first hour than after it
        library.check(path)
    names = []
    for target in request.paths or known:
        report = _run(library, request, path=target) if request.paths else _run(library, request, collection=target)
        _advise(report, library)
        _advise_grammars(report)
        _advise_on_guesses(report, library, request)
        _advise_on_missing_model(report, library)
        if may_adapt and report.model:
            _adapt(library, report.collection, request)
        elif report.model:
            _advise_on_adapting(report)
        names.append(report.collection)
        if not report.passages:
            say("  There is nothing to search yet.")
    names = list(dict.fromkeys(names))
    by_words = [name for name in names if not library.collection(name).model()]
    is_fetched = _fetch_model(library, request) if by_words else None
    if is_fetched:
        for name in by_words:
            _run(library, request, collection=name)
            if may_adapt:
                _adapt(library, name, request)
    elif is_fetched is False:
        say("No model is installed, so these passages are found by their words and not yet by their meaning.")
        say(f"What brings that, without reading your files again: {command('models', 'pull')}")
    if request.watch:
        _watch(library, names, as_json=request.as_json)


def _run(library: "Library", request: _Request, *, path: str = "", collection: str = "") -> IndexReport:
    """Index a path, or bring a collection up to date, and print the report."""
    options = RunOptions(
        retry=request.retry,
        wait=request.wait,
        lazy=request.lazy,
        storage=Storage(request.storage) if request.storage else None,
    )
    with progress_line() as listen:  # gone from the screen before the report comes
        if collection:
            report = library.collection(collection).refresh(on_progress=listen, options=options)
        else:
            report = library.index(
                path,
                collection=request.collection,
                model=request.model,
                to=request.to,
                on_progress=listen,
                options=options,
            )
    _report(report, as_json=request.as_json)
    return report


def _may_adapt(library: "Library", request: _Request) -> bool:
    """True if the model is to be adapted after the run.

    Raises ExtraMissingError, before hours are spent, if that was asked for and cannot be.
    """
    from searchkit.config import load_settings

    if not (request.adapt or load_settings(library.home).auto_adapt):
        return False
    from searchkit.errors import ExtraMissingError
    from searchkit.train.options import require_torch

    try:
        require_torch()
    except ExtraMissingError as error:
        if request.adapt:
            raise
        say(f"auto_adapt: {error_text(error)}")
        return False
    return True


def _adapt(library: "Library", collection: str, request: _Request) -> None:
    from searchkit.train.adapter.adapt import adapt_after_index

    with progress_line() as on_progress:
        outcome = adapt_after_index(library, collection, on_progress, is_asked=request.adapt)
    if outcome.line:
        say(outcome.line)


def _watch(library: "Library", names: list[str], *, as_json: bool) -> None:
    from threading import Event

    from searchkit.maintenance.watch import watch

    say(f"Watching {', '.join(names)}. Ctrl-C ends it.")
    for report in watch(library, names, lambda _: None, Event()):
        _report(report, as_json=as_json, time=f"{clock_time()} ")


def _advise(report: IndexReport, library: "Library") -> None:
    """Recommend a better model, once, if only the small one is installed."""
    from searchkit.embedding.store import BUNDLED

    if report.added and not report.unchanged and library.models.names() == [BUNDLED]:
        say(f"  The small model {BUNDLED} knows English best. A better one: {command('models', 'pull')}")


def _fetch_model(library: "Library", request: _Request) -> bool | None:
    """Ask whether to fetch the recommended model, and fetch it; once for a data directory, if there is an answer and it works.

    False if nobody was asked or the answer is no, None if it cannot be fetched, which was said.

    Asks people only: neither pipes, nor scripts, nor continuous integration, nor where the network is not to be used.
    """
    from searchkit.cli.models_add import fetch_model
    from searchkit.embedding.hub import is_offline
    from searchkit.embedding.known_models import recommended
    from searchkit.embedding.pull import PullRequest
    from searchkit.files import write_atomically

    is_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if request.as_json or not is_terminal or os.environ.get("CI") or is_offline() or library.home.model_offer.exists():
        return False
    model = recommended()
    question = (
        f"Words can be searched already. Fetch {model.name} ({model.licence}, {model.download_megabytes} MB, no account)"
        " for search by meaning?"
    )
    is_wanted = click.confirm(question, default=True, err=True)
    if is_wanted:
        try:
            fetch_model(library, PullRequest())
        except SearchkitError as error:  # words are indexed all the same, and can be watched; the next run asks again
            say(error_text(error))
            say("Until then, passages are found by their words. The next run asks again.")
            return None
    write_atomically(library.home.model_offer, b"yes\n" if is_wanted else b"no\n")
    return is_wanted


def _advise_on_guesses(report: IndexReport, library: "Library", request: _Request) -> None:
    """Say of a lazy collection whose model cannot guess that words alone choose what it reads."""
    if not (request.lazy and report.model):
        return
    if library.collection(report.collection).embedder().provisional is None:
        say(f"  {report.model} has no guesses at the meaning of passages, so their words alone choose what it reads.")
        say(
            "  Models get them when they are imported: remove it and import it again, unless its guesses find too little."
        )


def _advise_on_missing_model(report: IndexReport, library: "Library") -> None:
    """Say that a collection's model is gone, so that what is new is found by its words alone."""
    own = library.collection(report.collection).model()
    if own and not report.model:
        from searchkit.embedding.known_models import get_again

        say(
            f"  Its model '{own}' is not installed, so what is new is found by its words. {remedy_text(get_again(own))}"
        )
        say(f"  To choose another: {command('models', 'use', 'NAME', '-c', report.collection)}")


def _advise_on_adapting(report: IndexReport) -> None:
    """Say, once, that the collection has enough for its model to learn from."""
    from searchkit.train.options import ENOUGH_PASSAGES

    if report.added and not report.unchanged and report.passages >= ENOUGH_PASSAGES:
        say("  Its model can learn from so many passages, and what it learns is used only if it finds more:")
        say(f"  {command('train', 'adapter', report.collection, '--auto')}")


def _advise_grammars(report: IndexReport) -> None:
    """Say, once, what would cut source code at its definitions."""
    from searchkit import formats

    has_code = any(each.format in formats.WITH_GRAMMAR for each in report.formats)
    if has_code and report.added and not report.unchanged and not formats.has_grammars():
        how = remedy_command(Remedy(Action.INSTALL_EXTRA, extra="code"))
        say(f"  Source code was cut at blank lines. What cuts it at its definitions: {how}")


def _report(report: IndexReport, *, as_json: bool, time: str = "") -> None:
    """Print what a run has changed. `time`: before it, of a run that nobody is waiting for."""
    if as_json:
        from searchkit.display.fields import fields_of

        print_json([fields_of(report)])
        return
    say(f"{time}{report.collection}: {index_summary(report)}")
    if len(report.formats) > 1 and report.added and not report.unchanged:
        kinds = (f"{each.format} {each.files:,}" for each in report.formats)
        say(f"  by format:  {', '.join(kinds)}")
    if report.left_out and (report.added or report.changed or not report.unchanged):
        how = command("status", "--left-out", "-c", report.collection)
        say(f"  left out:  {left_out_text(report.left_out)}. Each, and what brings it back: {how}")
    if report.scanned_pages and (report.added or report.changed or not report.unchanged):
        how = command("status", "--left-out", "-c", report.collection)
        say(f"  needs OCR: {ocr_text(report.scanned_pages)}. Their files, and what reads them: {how}")
    if report.remade:
        say(f"  {plural(report.remade, 'vector')} had been made while the model was damaged, and were made again")
    for problem in report.problems[:_PROBLEMS_SHOWN]:
        remedy = f" ({problem.remedy})" if problem.remedy else ""
        say(f"  skipped {on_one_line(str(problem.path))}: {problem.reason}{remedy}")
    if len(report.problems) > _PROBLEMS_SHOWN or report.files_skipped > len(report.problems):
        say(
            f"  {plural(report.files_skipped, 'file')} skipped in all; each with its reason: {command('status', '--problems')}"
        )
