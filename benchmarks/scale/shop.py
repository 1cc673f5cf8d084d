"""Write the transactions of a made-up shop of any size: a year by month, and the day after it.

Purchases of a client arrive at a rate of its own (gamma distributed), from a first day
until the client leaves. An invoice has 1 to 5 lines of products; some are returns.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2024, 12, 30)
NEXT_DAY = LAST_DAY + timedelta(days=1)
DAYS = (NEXT_DAY - FIRST_DAY).days + 1
LINES_OF_INVOICE = 3  # the mean of 1 to 5
OLD_CLIENTS, RETURNED = 0.5, 0.015
COLORS = [
    "red",
    "blue",
    "green",
    "ivory",
    "pink",
    "silver",
    "golden",
    "black",
    "white",
    "brown",
    "grey",
    "coral",
]
KINDS = [
    "small",
    "large",
    "vintage",
    "wooden",
    "glass",
    "paper",
    "cotton",
    "folding",
    "ceramic",
    "striped",
]
THINGS = [
    "mug",
    "lantern",
    "bag",
    "box",
    "candle",
    "clock",
    "frame",
    "bowl",
    "tray",
    "jar",
    "ribbon",
    "card",
    "plate",
    "cushion",
    "towel",
    "basket",
    "hook",
    "sign",
    "tin",
    "bottle",
    "lamp",
    "cup",
    "spoon",
    "puzzle",
    "doll",
]
PRODUCTS = [" ".join(words) for words in product(COLORS, KINDS, THINGS)]


def write(folder: Path, *, clients: int, rows: int, seed: int = 1) -> None:
    """Write ``inbox/<month>.parquet`` and ``next/<day>.parquet``, about `rows` rows in all.

    Columns: customer, sold_at, invoice, product, quantity (negative: returned), price.
    """
    random = np.random.default_rng(seed)
    client, when = _invoices(random, clients, rows)
    prices = np.round(random.lognormal(2.5, 0.7, len(PRODUCTS)), 2)
    popularity = random.permutation(1 / np.arange(1, len(PRODUCTS) + 1) ** 0.8)
    popularity = np.cumsum(popularity / popularity.sum())
    months = [date(2024, month, 1) for month in range(1, 13)]
    bounds = [(day - FIRST_DAY).days for day in (*months, NEXT_DAY)] + [DAYS]
    names = [f"inbox/{day:%Y-%m}.parquet" for day in months] + [f"next/{NEXT_DAY}.parquet"]
    for (first, end), name in zip(pairwise(np.searchsorted(when, bounds)), names, strict=True):
        lines = random.integers(1, 6, end - first)
        sold = np.repeat(np.arange(first, end), lines)
        item = np.searchsorted(popularity, random.random(len(sold)))
        quantity = random.geometric(0.5, len(sold))
        table = pa.table(
            {
                "customer": _ids("C", client[sold]),
                "sold_at": (
                    np.datetime64(datetime.combine(FIRST_DAY, datetime.min.time()), "s")
                    + (when[sold] * 86400).astype("timedelta64[s]")
                ).astype("datetime64[us]"),
                "invoice": _ids("I", sold),
                "product": pa.DictionaryArray.from_arrays(item.astype(np.int32), PRODUCTS),
                "quantity": np.where(random.random(len(sold)) < RETURNED, -quantity, quantity),
                "price": prices[item],
            }
        )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)


def _invoices(
    random: np.random.Generator, clients: int, rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """The client and the time, in days from the first, of each invoice, ordered by time."""
    old = random.random(clients) < OLD_CLIENTS
    start = np.where(old, 0, random.random(clients) * DAYS * 0.9)
    end = np.minimum(start + 1 + random.exponential(400, clients), DAYS)
    exposure = random.gamma(0.8, 1, clients) * (end - start)
    expected = exposure / exposure.sum() * rows / LINES_OF_INVOICE
    client = np.repeat(np.arange(clients), np.maximum(random.poisson(expected), 1))
    when = start[client] + random.random(len(client)) * (end - start)[client]
    order = np.argsort(when, kind="stable")
    return client[order], when[order]


def _ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    return pa.array(np.char.add(prefix, numbers.astype("U9")))


if __name__ == "__main__":
    write(Path(sys.argv[1]), clients=int(sys.argv[2]), rows=int(sys.argv[3]))
