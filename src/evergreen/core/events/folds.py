"""Which rows of a table are held out: the pipeline's clients, or rows by lot."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def held_out_clients(clients: Iterable[object], *, share: float, salt: str) -> NDArray[np.bool_]:
    """Whether each client is held out, bool (n,): as `create_snapshots` has it, by id and salt."""
    ids = [str(client) for client in clients]
    held = {one: _number(f"holdout:{salt}:{one}") < share * 2**32 for one in set(ids)}
    return np.array([held[one] for one in ids], dtype=bool)


def held_out_rows(rows: int, *, share: float, seed: int) -> NDArray[np.bool_]:
    """Whether each of some rows is held out, bool (rows,): by lot, the same for the same seed."""
    drawn: NDArray[np.bool_] = np.random.default_rng(seed).random(rows) < share
    return drawn


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
