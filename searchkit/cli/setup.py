"""`searchkit setup`."""

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import click

from searchkit.cli.completion import collections_option
from searchkit.cli.options import argument, option, with_options
from searchkit.cli.output import say
from searchkit.display import on_one_line, printable
from searchkit.errors import Action, ExtraMissingError, Remedy
from searchkit.serve.mcp.agents import Change, agents, server_command, setting_up, taking_out


@dataclass(frozen=True, slots=True)
class _Request:
    program: Annotated[str, argument(type=click.Choice(tuple(agents(Path(), {}))))]
    collections: Annotated[tuple[str, ...], collections_option("Show it")]
    remove: Annotated[bool, option("--remove", is_flag=True, help="Take the entry and the skill out again.")]
    no_skill: Annotated[bool, option("--no-skill", is_flag=True, help="Write the entry alone.")]
    yes: Annotated[bool, option("-y", "--yes", is_flag=True, help="Write without asking.")]


@click.command()
@with_options(_Request)
def setup(request: _Request) -> None:
    """Let an agent or a chat program search what is indexed: write searchkit's MCP server into its configuration.

    What is written is shown first: the entry, and for programs that have skills a short one that says when and how to search.
    The rest of a file stays as it is. Without a terminal nothing is written unless --yes is given.

    \b
    Examples:
      searchkit setup claude
      searchkit setup codex -c notes -c papers
      searchkit setup cursor --remove
    """
    agent = agents(Path.home(), os.environ)[request.program]
    if request.remove:
        changes = taking_out(agent)
        if not changes:
            say(f"{agent.title} has no entry for searchkit, and no skill as it was written.")
            return
    else:
        _check(request.collections)
        environment = {name: os.environ[name] for name in ("SEARCHKIT_HOME",) if os.environ.get(name)}
        changes = setting_up(agent, agent.entry(server_command(request.collections), environment))
        changes = [change for change in changes if not change.is_none]
        if request.no_skill:
            changes = [change for change in changes if change.is_entry]
        if not changes:
            say(f"{agent.title} is set up already.")
            return
    for change in changes:
        click.echo(f"{_to_do(change)} {on_one_line(str(change.path))}:\n\n{printable(change.shown.rstrip())}\n")
    if not (request.yes or _is_agreed()):
        say("Nothing was written.")
        return
    for change in changes:
        change.write()
    undo = "" if request.remove else f" To undo: searchkit setup {request.program} --remove"
    say(f"Done. Start {agent.title} again.{undo}")


def _to_do(change: Change) -> str:
    if change.is_entry:
        return "Take out of" if change.is_removal else "Write to"
    return "Remove" if change.after is None else "Write" if change.before is None else "Replace"


def _check(collections: tuple[str, ...]) -> None:
    """Raise an error for what would keep the server from starting."""
    from searchkit.library import Library

    if find_spec("mcp") is None:
        raise ExtraMissingError(
            "The MCP server needs the package mcp.", remedy=Remedy(Action.INSTALL_EXTRA, extra="mcp")
        )
    with Library() as library:
        for name in collections:
            library.collection(name)  # raises if it is not there


def _is_agreed() -> bool:
    """True if somebody at a terminal agrees."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    return click.confirm("Write it?", default=True, err=True)
