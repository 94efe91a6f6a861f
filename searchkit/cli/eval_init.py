"""`searchkit eval init`."""

from pathlib import Path

import click

from searchkit.cli.output import say
from searchkit.display import plural


@click.command(short_help="Begin a file of judged queries about a collection.")
@click.argument("collection", metavar="NAME")
@click.option("--out", type=click.Path(path_type=Path), help="File to write (default: NAME-queries.jsonl here).")
@click.option("--count", default=20, show_default=True, type=click.IntRange(1), help="Queries to propose.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def init(collection: str, *, out: Path | None, count: int, force: bool) -> None:
    """Start a file of judged queries about a collection: headings from all over it, each with its file.

    Each line is {"query": "...", "relevant": ["PATH"]}; PATH#12 is a line of a file, PATH:3 a page (of a file without
    pages a line). Make the queries your own before you measure with them.

    \b
    Example:
      searchkit eval init docs --count 30
    """
    from searchkit.evaluate.query_suggestions import propose_queries, write_proposals
    from searchkit.library import Library

    file = out or Path(f"{collection}-queries.jsonl")
    with Library() as library:
        proposals = propose_queries(library.home, collection, count)
    if not proposals:
        say(f"Nothing to propose: collection '{collection}' has no headings and no text. Nothing was written.")
        return
    write_proposals(file, proposals, force=force)
    click.echo(file)
    say(
        f"{plural(len(proposals), 'heading')} to make queries of. As they are they favour searches by words: make each a question"
    )
    say('as you would ask it, add to "relevant" what else answers it, and delete the lines that are no good. Then:')
    say(f"  searchkit eval retrieval -c '{collection}' --queries '{file}'")
