"""`searchkit train`: pairs and opened; adapter, distill, finetune, init, mixture and soup have their own modules."""

import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION, NearestGroup
from searchkit.cli.options import PATH, argument, group, option, with_options
from searchkit.cli.output import print_json, progress_line, say
from searchkit.cli.train_adapter import adapter
from searchkit.cli.train_distill import distill
from searchkit.cli.train_finetune import finetune
from searchkit.cli.train_init import init
from searchkit.cli.train_mixture import mixture, soup
from searchkit.display import command, on_one_line, plural, printable
from searchkit.errors import UsageError
from searchkit.train.options import PairOptions

if TYPE_CHECKING:
    from searchkit.train.pairs.pair import Pair, PairCounts

_SAMPLES = 2  # of each kind
_SHOWN = 160  # characters of a sample
_PAIRS = PairOptions()


@click.group(cls=NearestGroup)
@click.pass_context
def train(context: click.Context) -> None:
    """Improve the model that searches a collection by the collection itself, with proof before and after.

    \b
    Examples:
      searchkit train adapter docs
      searchkit train pairs docs --out docs-pairs.jsonl
    """
    if current_thread() is main_thread():  # SIGTERM as Ctrl-C: work done so far is saved before the end
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        context.call_on_close(lambda: signal.signal(signal.SIGTERM, before or signal.SIG_DFL))


train.add_command(adapter)
train.add_command(finetune)
train.add_command(init)
train.add_command(mixture)
train.add_command(soup)
train.add_command(distill)


@dataclass(frozen=True, slots=True)
class _PairsRequest:
    collection: Annotated[str, argument(type=COLLECTION)]
    out: Annotated[
        Path | None, option("--out", type=PATH, help="Write the pairs to this file, one JSON object per line.")
    ]
    options: Annotated[
        PairOptions,
        group(
            PairOptions,
            file=option(
                "--queries", type=click.Path(exists=True, path_type=Path), help="Add the pairs of this file of yours."
            ),
            llm=option(
                "--llm",
                default="",
                metavar="ADDRESS|FILE|embedded|auto",
                help="Have a language model write questions too; a question is kept if it finds its passage again.",
            ),
            written=option(
                "--written",
                default=_PAIRS.written,
                show_default=True,
                type=click.IntRange(1),
                help="Number of questions to have written.",
            ),
            negatives=option(
                "--negatives",
                default=_PAIRS.negatives,
                show_default=True,
                type=click.IntRange(0, 20),
                help="Hard negatives per pair.",
            ),
            seed=option(
                "--seed",
                type=click.IntRange(0, 2**32 - 1),
                default=_PAIRS.seed,
                show_default=True,
                help="Seed of the split.",
            ),
        ),
    ]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print the counts as one JSON object.")]


@train.command(short_help="Find pairs of a query and its answer in a collection.")
@with_options(_PairsRequest)
def pairs(request: _PairsRequest) -> None:
    """Find pairs of a query and its answer in COLLECTION: titles, headings, questions, documented code, links, captions.

    They are split by document into train, validation and test. You can edit the file, and train with it:
    `train adapter --pairs FILE`.

    \b
    Examples:
      searchkit train pairs docs
      searchkit train pairs docs --negatives 2 --out docs-pairs.jsonl
      searchkit train pairs docs --llm auto --written 300 --out docs-pairs.jsonl
    """
    from searchkit.library import Library
    from searchkit.train.pairs.collect import collect_pairs
    from searchkit.train.pairs.languages import corpus_sample, pair_remarks
    from searchkit.train.pairs.pair_file import write_pairs

    collection, out = request.collection, request.out.expanduser() if request.out else None
    if out:
        _check_writable(out)
    with Library() as library, progress_line() as listen:
        found, counts = collect_pairs(library, collection, request.options, listen)
        remarks = pair_remarks(found, corpus_sample(library, collection))
    if out:
        write_pairs(out, found)
    if request.as_json:
        print_json([{**asdict(counts), "remarks": remarks}])
    else:
        _show(found, counts)
    for remark in remarks:
        say(f"Note: {remark}")
    if out:
        say(f"Written: {out}. Train with it: {command('train', 'adapter', collection, '--pairs', str(out))}")


def _check_writable(out: Path) -> None:
    """Raise UsageError for a path that cannot be written to, before a model spends hours on its questions."""
    if out.is_dir():
        raise UsageError(f"{out} is a folder. Name a file in it: --out {out / 'pairs.jsonl'}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {out.parent} to write {out.name} to. Create it, or name another: --out")


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


@train.command(short_help="Show the searches whose hits you opened.")
@click.option("--erase", is_flag=True, help="Delete all of them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per search.")
def opened(*, erase: bool, as_json: bool) -> None:
    """Show the searches whose hits you opened, which `train pairs` learns from. They are recorded only if you say so.

    With `keep_opened = true` in config.toml each hit that you open or copy in the terminal UI is recorded with its query, its
    path and its passage, in the data directory and nowhere else.

    \b
    Example:
      searchkit train opened --erase
    """
    from searchkit.config import load_settings
    from searchkit.home import Home
    from searchkit.search.click_log import erase_opened, read_opened

    home = Home.default()
    if erase:
        say(f"Erased: {plural(erase_opened(home), 'search')}.")
        return
    kept = read_opened(home)
    if as_json:
        print_json({"query": one.query, "path": str(one.path), "collection": one.collection} for one in kept)
        return
    for one in kept:
        click.echo(on_one_line(f"{one.collection}  {one.query}  → {one.path}"))
    if kept:
        say(f"They are in {home.click_log}. Delete them: searchkit train opened --erase")
    elif load_settings(home).keep_opened:
        say("No opened searches yet; they are being recorded.")
    else:
        say("No opened searches; none are recorded. To record them: keep_opened = true in config.toml")
