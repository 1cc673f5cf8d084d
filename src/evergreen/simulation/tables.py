"""The simulated events as tables in the canonical columns, up to the last simulated day."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from evergreen.settings.simulation import Simulation
from evergreen.simulation import process, words


def client_ids(settings: Simulation) -> np.ndarray:
    """The name of each client by its number, string (clients,)."""
    return np.array([f"c{number:06d}" for number in range(settings.clients)], dtype=object)


def transactions(settings: Simulation, course: process.Course) -> pa.Table:
    """A row for each purchase, and another that reverses it for each that was undone.

    Ordered by when they became known, then by client and time. So those of a shorter simulation
    are the first of a longer one.
    """
    bought = course.purchases
    undone = np.flatnonzero(bought.undone > 0)
    event = np.concatenate([np.arange(len(bought.client)), undone])
    sign = np.repeat([1, -1], [len(bought.client), len(undone)])
    known = (bought.day + bought.late)[event]
    known[len(bought.client) :] = (bought.day + bought.undone)[undone]
    order = np.lexsort(
        (-sign, bought.minute[event], bought.day[event], bought.client[event], known)
    )
    order = order[known[order] < settings.days]
    event, sign, known = event[order], sign[order], known[order]
    client, day = client_ids(settings)[bought.client[event]], bought.day[event]
    return pa.table(
        {
            "client_id": pa.array(client, pa.string()),
            "timestamp": _timestamps(settings, day, bought.minute[event]),
            "amount_minor": sign * bought.amount_minor[event],
            "quantity": sign.astype(np.float64),
            "text": pa.array(np.array(words.PRODUCTS, object)[bought.product[event]], pa.string()),
            "invoice_id": [f"{c}-{d}" for c, d in zip(client, day.tolist(), strict=True)],
            "ingested_on": _dates(settings, known),
        }
    )


def notes(settings: Simulation, course: process.Course) -> pa.Table:
    """A row for each note, each known on its own day, ordered by day, client and time."""
    written = course.notes
    order = np.lexsort((written.minute, written.client, written.day))
    text = np.array(words.NOTE_WORDS, object)[written.words[order]]
    return pa.table(
        {
            "client_id": pa.array(client_ids(settings)[written.client[order]], pa.string()),
            "timestamp": _timestamps(settings, written.day[order], written.minute[order]),
            "text": pa.array([" ".join(line) for line in text], pa.string()),
            "language": pa.array(["en"] * len(order), pa.string()),
            "ingested_on": _dates(settings, written.day[order]),
        }
    )


def _dates(settings: Simulation, day: np.ndarray) -> pa.Array:
    return pa.array(np.datetime64(settings.start, "D") + day, pa.date32())


def _timestamps(settings: Simulation, day: np.ndarray, minute: np.ndarray) -> pa.Array:
    start = np.datetime64(settings.start, "us")
    return pa.array(start + day.astype("timedelta64[D]") + minute.astype("timedelta64[m]"))
