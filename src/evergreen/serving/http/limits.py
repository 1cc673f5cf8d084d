"""The limits of a request, and the error for a request that exceeds them or makes no sense."""

from __future__ import annotations

from typing import NamedTuple

from evergreen.errors import EvergreenError

MEBIBYTE = 1 << 20


class RequestLimits(NamedTuple):
    """How large a request may be, how long it may take, and how many are answered at a time.

    Attributes
    ----------
    mebibytes
        The size of a CSV file. JSON needs more memory for the same rows: an eighth is allowed.
    rows
        The rows of a CSV file; in JSON the clients, or their transactions and notes.
    seconds
        The time to receive the body, and again to answer it.
    requests
        Predictions at a time, from the moment that the body has arrived.
    """

    mebibytes: int = 32
    rows: int = 500_000
    seconds: float = 60
    requests: int = 200

    @property
    def csv_bytes(self) -> int:
        """The largest upload."""
        return self.mebibytes * MEBIBYTE

    @property
    def json_bytes(self) -> int:
        """The largest JSON body."""
        return self.csv_bytes // 8


class RefusedError(EvergreenError):
    """A request that can't be answered.

    Parameters
    ----------
    status : int
        The HTTP status: 4xx where the request is at fault.
    message, next_step
        As in `EvergreenError`; the caller gets them, and they are never logged.
    """

    def __init__(self, status: int, message: str, next_step: str | None = None) -> None:
        super().__init__(message, next_step)
        self.status = status


def check_rows(rows: int, max_rows: int) -> None:
    """Refuse a request with too many rows.

    Raises
    ------
    RefusedError
        413 if there are more than `max_rows`.
    """
    if rows > max_rows:
        raise RefusedError(413, f"a request may have at most {max_rows:,} rows, found {rows:,}")
