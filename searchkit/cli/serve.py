"""`searchkit serve`."""

import importlib.util
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.options import option, with_options
from searchkit.cli.output import say, say_if_others_can_write
from searchkit.display import error_text, on_one_line
from searchkit.errors import Action, ExtraMissingError, Remedy, UsageError
from searchkit.files import path_to_text

if TYPE_CHECKING:
    from searchkit.library import Library
    from searchkit.serve.http.options import ServeOptions
    from searchkit.serve.http.server import Listening

_NEEDED = ("fastapi", "uvicorn")
_LOG_TIME = "%Y-%m-%d %H:%M:%S"  # where this runs


@dataclass(frozen=True, slots=True)
class _Request:
    host: Annotated[
        str | None,
        option("--host", help="Where to listen (default: 127.0.0.1, which only this machine can reach)."),
    ]
    port: Annotated[
        int | None,
        option("--port", type=click.IntRange(0, 65535), help="The port (default: 7749); 0 takes a free one."),
    ]
    shows_token: Annotated[
        bool, option("--token", is_flag=True, help="Print the token and where it is kept; start nothing.")
    ]
    no_token: Annotated[
        bool,
        option(
            "--no-token",
            is_flag=True,
            help="Require no token: every program and user of this machine can read everything.",
        ),
    ]
    new_token: Annotated[
        str,
        option(
            "--new-token",
            default="",
            metavar="NAME",
            help="Make a token of that name that sees what --sees says, and print it; start nothing.",
        ),
    ]
    sees: Annotated[
        tuple[str, ...],
        option(
            "--sees",
            multiple=True,
            metavar="COLLECTION=ROOT",
            help="A root that the new token may see, of a collection in a database; may be repeated.",
        ),
    ]
    allow_indexing: Annotated[
        bool,
        option(
            "--allow-indexing",
            is_flag=True,
            help="Let clients update collections; no other folder is read.",
        ),
    ]
    names: Annotated[
        tuple[str, ...],
        option(
            "--allow-host",
            multiple=True,
            metavar="NAME",
            help="Another host name of this machine, such as host.docker.internal; may be repeated.",
        ),
    ]
    origins: Annotated[
        tuple[str, ...],
        option(
            "--allow-origin",
            multiple=True,
            metavar="ORIGIN",
            help="A web page that may use the server from the browser, such as http://localhost:3000; may be repeated.",
        ),
    ]
    llm: Annotated[
        str,
        option(
            "--llm",
            default="",
            metavar="URL|FILE.gguf|embedded",
            help="The model that writes answers; otherwise the configured one, or one that is found.",
        ),
    ]
    llm_model: Annotated[
        str,
        option("--llm-model", default="", metavar="NAME", help="Which of the language model server's models answers."),
    ]
    verbose: Annotated[
        bool,
        option(
            "-v",
            "--verbose",
            is_flag=True,
            help="Log one line per request: route, status and time, never what was asked.",
        ),
    ]


@click.command()
@with_options(_Request)
def serve(request: _Request) -> None:
    """Serve search, embeddings and answers to other programs on this machine, over HTTP.

    Speaks OpenAI's API (models, embeddings, vector stores, chat completions and responses with a collection as the model),
    Ollama's, and what rerankers, Open WebUI and Dify are asked: `searchkit docs serve`. It only reads, and only what is indexed.
    Ctrl-C stops it, once the requests in progress are answered.

    \b
    Examples:
      searchkit serve
      searchkit serve --port 0 --allow-host host.docker.internal
      curl -H "Authorization: Bearer $(searchkit serve --token)" "http://127.0.0.1:7749/search?q=lease"
    """  # fmt: skip
    from searchkit.home import Home
    from searchkit.serve.http.middleware.guards import read_or_make_token

    if request.shows_token:
        click.echo(read_or_make_token(Home.default()))
        if sys.stdout.isatty():  # a script wants the token alone
            say(f"It is kept in {Home.default().token}. Delete that file for a new one.")
        return
    if request.new_token or request.sees:
        _make_token(request)
        return
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ExtraMissingError(
            f"serve needs {' and '.join(missing)}.", remedy=Remedy(Action.INSTALL_EXTRA, extra="serve")
        )
    _log(verbose=request.verbose)
    click.get_current_context().exit(_serve(request))


