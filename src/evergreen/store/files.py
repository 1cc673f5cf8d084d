"""Files that are the same bytes for the same content, and what they are checked by."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from evergreen.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd


def write_json(content: object, path: Path, *, sort_keys: bool = True) -> None:
    """Write JSON that reads well in a diff: sorted keys, a line an item, no NaN.

    Raises
    ------
    ValueError
        If there is a NaN or an infinity: it would show as a change for ever.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=2, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, *, next_step: str) -> Any:  # noqa: ANN401 - as wide as JSON
    """Read JSON.

    Raises
    ------
    ModelError
        If the file is missing or not JSON, with the next step to take.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path} was expected, and is not there", next_step) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not readable as JSON: {error}", next_step) from None


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path, *, pattern: str = "*", apart_from: str | None = None) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path relative to it, in order."""
    found = sorted(path for path in folder.rglob(pattern) if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: sha256(path) for name, path in named.items() if name != apart_from}


def digest_of(content: object) -> str:
    """SHA-256 of a JSON value, however its keys are ordered, in hexadecimal."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV with a header, for plots and for people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def write_folder(content: Mapping[str, bytes], folder: Path) -> None:
    """Write files by name into a folder, which is created."""
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder by name, without those of folders in it."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
