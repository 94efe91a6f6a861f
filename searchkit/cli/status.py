"""`searchkit status`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.output import print_json, say_if_others_can_write, say_nothing_is_indexed, say_what_is_away
from searchkit.display import being_written, command, local_time, on_one_line, plural, printable, size, time_left
from searchkit.display.runs import left_out_rule, left_out_text, ocr_text
from searchkit.reports import CollectionSizes, CollectionStatus, IndexStatus, LeftOut, LeftOutRule, Problem
from searchkit.types import Storage

if TYPE_CHECKING:
    from searchkit.library import Library

_PROBLEMS_SHOWN = 10
_KINDS_SHOWN = 6
_BITS = {Storage.EXACT: 16, Storage.STANDARD: 8, Storage.COMPACT: 4}


@click.command()
@click.option("-c", "--collection", type=COLLECTION, default="", help="This collection only.")
@click.option("--problems", is_flag=True, help="List every file that was skipped, with the reason and what to do.")
@click.option("--left-out", is_flag=True, help="List what rules and readers leave out, and what would bring it back.")
@click.option("--sizes", is_flag=True, help="Say what text, words, vectors and index take on the disk and in memory.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per collection (fields: searchkit docs json)."
)
def status(collection: str, *, problems: bool, left_out: bool, sizes: bool, as_json: bool) -> None:
    """Show what is indexed, and what is not and why.

    \b
    Examples:
      searchkit status -c docs
      searchkit status --problems
      searchkit status --left-out
      searchkit status --sizes
    """
    from searchkit.library import Library

    with Library() as library:
        found = [library.status(collection)] if collection else library.statuses()
        say_if_others_can_write(library.home.path)
        say_what_is_away(library.away)
        names = [each.collection for each in found]
        if not (names or library.away):
            say_nothing_is_indexed()
        missing_model = _missing_model(library)
        if left_out:
            _print_left_out({name: library.collection(name).left_out() for name in names}, as_json=as_json)
            return
        if sizes:
            _print_sizes([library.collection(name).sizes() for name in names], as_json=as_json)
            return
    if as_json:
        from searchkit.display.fields import collection_fields

        print_json(map(collection_fields, found))
        return
    for one in found:
        if problems:
            _print_problems(one)
        else:
            _print(one, missing_model)


def _missing_model(library: "Library") -> str:
    """What there is to do for a collection without a model."""
    if names := library.open_models.names():
        return f"none yet, though there is {names[0] if len(names) == 1 else 'one'}; embed it: {command('index')}"
    return f"none; get one: {command('models', 'pull')}"


def _print(one: CollectionStatus, missing_model: str) -> None:
    click.secho(one.collection, bold=True)
    for root in one.folders:
        gone = "" if root.is_dir() else "  (not there now; nothing is removed)"
        click.echo(f"  folder    {on_one_line(str(root))}{gone}")
    files = [plural(one.files, "file") + " indexed"]
    files += [f"{plural(one.documents_inside, 'document')} inside them"] if one.documents_inside else []
    files += [f"{one.files_skipped:,} skipped"] if one.files_skipped else []
    files += [f"{one.files_to_read:,} still to be read: searchkit index"] if one.files_to_read else []
    click.echo(f"  files     {', '.join(files)}")
    if one.formats:
        click.echo(f"  formats   {', '.join(f'{each.format} {each.files:,}' for each in one.formats)}")
    if one.files_unsupported:
        kinds = ", ".join(f"{suffix or 'no suffix'} {count:,}" for suffix, count in one.unsupported_types[:8])
        click.echo(
            f"  no text   {plural(one.files_unsupported, 'file')} of kinds that are not read, or without any: {printable(kinds)}"
        )
    click.echo(f"  passages  {one.passages:,}, all searchable by words, {coverage(one)}")
    if one.left_out:
        listed = command("status", "--left-out", "-c", one.collection)
        click.echo(f"  left out  {printable(left_out_text(one.left_out))}; each, and what brings it back: {listed}")
    if one.scanned_pages:
        listed = command("status", "--left-out", "-c", one.collection)
        click.echo(f"  needs OCR {ocr_text(one.scanned_pages)}; their files, and what reads them: {listed}")
    if one.left_out_inside:
        kinds = ", ".join(f"{what} ({plural(files, 'file')})" for what, files in one.left_out_inside[:_KINDS_SHOWN])
        listed = command("status", "--left-out", "-c", one.collection)
        click.echo(f"  in files  left out: {printable(kinds)}; each: {listed}")
    click.echo(f"  model     {one.model or missing_model}")
    if one.writer:
        click.echo(f"  now       {being_written(one)}, by {one.writer.process}")
    if one.index:
        click.echo(f"  index     {_index(one.index)}")
    if one.database:
        click.echo(f"  lives in  {on_one_line(one.database)}")
    updated = (
        f"last brought up to date {local_time(one.updated_at)}" if one.updated_at else "first run not finished yet"
    )
    click.echo(f"  on disk   {size(one.size_bytes)}, {updated}")
    for problem in one.problems[:_PROBLEMS_SHOWN]:
        click.echo(f"  skipped   {on_one_line(str(problem.path))}: {printable(problem.reason)}")
    if len(one.problems) > _PROBLEMS_SHOWN:
        click.echo(f"  … and {len(one.problems) - _PROBLEMS_SHOWN:,} more: searchkit status --problems")


def _print_sizes(found: Sequence[CollectionSizes], *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(each) for each in found)
        return
    for one in found:
        click.secho(one.collection, bold=True)
        parts = [
            ("text", one.text, ""),
            ("words", one.words, ""),
            ("vectors", one.vectors, f", {_BITS[one.storage]} bits a component ({one.storage})"),
            ("index", one.index, f", and {_bytes_each(one.index_memory, one.passages)} in memory"),
            ("in all", one.size, ""),
        ]
        for name, amount, more in parts:
            if amount is not None:
                click.echo(f"  {name:<9} {size(amount)}, {_bytes_each(amount, one.passages)}{more}")


def _bytes_each(amount: int, passages: int) -> str:
    return f"{round(amount / max(passages, 1)):,} bytes a passage"


def coverage(one: CollectionStatus) -> str:
    """How many passages the model has read, and of how many others their meaning is guessed."""
    read = "all" if one.vectors == one.passages else f"{one.vectors:,} of {one.passages:,}" if one.vectors else "none"
    guessed = (
        f", {one.provisional:,} by a guess at their meaning, until the model has read them" if one.provisional else ""
    )
    return f"{read} by meaning{guessed}{_rest(one)}"


def _rest(one: CollectionStatus) -> str:
    """When the model reads the passages that it has not read."""
    if one.vectors >= one.passages or not one.model:
        return ""
    if one.lazy:
        return "; the model reads the others as questions ask for them"
    left = one.seconds_left
    if left is None and one.writer is not None:
        return ""
    if left is None:
        return f"; to go on: {command('index', '-c', one.collection)}"
    return f"; {time_left(left)} left at {one.embedding_rate:.1f} a second"


def _index(index: IndexStatus) -> str:
    found = "finds all of the ten nearest"
    if not index.queries:
        found = found if index.recall == 1 else "recall not measured"
    elif index.recall is not None:
        found = f"finds {index.recall:.1%} of the ten nearest (measured on {index.queries:,})"
    return f"{index.name}, {index.bytes_per_vector:,} bytes a vector, {found}"


def _print_problems(one: CollectionStatus) -> None:
    """Print every problem, grouped by kind."""
    click.secho(f"{one.collection}: {plural(len(one.problems), 'problem')}", bold=True)
    for (reason, remedy), problems in groupby(sorted(one.problems, key=_kind), key=_kind):
        click.echo(f"  {printable(reason)}" + (f"\n    → {printable(remedy)}" if remedy else ""))
        for problem in problems:
            click.echo(f"      {on_one_line(str(problem.path))}")


def _print_left_out(found: Mapping[str, Sequence[LeftOut]], *, as_json: bool) -> None:
    """Print what is left out, grouped by rule and by what brings it back."""
    if as_json:
        print_json(
            {**asdict(each), "collection": name, "path": str(each.path), "into": str(each.into / ".searchkitignore")}
            for name, entries in found.items()
            for each in entries
        )
        return
    for name, entries in found.items():
        click.secho(f"{name}: {len(entries):,} left out", bold=True)
        for key, group in groupby(sorted(entries, key=_rule), key=_rule):
            rule, source, pattern, into, line = key
            click.echo(f"  {left_out_rule(rule, source, pattern)}")
            shared = line if pattern else ""
            if shared:
                click.echo(
                    f"    → to have them, add to {on_one_line(str(into / '.searchkitignore'))}: {printable(shared)}"
                )
            for each in group:
                ending = "/" if each.whole_folder else ""
                own = "" if shared or not (how := _how(each)) else f"  ({on_one_line(how)})"
                click.echo(f"      {on_one_line(str(each.path))}{ending}{own}")


def _how(each: LeftOut) -> str:
    if each.rule is LeftOutRule.FORGOTTEN:
        return f"to have it: {command('index', str(each.path))}"
    if not each.line:
        return ""
    return f"to have it, add to {each.into / '.searchkitignore'}: {each.line}"


def _rule(each: LeftOut) -> tuple[LeftOutRule, str, str, Path, str]:
    return each.rule, each.source, each.pattern, each.into, each.line if each.pattern else ""


def _kind(problem: Problem) -> tuple[str, str]:
    return problem.reason, problem.remedy
