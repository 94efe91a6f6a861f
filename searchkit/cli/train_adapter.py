"""`searchkit train adapter`."""

from dataclasses import dataclass
from typing import Annotated

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.options import argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.cli.train_options import (
    EXISTING,
    GENERAL,
    MAKE_ANYWAY,
    NEW_MODEL,
    REPORT_FOLDER,
    USE_AT_ONCE,
    say_adapted,
    seed,
    use_adapted,
)
from searchkit.train.options import AdapterOptions

_OPTIONS = group(
    AdapterOptions,
    pairs=option("--pairs", type=EXISTING, help="A file of `train pairs`."),
    queries=option("--queries", type=EXISTING, help="Judged queries as the target; see eval init."),
    general=GENERAL,
    name=NEW_MODEL,
    is_quick=option(
        "--quick", is_flag=True, help="Learn from the stored vectors, and embed only what the proof needs."
    ),
    is_forced=MAKE_ANYWAY,
    seed=seed(AdapterOptions().seed),
    out=REPORT_FOLDER,
)


@dataclass(frozen=True, slots=True)
class _Request:
    collection: Annotated[str, argument(type=COLLECTION)]
    options: Annotated[AdapterOptions, _OPTIONS]
    use: Annotated[bool, USE_AT_ONCE]
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
        if request.use:
            use_adapted(library, adapted.report)
    if request.as_json:
        print_json([as_json(adapted.report)])
    say_adapted(adapted.report, adapted.report_folder, is_used=request.use)


def _adapt(request: _Request) -> None:
    from searchkit.library import Library
    from searchkit.train.adapter.adapt import adapt_collection

    with Library() as library, progress_line() as listen:
        outcome = adapt_collection(library, request.collection, listen, request.options)
    if request.as_json:
        print_json([{"collection": request.collection, "model": outcome.model, "outcome": outcome.line}])
    else:
        say(outcome.line)
