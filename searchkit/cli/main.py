"""`searchkit`: the group of all commands, loaded one by one, and the place where errors become one clear line."""

import io
import sys
from importlib import import_module

import click

from searchkit import __version__
from searchkit.cli.completion import NearestGroup
from searchkit.cli.output import say
from searchkit.display import ProgressLines, error_text, os_error_text
from searchkit.errors import SearchkitError
from searchkit.reports import listen_to_upgrades

_COMMANDS = {
    "index": "Make folders searchable, or bring them up to date.",
    "search": "Find passages by meaning and by words.",
    "similar": "Find passages like a file, or like one of its passages.",
    "ask": "Answer a question from what is indexed, with citations.",
    "chat": "Talk about what is indexed, in the terminal.",
    "serve": "Serve search, embeddings and answers to other programs.",
    "embed": "Embed what is stored and has no vector yet.",
    "status": "Show what is indexed, and what is not and why.",
    "tune": "Choose a collection's index by measurement.",
    "verify": "Look for damage in what is stored.",
    "rebuild": "Repair a damaged collection.",
    "forget": "Remove a folder or file from the index.",
    "collections": "List the collections, or rename one.",
    "move": "Move a collection into a database, or back.",
    "train": "Adapt the model to a collection, with proof.",
    "models": "Get, choose, check and remove embedding models.",
    "mcp": "Let chat programs and agents search, as an MCP server.",
    "setup": "Set up an agent or chat program to search.",
    "tui": "Search as you type, in the terminal.",
    "demo": "Index sample documents, and ask them three questions.",
    "docs": "Print the documentation.",
    "bench": "Measure speed and quality on this machine.",
    "eval": "Measure search and chunking on judged data.",
}

_MODULES = {
    "similar": "search",
    "verify": "repair",
    "rebuild": "repair",
    "forget": "collections",
    "move": "collections",
    "docs": "demo",
}  # others: named as the command

_MEANT = (
    "add sync update refresh reindex import init: index",
    "find query grep locate look: search",
    "why explain: search --explain",
    "list ls: collections",
    "rename mv: collections rename",
    "rm remove delete del drop: forget",
    "watch: index --watch",
    "info stats stat problems: status",
    "check doctor fsck: verify",
    "repair fix: rebuild",
    "ui gui: tui",
    "web server http api: serve",
    "download pull: models pull",
    "use: models use",
    "install completion completions: docs install",
    "man manual readme: docs",
    "config settings configure: docs indexing",
    "version: --version",
)

# Those that an interruption costs little.
_CONTINUED = {
    ("index",),
    ("embed",),
    ("demo",),
    ("train",),
    ("rebuild",),
    ("eval",),
    ("models", "pull"),
    ("models", "import"),
}


class LazyGroup(NearestGroup):
    """Loads a command's module when it is run; listing them needs no import."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `help` and `help COMMAND`, as many type it, as --help."""
        return super().parse_args(ctx, [*args[1:], "--help"] if args[:1] == ["help"] else args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature, here and below)
        """List the commands in the order of use, not of the alphabet."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command by name from its module."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"searchkit.cli.{_MODULES.get(cmd_name, cmd_name)}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands, from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    meant=_MEANT,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="searchkit")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, *, debug: bool) -> int | None:
    """Private search by meaning over your own files, offline. Without a COMMAND, on a terminal: search as you type.

    \b
    Start with:
      searchkit index ~/docs
      searchkit search "when does the lease end"
    """
    ctx.obj = debug
    listen_to_upgrades(ProgressLines(say))
    if ctx.invoked_subcommand:
        return None
    tui = import_module("searchkit.cli.tui")
    if tui.is_terminal():
        return int(ctx.invoke(tui.tui))
    raise click.exceptions.NoArgsIsHelpError(ctx)


def main() -> None:
    """Run the command. Exit code 0: done (also when nothing was found), 1: failed, 2: wrong usage, 130: interrupted."""
    debug = "--debug" in sys.argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 shows question marks
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        typed = tuple(word for word in sys.argv[1:] if word != "--debug")
        goes_on = any(typed[: len(words)] == words for words in _CONTINUED)
        say("Stopped. What was stored is kept; the same command continues from there." if goes_on else "Stopped.")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; Python would complain about it once more at exit
        sys.exit(1)
    except SearchkitError as error:
        _fail(error_text(error), debug=debug)
    except OSError as error:  # the machine's: a full disk, a folder without write permission
        _fail(os_error_text(error), debug=debug)


def _fail(message: str, *, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    say(f"Error: {message}")
    sys.exit(1)


if __name__ == "__main__":
    main()
