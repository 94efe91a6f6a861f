"""`searchkit collections` lists them, `searchkit forget` removes folders and files from them."""

import click

from searchkit.cli.output import print_json, say, say_nothing_is_indexed, say_what_is_away
from searchkit.display import on_one_line, plural


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per collection.")
def collections(*, as_json: bool) -> None:
    """List the collections: name, files, passages, model, folders.

    \b
    Example:
      searchkit collections
    """
    from searchkit.library import Library

    with Library() as library:
        found = library.statuses()
        away = library.away
    say_what_is_away(away)
    if not (found or away):
        say_nothing_is_indexed()
    if as_json:
        print_json(
            {
                "collection": one.name,
                "files": one.indexed,
                "chunks": one.chunks,
                "passages": one.passages,
                "model": one.model,
                "folders": [str(root) for root in one.roots],
            }
            for one in found
        )
        return
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        roots = ", ".join(on_one_line(str(root)) for root in one.roots)
        click.echo(
            f"{one.name:<{width}}  {one.indexed:>7,} files  {one.passages:>8,} passages  {one.model or 'words only'}  {roots}"
        )


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def forget(paths: tuple[str, ...]) -> None:
    """Remove folders or files from the index, at once. The files themselves are not touched.

    A part of an indexed folder stays out until you index it by name. Recorded opened hits there are erased too.

    \b
    Example:
      searchkit forget ~/docs/private
    """
    from searchkit.library import Library
    from searchkit.search.click_log import read_opened

    with Library() as library:
        for path in paths:
            opened = len(read_opened(library.home))
            for name, count in library.forget(path).items():
                say(f"{name}: {plural(count, 'file')} forgotten")
            if erased := opened - len(read_opened(library.home)):
                say(f"{plural(erased, 'opened hit')} erased")
