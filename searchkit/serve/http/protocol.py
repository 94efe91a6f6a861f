"""Uvicorn's HTTP/1.1 with limits on connections: on their number, and on slow clients."""

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from searchkit.serve.http.options import Limits

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class LimitedProtocol(H11Protocol):
    """Closes connections beyond the limit, and those that do not send the head of a request, or do not read, in time."""

    limits: ClassVar[Limits] = Limits()
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.write(_FULL)
            transport.close()
            return
        self._timer = self.loop.call_later(self.limits.head_seconds, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        is_waiting = self.conn.their_state is h11.IDLE and (self.cycle is None or bool(self.conn.trailing_data[0]))
        if not is_waiting:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.limits.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_timer()
        self._stop_stalled()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio.Protocol: the client does not read, and the buffer is full."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.limits.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._stop_stalled()
        super().resume_writing()

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _stop_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def limited_protocol(limits: Limits) -> type[LimitedProtocol]:
    """Return the protocol class with these limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})
