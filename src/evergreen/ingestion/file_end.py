"""The end of a text file: blank lines, and lines that the settings say are not rows."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from evergreen.ingestion.decoding import DecodedText

CHUNK_BYTES = 1 << 16
_LINE_END = re.compile(rb"\r\n|\n|\r")


def without_end(text: DecodedText, footer: int, copy: Path) -> tuple[DecodedText, tuple[int, ...]]:
    """Leave out the blank lines at the end of a file, then so many lines.

    Parameters
    ----------
    copy
        Where to write the file without the footer, unless the file is a copy already.

    Returns
    -------
    DecodedText
        Its `lines` are without those that are left out; blank ones may still be in the file.
    tuple of int
        The lines of the footer.
    """
    content, blank = _blank_end(text.path)
    lines = text.lines - blank
    if footer == 0:
        return replace(text, lines=lines), ()
    kept = max(0, lines - footer)
    size = _start_of_line(text.path, content, lines - kept)
    if text.path != copy:
        shutil.copyfile(text.path, copy)
    os.truncate(copy, size)
    return replace(text, path=copy, lines=kept), tuple(range(kept + 1, lines + 1))


def _blank_end(path: Path) -> tuple[int, int]:
    """Where the content ends, and how many blank lines follow."""
    end, blank = path.stat().st_size, 0
    with path.open("rb") as file:
        while end > 0:
            start = max(0, end - CHUNK_BYTES)
            file.seek(start)
            chunk = file.read(end - start)
            rest = chunk.rstrip(b"\r\n")
            blank += chunk[len(rest) :].count(b"\n")
            if rest:
                return start + len(rest), max(0, blank - 1)
            end = start
    return 0, 0


def _start_of_line(path: Path, content: int, count: int) -> int:
    """Where the last `count` lines of the content begin."""
    tail, start = b"", content
    with path.open("rb") as file:
        while start > 0 and len(_LINE_END.findall(tail)) <= count:
            begin = max(0, start - CHUNK_BYTES)
            file.seek(begin)
            tail, start = file.read(start - begin) + tail, begin
    ends = [match.end() for match in _LINE_END.finditer(tail)]
    return start + ends[-count] if len(ends) >= count else 0
