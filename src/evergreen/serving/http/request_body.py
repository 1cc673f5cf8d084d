"""Read the body of a request within the limits on its size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from evergreen.serving.http.limits import RefusedError, RequestLimits

if TYPE_CHECKING:
    from starlette.requests import Request

SMALL = 1 << 16
MAX_LARGE_BODIES = 2
FIELD = "file"


class BodyReader:
    """Reads bodies. Few large ones are in memory at a time; the others wait in their connection."""

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._large = asyncio.Semaphore(MAX_LARGE_BODIES)

    @asynccontextmanager
    async def body(self, request: Request, max_bytes: int) -> AsyncIterator[bytes]:
        """Read a body; a large one counts as being in memory until the context ends.

        Raises
        ------
        RefusedError
            413 if it is too large, 408 if it does not arrive in time.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    body = await self._read(request, max_bytes, stack)
            except TimeoutError:
                raise RefusedError(
                    408, f"the body did not arrive within {self._limits.seconds} seconds"
                ) from None
            yield body

    async def _read(self, request: Request, max_bytes: int, stack: AsyncExitStack) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            size = len(body) + len(chunk)
            if size > max_bytes:
                raise RefusedError(
                    413, f"a body may have at most {max_bytes:,} bytes", "send fewer rows at once"
                )
            if len(body) <= SMALL < size:
                await stack.enter_async_context(self._large)
            body += chunk
        return bytes(body)


def file_of_form(headers: Headers, body: bytes) -> bytes:
    """The uploaded file in a form. Blocks: call it in a worker thread.

    Raises
    ------
    RefusedError
        422 if the body is not a form, or has no file in the field ``file``.
    """

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    async def parse() -> bytes:
        parser = _Parser(headers, stream(), max_files=1, max_fields=10)
        parser.spool_max_size = len(body) + 1  # keep personal data off the disk
        try:
            upload = (await parser.parse()).get(FIELD)
            return await upload.read() if isinstance(upload, UploadFile) else b""
        finally:
            parser.close_files()

    try:
        content = asyncio.run(parse())
    except MultiPartException as error:
        raise RefusedError(422, f"the form can't be read: {error.message}") from None
    if not content:
        raise RefusedError(422, f"a CSV file is expected in the form's field {FIELD!r}")
    return content


class _Parser(MultiPartParser):
    def close_files(self) -> None:
        """Close every file, including those of parts that were cut off."""
        for file in self._files_to_close_on_error:
            file.close()
