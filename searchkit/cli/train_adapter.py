"""`searchkit train adapter`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.options import FOLDER, PATH, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.display import command
from searchkit.train.options import AdapterOptions

if TYPE_CHECKING:
    from searchkit.train.adapter.run import Adapted

_EXISTING = click.Path(exists=True, path_type=Path)
_OPTIONS = group(
    AdapterOptions,
    pairs=option("--pairs", type=_EXISTING, help="A file of `train pairs`."),
    queries=option("--queries", type=_EXISTING, help="Judged queries as the target; see eval init."),
    general=option(
        "--general",
        multiple=True,
        type=FOLDER,
        help="A folder in BEIR's layout that must not lose; may be repeated. The bundled one is always checked.",
    ),
    name=option("--name", default="", help="Name of the new model (default: made of the base's and the collection's)."),
    is_quick=option(
        "--quick", is_flag=True, help="Learn from the stored vectors, and embed only what the proof needs."
    ),
    is_forced=option("--force", is_flag=True, help="Make the model even if it does not pass."),
    seed=option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=AdapterOptions().seed,
        show_default=True,
        help="The same seed gives the same model.",
    ),
    out=option("--out", type=PATH, help="Folder for the report (default: in the data directory)."),
)


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[str, argument()]
    options: Annotated[AdapterOptions, _OPTIONS]
    use: Annotated[bool, option("--use", is_flag=True, help="If it passes, use it for the collection at once.")]
    by_itself: Annotated[
        bool,
        option(
            "--auto",
            is_flag=True,
            help="Wait for an index run to end, then the same as --quick --use, said in one line.",
        ),
    ]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print the report as one JSON object.")]


@click.command()
@with_options(_Request)
def adapter(request: _Request) -> None:
    """Adapt COLLECTION's model to it by a linear map, in seconds. The new model is kept if held-out queries gain.

    The collection does not change until `models use` switches it to the new model. That maps its vectors without embedding
    anything; `models use` with the base's name switches back.

    \b
    Examples:
      searchkit train adapter docs
      searchkit train adapter docs --auto
      searchkit train adapter docs --queries docs-queries.jsonl --use
    """
    from searchkit.library import Library
    from searchkit.maintenance.switch_model import switch_model
    from searchkit.train.options import require_torch

    require_torch()
    if request.by_itself:
        _adapt(request)
        return
    from searchkit.train.adapter.report import as_json
    from searchkit.train.adapter.run import train_adapter

    with Library() as library:
        with progress_line() as listen:
            adapted = train_adapter(library, request.collection, request.options, listen)
        if request.use and adapted.model:
            switch_model(library.collection(request.collection), adapted.model)
    if request.as_json:
        print_json([as_json(adapted.report)])
    _say_outcome(adapted, is_used=request.use)


def _adapt(request: _Request) -> None:
    from searchkit.library import Library
    from searchkit.train.adapter.adapt import adapt_collection

    with Library() as library, progress_line() as listen:
        outcome = adapt_collection(library, request.collection, listen, request.options)
    if request.as_json:
        print_json([{"collection": request.collection, "model": outcome.model, "outcome": outcome.line}])
    else:
        say(outcome.line)


def _say_outcome(adapted: "Adapted", *, is_used: bool) -> None:
    from searchkit.train.reports import where_written

    report = adapted.report
    for remark in report.remarks:
        say(f"Note: {remark}")
    if adapted.model and is_used:
        say(f"{report.collection} now uses {adapted.model}. {report.verdict.reason}")
        say(f"To switch back: {command('models', 'use', report.base, '-c', report.collection)}")
    elif adapted.model:
        forced = "" if report.verdict.passed else "It did not pass, but was made because of --force: "
        say(f"Made {adapted.model}. {forced}{report.verdict.reason}")
        say(f"Use it: {command('models', 'use', adapted.model, '-c', report.collection)}")
    else:
        say(f"The base stays, {report.base}: {report.verdict.reason}.")
    say(where_written(adapted.report_folder, has_figures=bool(report.targets)))
