"""Digests of files, remembered while a file keeps its size, modification time and inode."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from evergreen.settings import paths
from evergreen.store import files

SETTLED_NS = 2_000_000_000
"""A file that has just been written may change again without a new modification time."""


def of_files(names: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of files, in hexadecimal; unchanged files are not read again.

    Several processes may do this at once: a digest that one of them loses is computed again.
    """
    before = remembered()
    found, known = {}, dict(before)
    for path in names:
        state = path.stat()
        identity = [state.st_size, state.st_mtime_ns, state.st_ino]
        of_path = before.get(str(path))
        if of_path is None or of_path[:3] != identity:
            settled = state.st_mtime_ns + SETTLED_NS < time.time_ns()
            of_path = [*identity, files.sha256(path)]
            if settled:
                known[str(path)] = of_path
        found[path] = str(of_path[3])
    if known != before:
        here = {name: entry for name, entry in known.items() if Path(name).exists()}
        files.write_text(json.dumps(here), paths.DIGESTS, shared=True)
    return found


def remembered() -> dict[str, list[int | str]]:
    """Size, modification time in ns, inode and digest by path; empty if the file is damaged."""
    try:
        content = json.loads(paths.DIGESTS.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
