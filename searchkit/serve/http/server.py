"""Runs the server: it listens, serves until a signal comes, and stops once every accepted request is answered."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from fastapi import FastAPI
from starlette.routing import Route
from uvicorn.server import HANDLED_SIGNALS

from searchkit.errors import Action, Option, Remedy, UsageError
from searchkit.library import Library
from searchkit.maintenance.callers import Caller
from searchkit.serve.http.app import Guarded, make_api
from searchkit.serve.http.lifespan import AppState, close_state, lifespan, open_state, state_for
from searchkit.serve.http.middleware.asgi import ErrorBoundary, error_summary, log
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.http.protocol import limited_protocol
from searchkit.serve.mcp.http import McpOverHttp, streamable_http_app

_ON_ITS_WAY_SECONDS = 0.2  # for what clients sent before they could know that the server stops
_BACKLOG = 2048
_LEFT_SECONDS = 10.0  # for work whose client has disconnected
# Of a thread that computes in Python, before another may (5 ms by default): a request passes between threads four times. Beside two
# long questions on two busy cores, the list of models took 124 to 130 ms at the 95th percentile instead of 160 to 183.
_TURN_SECONDS = 0.001
_IDLE_SECONDS = 30  # of a connection between two requests


@dataclass(frozen=True, slots=True)
class Listening:
    """The address that the server listens at; `host` as in a URL."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://{self.host}:{self.port}"

    @property
    def page(self) -> str:
        """The URL of the page; a browser opens none of all addresses at once, but this machine's."""
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}/"


def serve(
    library: Library,
    options: ServeOptions,
    token: str,
    tell: Callable[[Listening], None],
    callers: Sequence[Caller] = (),
) -> bool:
    """Serve until a signal comes; return True if every request was answered. `tell` is called once it listens.

    `callers`: who may see a part, with a token of their own. Each has an application, libraries and connections of their own,
    so that nothing that is kept for one is shown to another. The library stays its owner's. Raises UsageError if the server
    cannot listen at the address, or callers have tokens where none is needed.
    """
    if callers and not options.needs_token:
        raise UsageError(
            "There are tokens that see a part, and without one everybody sees everything.",
            remedy="Keep the token, or remove the others.",
        )
    sys.setswitchinterval(_TURN_SECONDS)
    with _listen(options) as listener, contextlib.ExitStack() as libraries:
        states = [open_state(library, options)]
        for caller in callers:
            states.append(state_for(libraries.enter_context(library.as_seen_by(caller.view)), states[0]))
        parts = [_api_of(state) for state in states]
        others = list(zip(callers, (api for api, _ in parts[1:]), strict=True))
        guarded = Guarded(parts[0][0], options, token, others)
        server = _Server(_config(guarded, options), guarded.boundary, lambda: tell(_address(listener)))
        try:
            asyncio.run(server.run_beside(states[0], listener, [mcp for _, mcp in parts]))
        finally:
            seconds = 0.0 if server.force_exit else _LEFT_SECONDS
            closed = [close_state(state, seconds) for state in reversed(states)]  # all of them, whatever the first says
    return all(closed) and not server.was_cut_short


def _api_of(state: AppState) -> tuple[FastAPI, McpOverHttp]:
    """The routes over a state, MCP among them."""
    mcp = streamable_http_app(state.pool, is_guarded=True)
    api = make_api(state)
    api.router.routes.append(Route("/mcp", endpoint=mcp))
    return api, mcp


def end_process(code: int) -> NoReturn:
    """End the process even if `serve` left threads running: in native code, these crash the interpreter's normal exit."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


class _Server(uvicorn.Server):
    """Uvicorn's server, except that it handles signals itself and does not raise them again."""

    def __init__(self, config: uvicorn.Config, boundary: ErrorBoundary, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._boundary = boundary
        self._on_listening = on_listening
        self.was_cut_short = False

    async def run_beside(self, state: AppState, listener: socket.socket, served: Sequence[McpOverHttp]) -> None:
        """Serve, with what lives beside the routes, until a signal comes."""
        asyncio.get_running_loop().set_exception_handler(_note)
        async with lifespan(state, *served):
            await self.serve([listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server; then report that the server listens."""
        await super().startup(sockets)
        self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server; before, accept what is on its way, and close every connection after its response."""
        self._boundary.is_draining = True
        logging.getLogger("uvicorn.error").setLevel(
            logging.CRITICAL
        )  # else a traceback of each answer that is cut short
        for server in self.servers:
            server.close()
        await asyncio.sleep(_ON_ITS_WAY_SECONDS)
        await super().shutdown(sockets)
        self.was_cut_short = bool(self.server_state.tasks) or self.force_exit

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop at the first signal, immediately at the second. Only the main thread can receive them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a signal handler's signature)
        """Handle a signal."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _note(_: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
    """Log an exception that nobody caught; like everything logged here, without its message."""
    error = what.get("exception")
    log.error("in the background: %s", error_summary(error) if error else "no exception")


def _config(app: Guarded, options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=limited_protocol(options.limits),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,  # whoever starts the server sets up logging
        access_log=False,  # it would contain queries
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=options.limits.head_bytes,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=int(options.limits.drain_seconds),
    )


def _listen(options: ServeOptions) -> socket.socket:
    try:
        return _listener(options)
    except OSError as error:
        raise _why_not(error, options) from error


def _listener(options: ServeOptions) -> socket.socket:
    with contextlib.ExitStack() as undo:
        family, *_, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named; else every answer waits for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # Windows, where SO_REUSEADDR would let another program take the port
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        undo.callback(listener.close)
        listener.bind(address)
        listener.listen(_BACKLOG)  # at once: with SO_REUSEADDR two servers can bind a port, but only one can listen
        undo.pop_all()
    listener.set_inheritable(False)
    return listener


def _why_not(error: OSError, options: ServeOptions) -> UsageError:
    is_taken = error.errno == errno.EADDRINUSE
    taken = " Another searchkit may be running there." if is_taken else ""
    free = Remedy(Action.CHANGE_OPTION, option=Option.PORT, sentence="Take any free port") if is_taken else None
    message = f"Cannot listen at {options.host}:{options.port}: {error.strerror or error}.{taken}"
    return UsageError(message, remedy=free)


def _address(listener: socket.socket) -> Listening:
    host, port = listener.getsockname()[:2]
    return Listening(f"[{host}]" if ":" in host else host, port)
