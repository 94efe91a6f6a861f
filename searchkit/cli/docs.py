"""`searchkit docs`: the pages of the documentation, which come along with every installation."""

import click

from searchkit.cli.output import say
from searchkit.display import command
from searchkit.errors import UsageError
from searchkit.installation import documentation

FOR_DEVELOPERS = frozenset(("architecture", "benchmarks", "decisions"))  # in a clone alone


@click.command()
@click.argument("page", default="")
def docs(page: str) -> None:
    """Print a PAGE of the documentation, in Markdown; without PAGE, list them.

    \b
    Examples:
      searchkit docs
      searchkit docs search
    """
    pages = {path.stem: path for path in sorted(documentation().glob("*.md")) if path.stem not in FOR_DEVELOPERS}
    if not page:
        for name, path in pages.items():
            title = path.read_text("utf-8").partition("\n")[0].lstrip("# ")
            click.echo(f"{name:<14}{title}")
        say(f"To read one: {command('docs', 'search')}")
        return
    if page not in pages:
        raise UsageError(f"There is no page '{page}'.", remedy=f"Choose one of: {', '.join(pages)}.")
    click.echo(pages[page].read_text("utf-8"), nl=False)
