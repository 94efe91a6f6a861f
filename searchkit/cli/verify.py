"""`searchkit verify`."""

from dataclasses import asdict

import click

from searchkit.cli.output import print_json, say
from searchkit.display import printable

_SHOWN = {"keepsake": "recovery record"}  # JSON keeps the name that it always had


@click.command()
@click.option("-c", "--collection", default="", help="This collection only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per collection.")
@click.pass_context
def verify(ctx: click.Context, collection: str, *, as_json: bool) -> None:
    """Look for damage in every table and file of a collection; exit code 1 if there is any.

    Your own files are not read, and nothing is changed. `searchkit rebuild` repairs what it finds.

    \b
    Example:
      searchkit verify -c docs
    """
    from searchkit.errors import NothingIndexedError
    from searchkit.library import Library
    from searchkit.maintenance.rebuild import verify_collection

    with Library() as library:
        names = [collection] if collection else library.collections()
        if not names:
            raise NothingIndexedError
        found = {name: verify_collection(library.collection(name)) for name in names}
    for name, damages in found.items():
        if as_json:
            print_json([{"collection": name, "ok": not damages, "damage": [asdict(each) for each in damages]}])
            continue
        click.echo(f"{name}: {'damaged' if damages else 'no damage found'}")
        for each in damages:
            click.echo(f"  {_SHOWN.get(each.part, each.part)}: {printable(each.what)}")
        if damages:
            say(f"  Repair it: searchkit rebuild -c {name}")
    if any(found.values()):
        ctx.exit(1)
