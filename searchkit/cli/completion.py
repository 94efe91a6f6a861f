"""What helps whoever types: what a shell offers after a tab, and what is named where a command or an option does not exist.

The names of collections, models, types of file and pages are read only when a shell asks for them.
"""

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from searchkit.cli.options import Declaration, option
from searchkit.display import printable
from searchkit.errors import SearchkitError

_NUMBER_OF_RESULTS = ("-n", "-m", "--limit", "--top", "--top-k", "--max", "--max-results", "--max-count", "--count")


class NearestGroup(click.Group):
    """A group of commands that names the nearest one where there is none of the name typed.

    `meant`: what is to be typed for words that other programs have for it, many words before each, as in "add sync: index".
    """

    def __init__(self, *arguments: Any, meant: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        pairs = (each.split(": ", 1) for each in meant)
        self._meant = {word: command for words, command in pairs for word in words.split()}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to run. Raises UsageError, with the nearest name, if there is none."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            from difflib import get_close_matches

            near = [self._meant[name]] if name in self._meant else get_close_matches(name, known, 1)
            if near:
                ctx.fail(f"No such command '{printable(name)}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises UsageError, with -k where another program has another name for the number of results, and
        with -c where a collection is named without it.
        """
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            flags = {flag for each in error.ctx.command.params for flag in each.opts} if error.ctx else set()
            if error.option_name in _NUMBER_OF_RESULTS and "-k" in flags:
                message = f"No such option '{error.option_name}'. Did you mean '-k'?"
                raise click.NoSuchOption(error.option_name, message, ctx=error.ctx) from None
            raise
        except click.UsageError as error:
            if error.message.startswith("Got unexpected extra argument") and _takes_collections(error.ctx):
                raise click.UsageError(f"{error.message}. A collection is named so: -c NAME.", ctx=error.ctx) from None
            raise


def _takes_collections(context: click.Context | None) -> bool:
    return context is not None and any("--collection" in each.opts for each in context.command.params)


class Completed(click.types.StringParamType):
    """A text of which a shell offers the names that begin as it does; none if they cannot be read."""

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """The names; after a comma those of the next of several values."""
        before, comma, begun = incomplete.rpartition(",")
        try:
            found = [f"{before}{comma}{name}" for name in self._names() if name.startswith(begun)]
        except (SearchkitError, OSError):
            return []
        # zsh and fish quote by themselves what they insert.
        is_bash = any(name.endswith("_COMPLETE") and how.startswith("bash") for name, how in os.environ.items())
        return [CompletionItem(shlex.quote(each) if is_bash else each) for each in found]


def _collections() -> list[str]:
    from searchkit.home import Home, all_collections

    return [folder.name for folder in all_collections(Home.default())]


def _models() -> list[str]:
    from searchkit.embedding.store import ModelStore
    from searchkit.home import Home

    return ModelStore(Home.default().models).names()


def _file_types() -> list[str]:
    from searchkit.search.query.filters import file_types

    return sorted(file_types())


def _pages() -> list[str]:
    from searchkit.cli.demo import documented

    return list(documented())


COLLECTION = Completed(_collections)
MODEL = Completed(_models)
FILE_TYPE = Completed(_file_types)
PAGE = Completed(_pages)


def collections_option(does: str) -> Declaration:
    """The option -c of commands that take some collections, all by default. `does`: what they do with them: Search, Show."""
    help_text = f"{does} this collection only; may be repeated."
    return option("-c", "--collection", type=COLLECTION, multiple=True, help=help_text)
