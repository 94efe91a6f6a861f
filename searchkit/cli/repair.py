"""`searchkit verify`, which looks for damage, and `searchkit rebuild`, which repairs it."""

from pathlib import Path

import click

from searchkit.cli.completion import COLLECTION
from searchkit.cli.output import print_json, progress_line, say, say_nothing_is_indexed
from searchkit.display import plural, printable


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER]...")
@click.option("-c", "--collection", type=COLLECTION, required=True, help="The collection to repair.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rebuild(folders: tuple[Path, ...], collection: str, *, as_json: bool) -> None:
    """Repair a damaged collection: rebuild it from its undamaged parts and your files.

    The old files are set aside, nothing is deleted. FOLDERs are needed only if no record of the indexed folders is left.

    \b
    Example:
      searchkit rebuild -c docs
    """
    from searchkit.library import Library
    from searchkit.maintenance.rebuild import rebuild_collection

    absolute = [folder.expanduser().resolve() for folder in folders]
    with Library() as library, progress_line() as on_progress:
        report = rebuild_collection(library.collection(collection, must_exist=False), absolute, on_progress)
    if as_json:
        from searchkit.display.fields import fields_of

        print_json([fields_of(report)])
        return
    say(
        f"{collection}: {plural(report.documents_kept, 'document')} and {plural(report.vectors_kept, 'vector')} were undamaged;"
        f" {report.run.added + report.run.changed:,} read again, {report.run.embedded:,} embedded"
    )
    if report.set_aside:
        say(f"  The old files are in {report.set_aside}; delete them when all is well.")


_SHOWN = {"keepsake": "recovery record"}  # JSON keeps the name that it always had


@click.command()
@click.option("-c", "--collection", type=COLLECTION, default="", help="This collection only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per collection.")
@click.pass_context
def verify(ctx: click.Context, collection: str, *, as_json: bool) -> None:
    """Look for damage in every table and file of a collection; exit code 1 if there is any.

    Your own files are not read, and nothing is changed. `searchkit rebuild` repairs what it finds.

    \b
    Example:
      searchkit verify -c docs
    """
    from searchkit.library import Library
    from searchkit.maintenance.rebuild import verify_collection

    with Library() as library:
        names = [collection] if collection else library.collections()
        if not names:
            say_nothing_is_indexed()
        found = {name: verify_collection(library.collection(name)) for name in names}
    for name, damages in found.items():
        if as_json:
            from searchkit.display.fields import fields_of

            print_json([{"collection": name, "ok": not damages, "damage": list(map(fields_of, damages))}])
            continue
        click.echo(f"{name}: {'damaged' if damages else 'no damage found'}")
        for each in damages:
            click.echo(f"  {_SHOWN.get(each.part, each.part)}: {printable(each.what)}")
        if damages:
            say(f"  Repair it: searchkit rebuild -c {name}")
    if any(found.values()):
        ctx.exit(1)
