"""Buckets of clients: the unit in which work is spread over processes and machines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

BUCKETS = 64
"""A constant: what is computed for a bucket does not depend on how many workers there are."""
BUCKET = f"(('0x' || left(sha256('bucket:' || client_id), 8))::ubigint % {BUCKETS})::utinyint"
"""SQL of a client's bucket."""


def buckets_of(clients: Iterable[str]) -> np.ndarray:
    """The bucket of each client, uint8 (n,), as `BUCKET` gives it."""
    ids = list(clients)
    numbers = {
        name: int(hashlib.sha256(f"bucket:{name}".encode()).hexdigest()[:8], 16) % BUCKETS
        for name in set(ids)
    }
    return np.array([numbers[name] for name in ids], dtype=np.uint8)
