"""What a request may ask for, and how one that asks for more, or for nonsense, is told so."""

from __future__ import annotations

from typing import NamedTuple

from evergreen.errors import EvergreenError

MEBIBYTE = 1 << 20


class Limits(NamedTuple):
    """How much one request may bring and take.

    Attributes
    ----------
    mebibytes
        Of a CSV file; of JSON, which takes more memory for the same rows, an eighth.
    rows
        Of a CSV file; of JSON the clients, and the transactions and notes of each.
    seconds
        To read the body, and again to answer it.
    """

    mebibytes: int = 32
    rows: int = 500_000
    seconds: int = 60

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
        Of HTTP: 4xx where the request is at fault.
    message, next_step
        As of `EvergreenError`; they go to the one who asked, and into no log.
    """

    def __init__(self, status: int, message: str, next_step: str | None = None) -> None:
        super().__init__(message, next_step)
        self.status = status
