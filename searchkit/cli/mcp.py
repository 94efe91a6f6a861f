"""`searchkit mcp`."""

import sys
from typing import TYPE_CHECKING

import click

from searchkit.cli.completion import collections_option
from searchkit.cli.output import say
from searchkit.errors import Action, ExtraMissingError, Remedy

if TYPE_CHECKING:
    from searchkit.library import Library

_DEFAULT_PORT = 7750


@click.command()
@collections_option("Show")("collections")
@click.option("--http", "over_http", is_flag=True, help="Serve over Streamable HTTP instead, on this machine only.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="With --http; 0 takes any free port.",
)
@click.option("--no-token", is_flag=True, help="With --http: let in every program on this machine.")
def mcp(collections: tuple[str, ...], port: int, *, over_http: bool, no_token: bool) -> None:
    """Let a chat program or an agent search what is indexed, as an MCP server.

    The program starts this command itself and talks to it over standard input and output. It changes and indexes nothing.
    To set it up for Claude, Cursor, LM Studio and others: `searchkit setup`; by hand: `searchkit docs mcp`.

    \b
    In the program's configuration:
      {"mcpServers": {"searchkit": {"command": "searchkit", "args": ["mcp"]}}}

    \b
    Examples:
      searchkit mcp -c notes -c papers
      searchkit mcp --http --port 7750
    """
    from searchkit.library import Library

    with Library() as library:
        for name in collections:
            library.collection(name)  # raises if it is not there
        try:
            if over_http:
                _serve_http(library, port, collections, needs_token=not no_token)
            else:
                _serve_stdio(library, collections)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            raise ExtraMissingError(
                f"The MCP server needs the package {package}.", remedy=Remedy(Action.INSTALL_EXTRA, extra="mcp")
            ) from error


def _serve_stdio(library: "Library", collections: tuple[str, ...]) -> None:
    from searchkit.serve.mcp.stdio import serve_stdio

    if sys.stdin is not None and sys.stdin.isatty():
        say(
            "Waiting for an MCP client on standard input. Chat programs start this command themselves (searchkit docs mcp)."
            " Ctrl-D ends it."
        )
    serve_stdio(library, collections)


def _serve_http(library: "Library", port: int, collections: tuple[str, ...], *, needs_token: bool) -> None:
    from searchkit.serve.http.middleware.guards import read_or_make_token
    from searchkit.serve.mcp.http import serve_http

    def say_where(address: str) -> None:
        say(f"Serving MCP at {address}. Ctrl-C ends it.")
        if needs_token:
            say(f"Clients send the header Authorization: Bearer TOKEN, with the token in {library.home.token}")

    token = read_or_make_token(library.home) if needs_token else ""
    serve_http(library, port, token, collections, say_where)
