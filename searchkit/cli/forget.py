"""`searchkit forget`."""

import click

from searchkit.cli.output import say
from searchkit.display import plural


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
