"""`searchkit models use`."""

from typing import TYPE_CHECKING

import click

from searchkit.cli.output import say
from searchkit.display import command, plural

if TYPE_CHECKING:
    from searchkit.library import Library


@click.command("use")
@click.argument("name")
@click.option("-c", "--collection", default="", help="For this existing collection (default: for new ones).")
@click.option("--embed", is_flag=True, help="Embed the collection first; the model in use answers until that is done.")
def use_model(name: str, collection: str, *, embed: bool) -> None:
    """Use model NAME for new collections, or for an existing one.

    Between a model and the models adapted from it, a collection is switched at once: its vectors are converted, not embedded
    again. With any other model all passages must be embedded again. --embed does that first and keeps the old vectors meanwhile;
    the same command resumes an interrupted run. Without --embed the collection is switched now, and only lexical search finds
    its passages until it is indexed again.

    \b
    Examples:
      searchkit models use embeddinggemma-300m -c docs --embed
      searchkit models use embeddinggemma-300m-docs -c docs
    """
    from searchkit.library import Library

    if embed and not collection:
        raise click.UsageError("--embed needs the collection to embed: -c NAME")
    missing = 0
    with Library() as library:
        if embed:
            _embed(library, name, collection)
        elif not collection:
            library.use_model(name)
        else:
            from searchkit.maintenance.switch_model import switch_model

            missing = switch_model(library.collection(collection), name)
    if not collection:
        say(f"New collections will use {name}.")
    elif missing:
        say(
            f"{collection} now uses {name}; {plural(missing, 'passage')} can be found by words alone until they are embedded:"
            f" {command('index', '-c', collection)} (--embed does that before the switch)"
        )
    else:
        say(
            f"{collection} now uses {name}; all its vectors are there"
            + ("." if embed else ", nothing is embedded again.")
        )


def _embed(library: "Library", name: str, collection: str) -> None:
    """Embed the passages that lack vectors, then switch; if interrupted, the collection is unchanged."""
    from searchkit.cli.output import progress_line
    from searchkit.maintenance.switch_model import embed_and_switch

    with progress_line() as on_progress:
        embed_and_switch(library.collection(collection), name, on_progress)
