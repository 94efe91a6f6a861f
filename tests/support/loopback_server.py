"""An HTTP server on loopback, in a thread of its own: what the fakes that tests talk to have in common."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that writes nothing to stderr."""

    def log_message(self, format: str, *args: object) -> None:
        """Ignore the message."""


@contextmanager
def loopback_server(handler: type[QuietHandler], **state: object) -> Iterator[str]:
    """Run a server; yields its address, `http://127.0.0.1:PORT`. `state`: attributes of the handler's class."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), state))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
