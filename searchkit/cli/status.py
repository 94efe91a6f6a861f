"""`searchkit status`."""

import click

from searchkit.cli.output import print_json
from searchkit.types import CollectionStatus
from searchkit.wording import on_one_line, plural, printable, size

_PROBLEMS_SHOWN = 20


@click.command()
@click.option("-c", "--collection", default="", help="This collection only.")
@click.option("--all-problems", is_flag=True, help=f"List every problem, not only the first {_PROBLEMS_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a collection (fields: see docs/json.md).")
def status(collection: str, *, all_problems: bool, as_json: bool) -> None:
    """Show what is indexed, and what is not and why.

    \b
    Example:
      searchkit status -c docs
    """
    from searchkit.errors import CollectionNotFoundError
    from searchkit.library import Library

    with Library() as library:
        names = [collection] if collection else library.collections()
        if not names:
            raise CollectionNotFoundError("Nothing is indexed yet. Index a folder: searchkit index FOLDER")
        found = [library.status(name) for name in names]
    if as_json:
        print_json(_as_json(one) for one in found)
        return
    for one in found:
        _print(one, len(one.problems) if all_problems else _PROBLEMS_SHOWN)


def _print(one: CollectionStatus, problems_shown: int) -> None:
    click.secho(one.name, bold=True)
    for root in one.roots:
        click.echo(
            f"  folder    {on_one_line(str(root))}" + ("" if root.is_dir() else "  (not there now; nothing is removed)")
        )
    files = [plural(one.indexed, "file") + " indexed"]
    files += [f"{one.skipped:,} skipped"] if one.skipped else []
    click.echo(f"  files     {', '.join(files)}")
    if one.unsupported:
        kinds = ", ".join(f"{suffix or 'no suffix'} {count:,}" for suffix, count in one.unsupported_types[:8])
        click.echo(f"  no text   {plural(one.unsupported, 'file')} of kinds that are not read: {printable(kinds)}")
    coverage = "all" if one.vectors == one.passages else f"{one.vectors:,} of {one.passages:,}"
    click.echo(f"  passages  {one.chunks:,}, {coverage} searchable by meaning")
    click.echo(f"  model     {one.model}")
    click.echo(f"  on disk   {size(one.size_bytes)}, last brought up to date {one.updated_at or 'never'}")
    for problem in one.problems[:problems_shown]:
        click.echo(f"  skipped   {on_one_line(str(problem.path))}: {printable(problem.reason)}")
    if len(one.problems) > problems_shown:
        click.echo(f"  … and {len(one.problems) - problems_shown:,} more: searchkit status --all-problems")


def _as_json(one: CollectionStatus) -> dict[str, object]:
    return {
        "collection": one.name,
        "folders": [str(root) for root in one.roots],
        "model": one.model,
        "files_indexed": one.indexed,
        "files_skipped": one.skipped,
        "files_unsupported": one.unsupported,
        "unsupported_types": dict(one.unsupported_types),
        "chunks": one.chunks,
        "passages": one.passages,
        "vectors": one.vectors,
        "size_bytes": one.size_bytes,
        "updated_at": one.updated_at,
        "problems": [{"path": str(p.path), "reason": p.reason} for p in one.problems],
    }
