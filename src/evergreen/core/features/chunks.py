"""Snapshots in chunks, so that the memory for their features does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from evergreen.core.events.label_selection import KEYS

if TYPE_CHECKING:
    import pandas as pd

ROWS = 100_000
"""Snapshots in a chunk. A constant, because the bytes of feature files depend on it."""

CONSTANT = "is the same for all training snapshots"


def in_chunks(snapshots: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The keys of snapshots in order, chunk by chunk; a single empty chunk if there are none."""
    for start in range(0, max(1, len(snapshots)), ROWS):
        yield snapshots[KEYS].iloc[start : start + ROWS].reset_index(drop=True)


def constant(chunks: Iterable[pd.DataFrame]) -> list[str]:
    """Return the columns that have the same value, or NaN, in all rows of all chunks."""
    first = same = None
    for columns in chunks:
        first = columns.iloc[0] if first is None else first
        same_here = (columns.eq(first) | (columns.isna() & first.isna())).all()
        same = same_here if same is None else same & same_here
    return [] if same is None else [str(name) for name in same.index[same]]
