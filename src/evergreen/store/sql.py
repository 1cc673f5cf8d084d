"""Values and files in the text of SQL."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def literal(value: object) -> str:
    """A text or a path in single quotes, those inside it doubled."""
    return "'" + str(value).replace("'", "''") + "'"


def names(columns: Iterable[str]) -> str:
    """A list of columns, quoted: a target or an attribute may be called ``order``."""
    return ", ".join(map(name, columns))


def name(column: str) -> str:
    """A column in double quotes, those inside it doubled."""
    return '"' + column.replace('"', '""') + '"'


def parquet(files: Iterable[Path], *, by_name: bool = False) -> str:
    """What ``select ... from`` reads these files with; `by_name` allows for missing columns."""
    option = ", union_by_name=true" if by_name else ""
    return f"read_parquet([{', '.join(map(literal, files))}]{option})"
