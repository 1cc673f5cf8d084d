"""Limits of connections: the time to send the head of a request, and how many may be open.

uvicorn has no limit for the time of a head, and its limit of concurrency counts connections: those
that send nothing would shut out all others.
"""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

LOG = logging.getLogger(__name__)
HEAD_SECONDS = 10.0
MAX_CONNECTIONS = 1000
LOG_SECONDS = 60.0
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connections:
    """Makes uvicorn's protocol for each connection, and closes connections that only wait.

    A connection is idle while no request is in progress: from its beginning, or the end of a
    response, until a whole head has arrived. When there are too many connections, the one that has
    been idle longest is closed; if none is idle, the one that has been sending its body longest.

    Parameters
    ----------
    head_seconds
        How long a connection may be idle, whether it sends nothing or a byte a second.
    at_most
        The number of connections.
    """

    def __init__(self, head_seconds: float = HEAD_SECONDS, at_most: int = MAX_CONNECTIONS) -> None:
        self._head_seconds = head_seconds
        self._at_most = at_most
        self._idle: dict[Connection, float] = {}  # since when; the longest first
        self._sending: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._logged = -LOG_SECONDS

    def __call__(self, **options: Any) -> Connection:  # noqa: ANN401 - those of uvicorn
        """Make the protocol of a new connection; uvicorn calls it as it would call a class."""
        return Connection(self, **options)

    def make_room(self, new: Connection) -> None:
        """Close a connection if there are too many."""
        if len(new.connections) <= self._at_most:
            return
        if new.loop.time() - self._logged >= LOG_SECONDS:
            self._logged = new.loop.time()
            LOG.warning("%d connections are open: the longest idle are closed", self._at_most)
        closed = next(chain(self._idle, self._sending, (new,)))
        self._forget(closed)
        closed.transport.abort()

    def update(self, connection: Connection) -> None:
        """Note whether a connection is idle, sends a body, or waits for its response."""
        cycle = connection.cycle
        if connection not in connection.connections:  # it is closed
            self._forget(connection)
        elif cycle is None or cycle.response_complete:
            self._sending.pop(connection, None)
            self._idle.setdefault(connection, connection.loop.time())
            if self._timer is None:
                self._timer = connection.loop.call_later(self._head_seconds, self._close_late)
        else:
            self._idle.pop(connection, None)
            if cycle.more_body:
                self._sending.setdefault(connection, connection.loop.time())
            else:
                self._sending.pop(connection, None)

    def _forget(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
        self._sending.pop(connection, None)

    def _close_late(self) -> None:
        self._timer = None
        while self._idle:
            connection, since = next(iter(self._idle.items()))
            loop = connection.loop
            if since + self._head_seconds > loop.time():
                self._timer = loop.call_at(since + self._head_seconds, self._close_late)
                return
            del self._idle[connection]
            if connection.takes_response():
                self.update(connection)  # it begins to be idle
            else:
                connection.end()


class Connection(H11Protocol):
    """uvicorn's protocol, which reports to `Connections` whenever it begins or ends to be idle."""

    def __init__(self, all_connections: Connections, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._all = all_connections
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to be idle."""
        super().connection_made(transport)
        self._all.make_room(self)
        self._all.update(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count no longer."""
        super().connection_lost(exc)
        self._all.update(self)

    def data_received(self, data: bytes) -> None:
        """Begin to work if a whole head has arrived."""
        super().data_received(data)
        self._all.update(self)

    def on_response_complete(self) -> None:
        """Begin to be idle, or continue with a request that has arrived meanwhile."""
        super().on_response_complete()
        self._all.update(self)

    def takes_response(self) -> bool:
        """Whether the other side has read some of the response since the last call."""
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        return self._unsent > 0 and self._unsent != before

    def end(self) -> None:
        """Close the connection, with a response if the head of a request was begun."""
        if self.conn.trailing_data[0] and not self.transport.is_closing():
            self.transport.write(TIMED_OUT)
        self.transport.abort()
