"""Streams pieces from the thread that waits for them to the one that shows them, so that stopping is immediate."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, Queue

Produce = Callable[["BackgroundStream"], Iterator[str]]
_LOOK_SECONDS = 0.2  # how often a waiting reader checks for Ctrl-C, on systems that do not interrupt a wait


class BackgroundStream:
    """A `Reply` whose iterator runs in a thread of its own.

    `produce` is given this stream and yields the pieces; it should check `is_stopped` between them. `abort` wakes it when it is
    waiting.
    """

    def __init__(self, produce: Produce, abort: Callable[[], None]) -> None:
        self.is_cut_short = False
        self._produce = produce
        self._abort = abort
        self._stopped = threading.Event()
        self._queue: Queue[str | BaseException | None] = Queue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="searchkit-reply")
        self._thread.start()

    def is_stopped(self) -> bool:
        """True if no more pieces are wanted."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """See `Reply`."""
        self._stopped.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._abort()

    def __iter__(self) -> Iterator[str]:
        while not self.is_stopped():
            try:
                piece = self._queue.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue
            if piece is None or self.is_stopped():
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def _run(self) -> None:
        try:
            for piece in self._produce(self):
                self._queue.put(piece)
                if self.is_stopped():
                    return
            self._queue.put(None)
        except BaseException as error:  # noqa: BLE001 (raised where the pieces are read)
            self._queue.put(error)
