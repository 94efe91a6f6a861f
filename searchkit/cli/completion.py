"""What a shell offers after a tab: the names of collections, models, types of file and pages. Reads nothing until it is asked."""

import os
import shlex
from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from searchkit.cli.options import Declaration, option
from searchkit.errors import SearchkitError


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
