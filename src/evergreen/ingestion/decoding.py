"""Provide a text file as plain UTF-8: unpacked, whatever its encoding."""

from __future__ import annotations

import codecs
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from evergreen.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 1 << 23
PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
MAX_LINE_BYTES = 1 << 25
MAX_FACTOR, MAX_UNPACKED_BYTES = 200, 1 << 28
"""Of a compressed file that unpacks to more bytes, none real grows by a larger factor."""
FEW_NUL = 0.3
"""With a larger share of NUL bytes at even or odd places, a file is UTF-16 without a mark."""


@dataclass(frozen=True)
class DecodedText:
    """A text file that is read as UTF-8.

    Attributes
    ----------
    name
        What the user calls it.
    path
        The file itself if it is plain UTF-8, else a copy.
    lines
        The number of lines, including a last one without a line feed.
    encoding
        The encoding of the original.
    """

    name: str
    path: Path
    lines: int
    encoding: str


def archive_members(path: Path) -> list[str]:
    """The files in an archive, without hidden ones, in order; for any other file one empty name."""
    if path.suffix.lower() != ".zip":
        return [""]
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(path, error) from None
    return [name for name in names if not PurePosixPath(name).name.startswith(".")]


def decode(path: Path, member: str, encoding: str, copy: Path) -> DecodedText:
    """Detect the encoding of a file, and copy it to `copy` unless it is plain UTF-8.

    Bytes that are invalid in its encoding become invalid UTF-8, to be reported with their line.
    With ``auto``, a mark at the start decides, then whether NUL bytes alternate. A file that is not
    UTF-8 is cp1252 if the first invalid chunk has more errors than valid characters.

    Raises
    ------
    DataError
        If the file can't be read or unpacked, or can't have the encoding that was set.
    """
    name = f"{path}/{member}" if member else str(path)
    try:
        with _opened(path, member) as file:
            lines, guess = _inspect(_bounded(_chunks(file), name, path.stat().st_size))
        used = guess if encoding == "auto" else codecs.lookup(encoding).name
        if _plain(path, used):
            return DecodedText(name, path, lines, used)
        with _opened(path, member) as file:
            return DecodedText(name, copy, _transcode(file, used, copy), used)
    except UnicodeError as error:
        raise DataError(
            f"{name} can't be read as {encoding}: {error}; nothing was changed",
            "set `encoding` of the source in params.yaml to that of the file, or to auto",
        ) from None
    except (
        OSError,
        EOFError,
        lzma.LZMAError,
        zlib.error,
        zipfile.BadZipFile,
        RuntimeError,
        pa.ArrowException,
    ) as e:
        raise _damaged(path, e) from None


def _plain(path: Path, encoding: str) -> bool:
    packed = path.suffix.lower() in (*PACKED, ".zip")
    return not packed and encoding in ("utf-8", "utf-8-sig")


def _damaged(path: Path, error: Exception) -> DataError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return DataError(
        f"{path} can't be read: {reason}; nothing was changed",
        "have the file delivered again, or move it out of the source's folder",
    )


@contextmanager
def _opened(path: Path, member: str) -> Iterator[Any]:
    if member:
        with zipfile.ZipFile(path) as archive, archive.open(member) as inner:
            yield inner
    elif (suffix := path.suffix.lower()) in PACKED:
        with pa.input_stream(str(path), compression=PACKED[suffix]) as packed:
            yield packed
    else:
        with path.open("rb") as file:
            yield file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _bounded(chunks: Iterator[bytes], name: str, size: int) -> Iterator[bytes]:
    """Refuse a line that is too long for memory, and a small file that unpacks to a huge one.

    Raises
    ------
    DataError
        With the limit.
    """
    line = unpacked = 0
    for chunk in chunks:
        unpacked += len(chunk)
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        line = line + len(chunk) if end < 0 else len(chunk) - end
        if line > MAX_LINE_BYTES:
            raise DataError(
                f"{name} has a line of more than {MAX_LINE_BYTES >> 20} MiB, which is the limit; "
                "nothing was changed",
                "have the file delivered again, or move it out of the source's folder",
            )
        if unpacked > max(MAX_UNPACKED_BYTES, MAX_FACTOR * size):
            raise DataError(
                f"{name} unpacks to more than {unpacked >> 20:,} MiB, over {MAX_FACTOR} times its "
                "size, which is the limit; nothing was changed",
                "unpack it if it is genuine, or move it out of the source's folder",
            )
        yield chunk


def _inspect(chunks: Iterator[bytes]) -> tuple[int, str]:
    """Count the lines of a file, and guess its encoding."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, guess, last = 0, "", b"\n"
    for chunk in chunks:
        guess = guess or _marked(chunk[:4096])
        lines, last = lines + chunk.count(b"\n"), chunk
        if guess == "utf-8" and not (chunk.isascii() and not decoder.getstate()[0]):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                guess = _utf8_or_cp1252(chunk)
                decoder.reset()
    return lines + (not last.endswith(b"\n")), guess or "utf-8"


def _marked(head: bytes) -> str:
    marks = {
        codecs.BOM_UTF8: "utf-8-sig",
        codecs.BOM_UTF32_LE: "utf-32",
        codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16",
        codecs.BOM_UTF16_BE: "utf-16",
    }
    for mark, encoding in marks.items():
        if head.startswith(mark):
            return encoding
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        places = head[start::2]
        if places and places.count(0) > FEW_NUL * len(places):
            return encoding
    return "utf-8"


def _utf8_or_cp1252(chunk: bytes) -> str:
    text = chunk.decode("utf-8", errors="replace")
    errors = text.count("\ufffd")
    valid = len(text) - len(text.encode("ascii", errors="ignore")) - errors
    return "cp1252" if errors > valid else "utf-8"


NOT_UTF8 = "\udcff"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Replace bytes that can't be decoded with characters that become invalid UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return NOT_UTF8, error.end


codecs.register_error("evergreen-mark", _mark)


def _transcode(file: IO[bytes], encoding: str, copy: Path) -> int:
    """Write a copy in UTF-8; return its number of lines."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="evergreen-mark")
    copy.parent.mkdir(parents=True, exist_ok=True)
    lines, last = 0, b"\n"
    with copy.open("wb") as out:
        for chunk in chain(_chunks(file), [b""]):
            text = decoder.decode(chunk, final=not chunk)
            if data := text.encode("utf-8", errors="surrogateescape"):
                lines, last = lines + data.count(b"\n"), data
                out.write(data)
    return lines + (not last.endswith(b"\n"))
