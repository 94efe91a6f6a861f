"""`searchkit train`: pairs, adapter, finetune, opened."""

import signal
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

import click

from searchkit.cli.output import print_json, progress_line, say
from searchkit.cli.train_finetune import finetune
from searchkit.display import command, on_one_line, plural, printable
from searchkit.errors import UsageError

if TYPE_CHECKING:
    from searchkit.train.adapter.run import Adapted
    from searchkit.train.pairs.pair import Pair, PairCounts

_SAMPLES = 2  # of each kind
_SHOWN = 160  # characters of a sample


@click.group()
@click.pass_context
def train(context: click.Context) -> None:
    """Let a collection improve the model that searches it, with proof before and after.

    \b
    Examples:
      searchkit train adapter docs
      searchkit train pairs docs --out docs-pairs.jsonl
    """
    if current_thread() is main_thread():  # SIGTERM as Ctrl-C: what was embedded or trained is put away before the end
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        context.call_on_close(lambda: signal.signal(signal.SIGTERM, before or signal.SIG_DFL))


train.add_command(finetune)


@train.command()
@click.argument("collection")
@click.option("--out", type=click.Path(path_type=Path), help="Write the pairs to this file, a JSON object a line.")
@click.option("--queries", type=click.Path(exists=True, path_type=Path), help="Add the pairs of this file of yours.")
@click.option(
    "--llm",
    default="",
    metavar="ADDRESS|FILE|embedded|auto",
    help="Let a language model write questions too; kept if they find their passage again.",
)
@click.option("--written", default=200, show_default=True, type=click.IntRange(1), help="Questions to have written.")
@click.option("--negatives", default=0, show_default=True, type=click.IntRange(0, 20), help="Hard negatives a pair.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of the split.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def pairs(  # noqa: PLR0913, PLR0917 - an option each
    collection: str,
    out: Path | None,
    queries: Path | None,
    llm: str,
    written: int,
    negatives: int,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Find pairs of a query and its answer in COLLECTION: titles, headings, questions, documented code, links, captions.

    They are split by document into train, validation and test. The file may be edited, and trained with:
    `train adapter --pairs FILE`.

    \b
    Examples:
      searchkit train pairs docs
      searchkit train pairs docs --negatives 2 --out docs-pairs.jsonl
      searchkit train pairs docs --llm auto --written 300 --out docs-pairs.jsonl
    """
    from searchkit.library import Library
    from searchkit.train.pairs.collect import CollectOptions, collect_pairs
    from searchkit.train.pairs.languages import corpus_sample, pair_remarks
    from searchkit.train.pairs.pair_file import write_pairs

    if out and out.expanduser().is_dir():
        raise UsageError(f"{out} is a folder. Name a file in it: --out {out / 'pairs.jsonl'}")
    if out and not out.expanduser().absolute().parent.is_dir():  # better known before a model has written its questions
        raise UsageError(
            f"There is no folder {out.expanduser().parent} to write {out.name} to. Make it, or name another: --out"
        )
    with Library() as library, progress_line() as listen:
        options = CollectOptions(queries, llm, written, negatives, seed)
        found, counts = collect_pairs(library, collection, options, listen)
        remarks = pair_remarks(found, corpus_sample(library, collection))
    if out:
        write_pairs(out.expanduser(), found)
    if as_json:
        from dataclasses import asdict

        print_json([{**asdict(counts), "remarks": remarks}])
    else:
        _show(found, counts)
    for remark in remarks:
        say(f"Note: {remark}")
    if out:
        say(f"Written: {out}. Train with it: {command('train', 'adapter', collection, '--pairs', str(out))}")


@train.command()
@click.argument("collection")
@click.option("--pairs", "pairs_file", type=click.Path(exists=True, path_type=Path), help="A file of `train pairs`.")
@click.option(
    "--queries", type=click.Path(exists=True, path_type=Path), help="Judged queries as the target; see eval init."
)
@click.option(
    "--general",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder in BEIR's layout that must not lose; may be repeated. The bundled one is always checked.",
)
@click.option(
    "--name", default="", help="What to call the new model (default: made of the base's and the collection's)."
)
@click.option(
    "--quick", is_flag=True, help="Embed only what the proof needs, and learn from the vectors that are stored."
)
@click.option("--force", is_flag=True, help="Make the model even if it does not pass.")
@click.option("--use", is_flag=True, help="Use it for the collection at once, if it passes.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="The same seed gives the same model.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the report (default: in the data directory).")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def adapter(  # noqa: PLR0913, PLR0917 - an option each
    collection: str,
    pairs_file: Path | None,
    queries: Path | None,
    general: tuple[Path, ...],
    name: str,
    quick: bool,
    force: bool,
    use: bool,
    seed: int,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Adapt COLLECTION's model to it by a linear map, in seconds. The new model is kept if held-out queries gain.

    Nothing changes for the collection until `models use` switches it; that maps its vectors and embeds nothing, and
    `models use` with the base's name goes back.

    \b
    Examples:
      searchkit train adapter docs
      searchkit train adapter docs --queries docs-queries.jsonl --use
    """
    from searchkit.library import Library
    from searchkit.train.extra import require_torch

    require_torch()
    from searchkit.train.adapter.run import train_adapter
    from searchkit.train.adapter.training_data import AdapterOptions

    options = AdapterOptions(
        pairs=pairs_file,
        queries=queries,
        general=general,
        name=name,
        seed=seed,
        is_forced=force,
        is_quick=quick,
        out=out,
    )
    with Library() as library:
        with progress_line() as listen:
            adapted = train_adapter(library, collection, options, listen)
        if use and adapted.model:
            from searchkit.maintenance.switch_model import switch_model

            switch_model(library.collection(collection), adapted.model)
    if as_json:
        from searchkit.train.adapter.report import as_json as fields

        print_json([fields(adapted.report)])
    _tell(adapted, is_used=use)


@train.command()
@click.option("--erase", is_flag=True, help="Delete them all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a search.")
def opened(*, erase: bool, as_json: bool) -> None:
    """Show the searches whose hits you opened, which `train pairs` learns from. They are kept only if you say so.

    With `keep_opened = true` in config.toml each hit that you open or copy in the terminal UI is noted with its query, its
    path and its passage, in the data directory, and nowhere else.

    \b
    Example:
      searchkit train opened --erase
    """
    from searchkit.config import load_settings
    from searchkit.home import Home
    from searchkit.search.click_log import erase_opened, opened_file, read_opened

    home = Home.default()
    if erase:
        say(f"Erased: {plural(erase_opened(home), 'search')}.".replace("searchs", "searches"))
        return
    kept = read_opened(home)
    if as_json:
        print_json({"query": one.query, "path": str(one.path), "collection": one.collection} for one in kept)
        return
    for one in kept:
        click.echo(on_one_line(f"{one.collection}  {one.query}  → {one.path}"))
    if not kept:
        state = (
            "kept from now on" if load_settings(home).keep_opened else "not kept (keep_opened = true in config.toml)"
        )
        say(f"No opened searches; they are {state}.")
    else:
        say(f"In {opened_file(home)}. Delete them: searchkit train opened --erase")


def _show(found: "list[Pair]", counts: "PairCounts") -> None:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in counts.kinds.items()) or "none"
    splits = ", ".join(f"{split} {count:,}" for split, count in counts.splits.items())
    click.echo(f"{plural(len(found), 'pair')} of {plural(counts.documents, 'document')}: {kinds}")
    click.echo(f"split by document: {splits}; {counts.with_negatives:,} with hard negatives")
    if counts.left_out:
        click.echo(f"left out: {', '.join(f'{count:,} {reason}' for reason, count in counts.left_out.items())}")
    for kind in counts.kinds:
        for pair in [pair for pair in found if pair.kind == kind][:_SAMPLES]:
            text = on_one_line(" ".join(pair.passage.text.split()))[:_SHOWN]
            click.echo(printable(f"\n{kind}: {pair.query}\n   → {text}"))


def _tell(adapted: "Adapted", *, is_used: bool) -> None:
    from searchkit.train.report_folder import where_written

    report = adapted.report
    for remark in report.remarks:
        say(f"Note: {remark}")
    if adapted.model and is_used:
        say(f"{report.collection} now uses {adapted.model}. {report.verdict.reason}")
        say(f"Back: {command('models', 'use', report.base, '-c', report.collection)}")
    elif adapted.model:
        forced = "" if report.verdict.passed else "It did not pass, and was made all the same: "
        say(f"Made {adapted.model}. {forced}{report.verdict.reason}")
        say(f"Use it: {command('models', 'use', adapted.model, '-c', report.collection)}")
    else:
        say(f"The base stays, {report.base}: {report.verdict.reason}.")
    say(where_written(adapted.report_folder, has_figures=bool(report.targets)))