def _make_token(request: _Request) -> None:
    from searchkit.library import Library
    from searchkit.maintenance.callers import make_caller

    if not request.new_token:
        raise click.UsageError("--sees goes with --new-token.")
    sees = [(collection, root) for collection, _, root in (each.partition("=") for each in request.sees)]
    if not all(collection and root for collection, root in sees):
        raise click.UsageError("Write --sees as COLLECTION=ROOT.")
    with Library() as library:
        known = [(collection, _root_of(library, collection, root)) for collection, root in sees]
        click.echo(make_caller(library.home, request.new_token, known))
        if sys.stdout.isatty():
            say(
                f"It is shown this once: {library.home.callers} keeps its hash. Start the server again, so that it takes it."
            )


def _root_of(library: "Library", collection: str, root: str) -> str:
    """A root as its collection names it. Raises UsageError if it has no such root: a token for it would see nothing."""
    roots = [path_to_text(path) for path in library.collection(collection).roots()]
    asked = path_to_text(Path(root).expanduser().absolute())
    if asked not in roots:
        raise UsageError(
            f"'{root}' is no root of the collection '{collection}'.",
            remedy=f"Its roots are {', '.join(map(on_one_line, roots)) or 'none yet'}.",
        )
    return asked


def _serve(request: _Request) -> int:
    from searchkit.embedding.store import ModelStore
    from searchkit.home import Home
    from searchkit.library import Library
    from searchkit.maintenance.callers import read_callers
    from searchkit.serve.http.middleware.guards import read_or_make_token
    from searchkit.serve.http.server import end_process, serve
    from searchkit.serve.served_models import ServedModels

    options = _options(request)
    home = Home.default()
    token = read_or_make_token(home) if options.needs_token else ""
    with Library(home, open_model=ServedModels(ModelStore(home.models)).open) as library:
        callers = read_callers(home)
        is_whole = serve(library, options, token, lambda where: _tell(where, library, options, token), callers)
    if not is_whole:
        say("Stopped; some requests were not answered.")
        end_process(1)
    say("Stopped.")
    return 0


def _options(request: _Request) -> "ServeOptions":
    """Return the options of the command line, and those of the table [serve] for the rest."""
    from searchkit.config import load_settings
    from searchkit.home import Home
    from searchkit.serve.http.options import ServeOptions

    settings = load_settings(Home.default()).serve
    try:
        return ServeOptions(
            host=request.host or settings.host,
            port=settings.port if request.port is None else request.port,
            names=(*request.names, *_listed(settings.allow_hosts)),
            origins=(*request.origins, *_listed(settings.allow_origins)),
            needs_token=settings.token and not request.no_token,
            allows_indexing=settings.allow_indexing or request.allow_indexing,
            llm=request.llm,
            llm_model=request.llm_model,
            aliases=settings.aliases,
        )
    except UsageError as error:
        raise click.UsageError(error_text(error)) from error


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _tell(where: "Listening", library: "Library", options: "ServeOptions", token: str) -> None:
    """Say where the server is, what it offers, and how to get in."""
    names = library.collections()
    what = ", ".join(names) if names else "nothing is indexed yet (searchkit index FOLDER)"
    say(f"searchkit listens at {where.url} (for OpenAI's clients {where.url}/v1)")
    say(f"Collections: {what}")
    say(f"In the browser: {page_link(where, token)}")
    if options.needs_token:
        say(f"Token: searchkit serve --token (kept in {library.home.token})")
    else:
        say("No token is required: every program and every user of this machine can read what is indexed.")
    say_if_others_can_write(library.home.path)
    if leaves_for := _remote_model(library, options):
        say(
            f"To be answered, questions and passages of your documents leave this machine: they are sent to {leaves_for}."
        )
    if not options.is_loopback:
        say("Other machines can connect, and nothing is encrypted on the way: put a proxy with TLS in front of it.")
    say("Ctrl-C stops it.")


def page_link(where: "Listening", token: str) -> str:
    """The address of the page, on a terminal with the token: opened once, it lets the browser in. A log does not get it."""
    if token and sys.stderr.isatty():
        return f"{where.page}?token={token}"
    return f"{where.page} (it asks for the token)" if token else where.page


def _remote_model(library: "Library", options: "ServeOptions") -> str:
    """Return the URL that text is sent to for answers, "" if it stays on this machine."""
    from searchkit.answer.models.connection import base_url, is_loopback
    from searchkit.config import load_settings

    address = options.llm or load_settings(library.home).llm.base_url
    if not address or address == "embedded" or address.endswith(".gguf"):
        return ""
    base = base_url(address)
    return "" if is_loopback(base) else base


def _log(*, verbose: bool) -> None:
    """Log to stderr: what went wrong and, if verbose, one line per request."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt=_LOG_TIME, level=logging.WARNING)
    logging.getLogger("searchkit.serve").setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of every malformed request
