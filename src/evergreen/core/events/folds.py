"""Which rows of a table are held out: the clients of the pipeline, or rows at random."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def held_out_clients(clients: Iterable[object], *, share: float, salt: str) -> NDArray[np.bool_]:
    """Whether each client is held out, bool (n,), by id and salt as in `create_snapshots`."""
    ids = [str(client) for client in clients]
    hashes = {name: hashlib.sha256(f"holdout:{salt}:{name}".encode()) for name in set(ids)}
    held_out = {name: int(h.hexdigest()[:8], 16) < share * 2**32 for name, h in hashes.items()}
    return np.array([held_out[name] for name in ids], dtype=bool)


def held_out_rows(rows: int, *, share: float, seed: int) -> NDArray[np.bool_]:
    """Whether each row is held out, bool (rows,): at random, the same for the same seed."""
    held_out: NDArray[np.bool_] = np.random.default_rng(seed).random(rows) < share
    return held_out
