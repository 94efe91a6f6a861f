"""`searchkit collections` lists and renames them, `move` moves them, `forget` removes folders and files from them."""

from typing import TYPE_CHECKING

import click

from searchkit.cli.completion import COLLECTION, NearestGroup
from searchkit.cli.output import print_json, progress_line, say, say_nothing_is_indexed, say_what_is_away
from searchkit.display import being_written, on_one_line, plural

if TYPE_CHECKING:
    from searchkit.maintenance.move import MoveReport
    from searchkit.maintenance.rename import RenameReport

_LISTED = ("collection", "files", "chunks", "passages", "model", "folders", "writer", "seconds_left")


@click.group(
    cls=NearestGroup,
    invoke_without_command=True,
    meant=(
        "list ls show: searchkit collections",
        "add create new: searchkit index FOLDER -c NAME",
        "rm remove delete del drop forget: searchkit forget -c NAME",
        "mv: rename",
        "move: searchkit move -c NAME --to",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per collection.")
@click.pass_context
def collections(ctx: click.Context, *, as_json: bool) -> None:
    """List the collections: name, files, passages, model, folders. With a COMMAND: rename them.

    \b
    Examples:
      searchkit collections
      searchkit collections rename docs papers
    """
    if ctx.invoked_subcommand is None:
        _list(as_json=as_json)


def _list(*, as_json: bool) -> None:
    from searchkit.library import Library

    with Library() as library:
        found = library.statuses()
        away = library.away
    say_what_is_away(away)
    if not (found or away):
        say_nothing_is_indexed()
    if as_json:
        from searchkit.display.fields import collection_fields

        print_json({name: every[name] for name in _LISTED} for every in map(collection_fields, found))
        return
    width = max((len(one.collection) for one in found), default=0)
    for one in found:
        roots = ", ".join(on_one_line(str(root)) for root in one.folders)
        counts = f"{one.files:>7,} files  {one.passages:>8,} passages  {one.model or 'words only'}"
        now = f"  ({being_written(one)})" if one.writer else ""
        click.echo(f"{one.collection:<{width}}  {counts}  {roots}{now}")


@collections.command()
@click.argument("old", type=COLLECTION)
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rename(old: str, new: str, *, as_json: bool) -> None:
    """Give a collection another name: OLD becomes NEW.

    Nothing is read or embedded again, and searches go on meanwhile. What config.toml, the server's tokens and the records of
    opened hits say of it says the new name afterwards. In a database the collection keeps its name, for others who use it.
    A renaming that was interrupted is finished by the same command.

    \b
    Example:
      searchkit collections rename docs papers
    """
    from searchkit.library import Library
    from searchkit.maintenance.rename import rename_collection

    with Library() as library:
        report = rename_collection(library, old, new)
    if as_json:
        from searchkit.display.fields import fields_of

        print_json([fields_of(report)])
    else:
        _say_renamed(report)


def _say_renamed(report: "RenameReport") -> None:
    if report.was_finished:
        say(f"{report.collection}: what an interrupted renaming of '{report.previous}' had left is done.")
    else:
        say(f"{report.collection}: that is the name of '{report.previous}' now.")
    if report.name_in_database not in ("", report.collection):
        say(
            f"  In the database it is called '{report.name_in_database}' as before: others who use it are not disturbed."
        )
    if report.aliases:
        say(f"  Aliases of the server that mean it: {', '.join(report.aliases)}")
    if report.tokens:
        say(
            f"  Tokens of the server that see it: {', '.join(report.tokens)}. A server that runs has to be started again."
        )
    if report.opened:
        say(f"  {plural(report.opened, 'opened hit')} go with it.")
    say(f"  Scripts and programs that name '{report.previous}' need the new name: --watch, -c NAME, searchkit setup.")


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "-c", "--collection", "names", type=COLLECTION, multiple=True, help="Forget this whole collection; may be repeated."
)
def forget(paths: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Remove folders, files or whole collections from the index, at once. The files themselves are not touched.

    A part of an indexed folder stays out until you index it by name. Recorded opened hits there are erased too.

    \b
    Examples:
      searchkit forget ~/docs/private
      searchkit forget -c drafts
    """
    if not (paths or names):
        raise click.UsageError("Missing argument '[PATH]...'. Name a folder, a file, or a collection: -c NAME.")
    if paths and names:
        raise click.UsageError("Name paths, or collections with -c: a path is forgotten in every collection.")
    from searchkit.library import Library
    from searchkit.search.click_log import read_opened

    with Library() as library:
        for name in names:
            opened = len(read_opened(library.home))
            say(f"{name}: {plural(library.collection(name).delete(), 'file')} forgotten")
            if erased := opened - len(read_opened(library.home)):
                say(f"{plural(erased, 'opened hit')} erased")
        for path in paths:
            opened = len(read_opened(library.home))
            for name, count in library.forget(path).items():
                say(f"{name}: {plural(count, 'file')} forgotten")
            if erased := opened - len(read_opened(library.home)):
                say(f"{plural(erased, 'opened hit')} erased")


@click.command()
@click.option("-c", "--collection", type=COLLECTION, required=True, help="The collection to move.")
@click.option(
    "--to",
    required=True,
    metavar="URL|local",
    help="The PostgreSQL database to move it into: postgresql://USER@HOST/DATABASE; local: back to this machine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def move(collection: str, to: str, *, as_json: bool) -> None:
    """Move a collection into a PostgreSQL database, or back to this machine. Nothing is read or embedded again.

    Both sides are compared before the old one is removed. A move that was interrupted changes nothing until then, and the same
    command finishes it. Whoever else names the database for this collection no longer finds it once it has been moved out.

    \b
    Examples:
      searchkit move -c archive --to postgresql://anna@db.example.org/search
      searchkit move -c archive --to local
    """
    from searchkit.library import Library
    from searchkit.maintenance.move import move_collection

    with Library() as library, progress_line() as on_progress:
        report = move_collection(library, collection, to, on_progress)
    if as_json:
        from searchkit.display.fields import fields_of

        print_json([fields_of(report)])
    else:
        _say_moved(report)


def _say_moved(report: "MoveReport") -> None:
    there = "on this machine" if report.target == "local" else f"in {report.target}"
    before = "on this machine" if report.source == "local" else f"in {report.source}"
    if report.left:
        say(f"{report.collection}: it lives {there}. What is left of it {before} has been changed since, and was kept.")
    elif report.was_finished:
        say(f"{report.collection}: it lives {there}. What an interrupted move had left {before} is removed.")
    else:
        counts = (
            plural(report.documents, "document"),
            plural(report.chunks, "chunk"),
            plural(report.vectors, "vector"),
            *([plural(report.provisional, "provisional vector")] if report.provisional else []),
        )
        say(f"{report.collection}: it lives {there} now, and no longer {before}; {report.elapsed_seconds:.1f} s")
        say(f"  {', '.join(counts)}: counts and checksums are the same on both sides.")
