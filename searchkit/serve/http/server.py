"""Starts the server, tells where it listens, and stops it so that every request that has been taken is answered."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from starlette.routing import Route
from uvicorn.server import HANDLED_SIGNALS

from searchkit.answer.models.choose import Wanted, choose_model
from searchkit.answer.models.language_model import LanguageModel
from searchkit.config import load_settings
from searchkit.embedding.onnx_embedder import usable_cores
from searchkit.errors import SearchkitError, UsageError
from searchkit.library import Library
from searchkit.serve.dialects.chat.language import SharedLanguageModel
from searchkit.serve.http.app import Guarded, make_api
from searchkit.serve.http.indexing import Indexing
from searchkit.serve.http.lifespan import lifespan
from searchkit.serve.http.middleware.error_boundary import ErrorBoundary, error_summary, log
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.http.protocol import limited_protocol
from searchkit.serve.http.state import AppState
from searchkit.serve.mcp.http import McpOverHttp, streamable_http_app
from searchkit.serve.pool import LibraryPool

_ANSWERS_AT_ONCE, _ANSWERS_WAITING = (
    2,
    8,
)  # local model servers answer one to four at a time; a ninth would wait for minutes
_ON_ITS_WAY_SECONDS = 0.2  # what a client has sent before it could know that the server stops
_BACKLOG = 2048
_LEFT_SECONDS = 10.0  # for work whose client has gone
_IDLE_SECONDS = 30  # of a connection between two requests


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens. `host` as a URL has it."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}:{self.port}"


def serve(library: Library, options: ServeOptions, token: str, tell: Callable[[Listening], None]) -> bool:
    """Serve until a signal comes: whether every request was answered. `tell` is called once it listens.

    The library stays the caller's. Raises UsageError if the address cannot be listened at.
    """
    with _listen(options) as listener:
        state = _make_state(library, options)
        mcp = streamable_http_app(state.pool, is_guarded=True)
        api = make_api(state)
        api.router.routes.append(Route("/mcp", endpoint=mcp))
        guarded = Guarded(api, options, token)
        server = _Server(_config(guarded, options), guarded.boundary, lambda: tell(_address(listener)))
        try:
            asyncio.run(server.run_beside(state, listener, mcp))
        finally:
            is_done = _close(state, 0.0 if server.force_exit else _LEFT_SECONDS)
    return is_done and not server.was_cut_short


def end_process(code: int) -> NoReturn:
    """End the process where `serve` has left work behind: the interpreter's own way out crashes if that is in native code."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


class _Server(uvicorn.Server):
    """Uvicorn's, which stops by itself at a signal and raises none."""

    def __init__(self, config: uvicorn.Config, boundary: ErrorBoundary, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._boundary = boundary
        self._on_listening = on_listening
        self.was_cut_short = False

    async def run_beside(self, state: AppState, listener: socket.socket, mcp: McpOverHttp) -> None:
        """With its lifespan, until a signal comes."""
        asyncio.get_running_loop().set_exception_handler(_note)
        async with lifespan(state), mcp.running():
            await self.serve([listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server; then tells."""
        await super().startup(sockets)
        self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server; before, takes what is on its way, and has every answer say that its connection closes."""
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
        """Stop at the first signal, at once at the second. Only the main thread can have them."""
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
        """A signal has come."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _note(_: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
    """Log what nobody has caught as everything else is logged: without its message."""
    error = what.get("exception")
    log.error("in the background: %s", error_summary(error) if error else "no exception")


def _make_state(library: Library, options: ServeOptions) -> AppState:
    def choose() -> LanguageModel:
        return choose_model(load_settings(library.home).llm, Wanted(options.llm, options.llm_model))

    workers = options.workers or usable_cores()
    pool = LibraryPool(library, workers)
    for _ in range(workers):  # each has catalogs and indexes of its own to open
        pool.submit(_warm_up)
    return AppState(
        library.home,
        options,
        pool,
        LibraryPool(library, _ANSWERS_AT_ONCE, waiting=_ANSWERS_WAITING),
        SharedLanguageModel(choose),
        Indexing(library) if options.allows_indexing else None,
    )


def _warm_up(library: Library) -> None:
    """Load what the first search would load, so that nobody waits for it. What is missing, that search will say."""
    try:
        library.warm_up()
    except SearchkitError as error:
        log.info("nothing to warm up: %s", error_summary(error))


def _close(state: AppState, seconds: float) -> bool:
    has_indexed = state.indexing is None or state.indexing.close(seconds)
    is_done = all([has_indexed, state.pool.close(seconds), state.answer_pool.close(seconds)])
    if is_done:
        state.language.close()
    return is_done


def _config(app: Guarded, options: ServeOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=limited_protocol(options.limits),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,  # whoever starts the server says what is logged
        access_log=False,  # it would hold queries
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
        listener = socket.socket(family)
        if hasattr(
            socket, "SO_EXCLUSIVEADDRUSE"
        ):  # Windows, where SO_REUSEADDR would let another program take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        undo.callback(listener.close)
        listener.bind(address)
        listener.listen(_BACKLOG)  # now: with SO_REUSEADDR two servers can be bound to a port, but only one listens
        undo.pop_all()
    listener.set_inheritable(False)
    return listener


def _why_not(error: OSError, options: ServeOptions) -> UsageError:
    remedy = " Another searchkit may run there; for any free port: --port 0" if error.errno == errno.EADDRINUSE else ""
    return UsageError(f"Cannot listen at {options.host}:{options.port}: {error.strerror or error}.{remedy}")


def _address(listener: socket.socket) -> Listening:
    host, port = listener.getsockname()[:2]
    return Listening(f"[{host}]" if ":" in host else host, port)
