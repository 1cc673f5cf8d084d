"""A request's body, in full: no more bytes than allowed, and no longer than allowed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from evergreen.serving.http.limits import Limits, RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.datastructures import Headers
    from starlette.requests import Request

SMALL = 1 << 16
LARGE_AT_ONCE = 2
FIELD = "file"


class Reader:
    """Reads bodies; only few large ones are held at a time, the others wait in their connection."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    @asynccontextmanager
    async def body(self, request: Request, most_bytes: int) -> AsyncIterator[bytes]:
        """Read a body; a large one counts as held until the context ends.

        Raises
        ------
        RefusedError
            413 if it is too large, 408 if it does not come in time.
        """
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    read = await self._read(request, most_bytes, held)
            except TimeoutError:
                raise RefusedError(
                    408, f"the body did not come within {self._limits.seconds} seconds"
                ) from None
            yield read

    async def _read(self, request: Request, most_bytes: int, held: AsyncExitStack) -> bytes:
        read = bytearray()
        async for chunk in request.stream():
            size = len(read) + len(chunk)
            if size > most_bytes:
                raise RefusedError(
                    413, f"at most {most_bytes:,} bytes are read", "send fewer rows at once"
                )
            if len(read) <= SMALL < size:
                await held.enter_async_context(self._large)
            read += chunk
        return bytes(read)


def uploaded(headers: Headers, body: bytes) -> bytes:
    """The file in a form; for a thread that may be kept busy.

    Raises
    ------
    RefusedError
        422 if the body is no form, or has no file in the field ``file``.
    """

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    async def file_of_form() -> bytes:
        parser = _Parser(headers, whole(), max_files=1, max_fields=10)
        parser.spool_max_size = len(body) + 1  # nothing of a client on the disk
        try:
            file = (await parser.parse()).get(FIELD)
            return await file.read() if isinstance(file, UploadFile) else b""
        finally:
            parser.close_files()

    try:
        found = asyncio.run(file_of_form())
    except MultiPartException as error:
        raise RefusedError(422, f"the form can't be read: {error.message}") from None
    if not found:
        raise RefusedError(422, f"a CSV file is expected in the form's field {FIELD!r}")
    return found


class _Parser(MultiPartParser):
    def close_files(self) -> None:
        """Close every file: the form holds none of those whose part was cut off."""
        for file in self._files_to_close_on_error:
            file.close()
